"""Without keys, only this machine may ask: against DNS rebinding and foreign web pages."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from turnlog.http.errors import ForeignCaller


@web.middleware
async def loopback_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a `Host` that is not loopback, and the `Origin` of a page from elsewhere.

    Only HTTP/1.0 may leave `Host` out, and probes do; no browser does.
    """
    host = request.headers.get("Host")
    if host is not None and not _is_loopback(f"//{host}"):
        raise ForeignCaller(header="the Host")
    origin = request.headers.get("Origin")
    if origin is not None and not _is_loopback(origin):
        raise ForeignCaller(header="the Origin")
    return await handler(request)


def _is_loopback(url: str) -> bool:
    try:
        name = (urlsplit(url).hostname or "").removesuffix(".")
        if name == "localhost" or name.endswith(".localhost"):
            return True
        return ip_address(name).is_loopback
    except ValueError:
        return False
