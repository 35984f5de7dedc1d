"""What is kept of the figures: `results.json`, and `RESULTS.md` made of it."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from benchmarks.apparatus.figures import Figure

HEAD = ("what", "work", "yardstick, same run", "aim", "reached", "")


class Row(Struct):
    """What one row's last run gave, when (UTC), on what, and how long that took."""

    date: str
    machine: dict[str, str]
    seconds: float
    figures: list[Figure]


class Results(Struct):
    """The last run of each row."""

    rows: dict[str, Row] = {}


def read(folder: Path) -> Results:
    """What was kept; nothing yet, perhaps."""
    file = folder / "results.json"
    return msgspec.json.decode(file.read_bytes(), type=Results) if file.exists() else Results()


def keep(folder: Path, results: Results, order: list[str]) -> None:
    """Write both files."""
    results.rows = {name: results.rows[name] for name in order if name in results.rows}
    folder.mkdir(parents=True, exist_ok=True)
    encoded = msgspec.json.format(msgspec.json.encode(results), indent=1)
    (folder / "results.json").write_bytes(encoded + b"\n")
    (folder / "RESULTS.md").write_text(_document(results), "utf-8")


def cells(figure: Figure) -> tuple[str, str, str, str, str, str]:
    """A figure as a line of the table."""
    return (
        figure.what,
        figure.work,
        figure.yardstick,
        figure.aim,
        figure.reached,
        "—" if figure.held is None else "held" if figure.held else "missed",
    )


def _document(results: Results) -> str:
    lines = [
        "# What was measured",
        "",
        "Written by `make bench`; how and why: [docs/performance.md](../docs/performance.md).",
        "Each figure is a ratio against a yardstick of the same run, or processor time",
        "(utime + stime) of the processes that did the work.",
        "",
        _line(HEAD),
        _line(("---",) * len(HEAD)),
    ]
    for row in results.rows.values():
        lines += [_line(cells(figure)) for figure in row.figures]
    lines += ["", "## When, and on what", ""]
    for name, row in results.rows.items():
        lines.append(
            f"- {name}: {row.date} UTC, in {row.seconds:.0f} s, load {row.machine['load']}"
        )
    machines = {
        msgspec.json.encode(_steady(row.machine)): row.machine for row in results.rows.values()
    }
    for machine in machines.values():
        lines += ["", *(f"- {name}: {value}" for name, value in _steady(machine).items())]
    return "\n".join(lines) + "\n"


def _steady(machine: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in machine.items() if name != "load"}


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
