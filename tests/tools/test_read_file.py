"""readFile tells text as it is, a bounded part of it at a time."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import tracemalloc
from pathlib import Path

import pytest

from tests.tools.calls import call, refusal
from turnlog.adapters.tools import ReadFile
from turnlog.adapters.tools.output import BYTES_LIMIT
from turnlog.adapters.tools.read_file import LONGEST_LINE

TEN_GB = 10 * 1024**3
NOTE = 200


def write(folder: Path, text: str | bytes, name: str = "a.txt") -> str:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


@pytest.mark.parametrize(
    "text",
    [
        "one\ntwo\n",
        "no newline at the end",
        "\n\n  indented\t\n",
        "dos\r\nlines\r\n",
        "größer 😀\n",
    ],
)
async def test_a_small_file_is_told_exactly_as_it_is(
    folder: Path, read_file: ReadFile, text: str
) -> None:
    assert await call(read_file, filePath=write(folder, text)) == text


async def test_an_empty_file_is_said_to_be_empty(folder: Path, read_file: ReadFile) -> None:
    assert await call(read_file, filePath=write(folder, "")) == "[The file is empty.]"


async def test_some_lines_come_with_a_word_on_how_to_go_on(
    folder: Path, read_file: ReadFile
) -> None:
    path = write(folder, "1\n2\n3\n4\n5")
    assert await call(read_file, filePath=path, offset=2, limit=2) == (
        "2\n3\n[Lines 2-3 of a file of 9 bytes; there is more: continue with offset 4.]"
    )
    assert await call(read_file, filePath=path, offset=4, limit=2) == (
        "4\n5\n[Lines 4-5, the end of the file.]"
    )
    assert await call(read_file, filePath=path, limit=5) == "1\n2\n3\n4\n5"


async def test_going_on_as_the_notes_say_reads_all_of_a_long_file(
    folder: Path, read_file: ReadFile
) -> None:
    text = "".join(f"line {number} {'é' * (number % 90)}\n" for number in range(1, 5000))
    path, pieces, offset = write(folder, text), [], 1
    while True:
        told = await call(read_file, filePath=path, offset=offset, limit=10_000)
        assert len(told.encode()) <= BYTES_LIMIT + NOTE
        lines, _, note = told.rpartition("[Lines")
        pieces.append(lines)
        more = re.search(r"continue with offset (\d+)", note)
        if more is None:
            break
        offset = int(more[1])
    assert len(pieces) > 2
    assert "".join(pieces) == text


async def test_a_line_beyond_the_end_is_refused_with_the_last_one(
    folder: Path, read_file: ReadFile
) -> None:
    told = await refusal(read_file, filePath=write(folder, "1\n2\n"), offset=3)
    assert told == "'a.txt' ends with line 2."


async def test_of_a_long_line_the_beginning_is_told_and_then_the_next_line(
    folder: Path, read_file: ReadFile
) -> None:
    path = write(folder, f"x{'é' * LONGEST_LINE}\nnext\n")
    first, second = (await call(read_file, filePath=path)).splitlines()
    assert first.startswith("xéé")
    assert first.endswith("é… [cut: this line is longer than 8,192 bytes]")
    assert second == "next"


async def test_of_a_file_of_ten_gigabytes_only_what_is_asked_for_is_read(
    folder: Path, read_file: ReadFile
) -> None:
    path = write(folder, f"first\n{'x' * 9000}")
    os.truncate(folder / path, TEN_GB)
    before = bytes_read()
    tracemalloc.start()
    try:
        told = await call(read_file, filePath=path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert told.startswith("first\nxxx")
    assert "there is more: continue with offset 3" in told
    assert peak < 2 * 1024**2
    assert bytes_read() - before < 100 * 1024**2
    assert "was not reached" in await refusal(read_file, filePath=path, offset=3)


def bytes_read() -> int:
    """By this process, ever."""
    (found,) = re.findall(r"rchar: (\d+)", Path("/proc/self/io").read_text())
    return int(found)


@pytest.mark.parametrize(
    "data",
    [b"\x7fELF\x02\x01\0\0", "UTF-16 text".encode("utf-16"), bytes(range(128, 256)) * 9, b"\1\2\3"],
)
async def test_a_binary_file_is_refused_with_its_size(
    folder: Path, read_file: ReadFile, data: bytes
) -> None:
    told = await refusal(read_file, filePath=write(folder, data))
    assert told == f"'a.txt' is a binary file of {len(data):,} bytes, not text."


async def test_what_is_not_utf8_in_a_text_is_replaced(folder: Path, read_file: ReadFile) -> None:
    latin = write(folder, "Die Größe der Tür\n".encode("latin-1"))
    assert await call(read_file, filePath=latin) == "Die Gr��e der T�r\n"
    late_nul = write(folder, b"line\n" * 3000 + b"a\0b\n")
    assert await call(read_file, filePath=late_nul, offset=3001) == (
        "a�b\n[Lines 3001-3001, the end of the file.]"
    )


async def test_a_file_may_have_a_name_that_is_not_utf8(folder: Path, read_file: ReadFile) -> None:
    path = write(folder, "coffee", name=os.fsdecode(b"caf\xe9"))
    assert await call(read_file, filePath=path) == "coffee"
    told = await refusal(read_file, filePath=os.fsdecode(b"th\xe9"))
    assert told.startswith("There is no 'th�' in the workspace.")


async def test_a_pipe_is_refused_and_not_waited_for(folder: Path, read_file: ReadFile) -> None:
    os.mkfifo(folder / "pipe")
    async with asyncio.timeout(5):
        assert "no regular file" in await refusal(read_file, filePath="pipe")


async def test_a_socket_is_refused(
    folder: Path, read_file: ReadFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        assert "no regular file" in await refusal(read_file, filePath="socket")


async def test_what_is_no_file_is_refused_with_a_way_on(folder: Path, read_file: ReadFile) -> None:
    (folder / "src").mkdir()
    write(folder, "text")
    assert "Use listFiles" in await refusal(read_file, filePath="src")
    assert "Use listFiles" in await refusal(read_file, filePath="")
    assert "There is no 'src/b'" in await refusal(read_file, filePath="src/b")
    assert "is not a folder" in await refusal(read_file, filePath="a.txt/b")


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ({}, "missing required field `filePath`"),
        ({"filePath": "a.txt", "lines": 3}, "unknown field `lines`"),
        ({"filePath": "a.txt", "offset": 0}, "`int` >= 1 - at `$.offset`"),
        ({"filePath": ["a.txt"]}, "Expected `str`, got `array` - at `$.filePath`"),
    ],
)
async def test_wrong_arguments_are_refused_by_name(
    read_file: ReadFile, arguments: dict[str, object], wrong: str
) -> None:
    told = await refusal(read_file, **arguments)
    assert told.startswith("readFile did not run, its arguments are wrong: ")
    assert wrong in told


async def test_null_means_left_out(folder: Path, read_file: ReadFile) -> None:
    assert await call(read_file, filePath=write(folder, "a"), offset=None, limit=None) == "a"
