"""nginx with nchan, where Debian's `nginx libnginx-mod-nchan` are installed: one worker."""

from __future__ import annotations

import asyncio
import shutil
import socket
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from benchmarks.apparatus.spent import children, memory_bytes, processor_seconds, wakeups

MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
MISSING = "nginx with nchan is not installed (Debian: apt install nginx libnginx-mod-nchan)"

_CONFIGURATION = """
load_module {module};
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes 1;
worker_rlimit_nofile 16384;
events {{ worker_connections 12000; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location = /pub {{ nchan_publisher; nchan_channel_id $arg_id; }}
        location = /sub {{
            nchan_subscriber eventsource;
            nchan_channel_id $arg_id;
            nchan_subscriber_first_message newest;
        }}
    }}
}}
"""


class Nchan:
    """A running one. Its master does nothing; what is asked of it is asked of its worker."""

    def __init__(self, url: str, worker: int) -> None:
        self.url = url
        self.pid = worker

    def processor_seconds(self) -> float:
        """What it has cost so far."""
        return processor_seconds([self.pid])

    def memory_bytes(self) -> int:
        """What it holds in memory."""
        return memory_bytes(self.pid)

    def wakeups(self) -> int:
        """How often it was woken."""
        return wakeups(self.pid)


def installed() -> bool:
    """Whether it can be started here."""
    return shutil.which("nginx") is not None and MODULE.exists()


@asynccontextmanager
async def nchan(folder: Path) -> AsyncIterator[Nchan]:
    """A server of its own, on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    configuration = _configure(folder, port)
    process = await asyncio.create_subprocess_exec(
        "nginx", "-c", str(configuration), "-p", str(folder), stdout=DEVNULL, stderr=DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        await _answers(url)
        yield Nchan(url, children(process.pid)[0])
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _configure(folder: Path, port: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(module=MODULE, folder=folder, port=port))
    return configuration


async def _answers(url: str) -> None:
    async with asyncio.timeout(10), aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(url):
                    return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)
