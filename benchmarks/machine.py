"""On what the figures were taken."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from pathlib import Path

import asyncpg

from benchmarks.apparatus.figures import ms, percentile

_SYNCS = 100
_PAGE = 8192
PACKAGES = ("aiohttp", "asyncpg", "eventsourcing", "msgspec", "openai", "uvloop")


async def machine(server_url: str, folder: Path) -> dict[str, str]:
    """The processor, the memory, the versions, that the disk is waited for, and how long."""
    connection = await asyncpg.connect(server_url)
    try:
        database = await connection.fetchval("SHOW server_version")
        waits = [await connection.fetchval(f"SHOW {name}") for name in _DURABLE]
    finally:
        await connection.close()
    versions = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    wait = _disk(folder)
    return {
        "processor": f"{len(os.sched_getaffinity(0))} × {_processor()}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": ", ".join(versions),
        "postgresql": f"{database}, "
        + ", ".join(f"{name} {value}" for name, value in zip(_DURABLE, waits, strict=True)),
        "load": f"{os.getloadavg()[0]:.1f}, fdatasync of 8 KiB p50 {ms(percentile(wait, 0.5))}, "
        f"p99 {ms(percentile(wait, 0.99))} when it began",
    }


_DURABLE = ("fsync", "synchronous_commit", "full_page_writes")


def _disk(folder: Path) -> list[float]:
    """How long the disk takes, in seconds: what every commit waits for."""
    taken = []
    with (folder / "disk").open("wb", buffering=0) as file:
        file.write(bytes(_SYNCS * _PAGE))
        os.fsync(file)
        for place in range(_SYNCS):
            os.pwrite(file.fileno(), b"\1" * _PAGE, place * _PAGE)
            began = time.perf_counter()
            os.fdatasync(file)
            taken.append(time.perf_counter() - began)
    return taken


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
