"""On what the figures were taken."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

import asyncpg

PACKAGES = ("aiohttp", "asyncpg", "eventsourcing", "msgspec", "openai", "uvloop")


async def machine(server_url: str) -> dict[str, str]:
    """The processor, the memory, the versions, and that the disk is waited for."""
    connection = await asyncpg.connect(server_url)
    try:
        database = await connection.fetchval("SHOW server_version")
        waits = [await connection.fetchval(f"SHOW {name}") for name in _DURABLE]
    finally:
        await connection.close()
    versions = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    return {
        "processor": f"{len(os.sched_getaffinity(0))} × {_processor()}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": ", ".join(versions),
        "postgresql": f"{database}, "
        + ", ".join(f"{name} {value}" for name, value in zip(_DURABLE, waits, strict=True)),
        "load": f"{os.getloadavg()[0]:.1f} when it began",
    }


_DURABLE = ("fsync", "synchronous_commit", "full_page_writes")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
