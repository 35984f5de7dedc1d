"""Which addresses a server may send to on behalf of strangers: those of the public internet.

Who may name a URL could otherwise have the server talk to its own machine and network
(server-side request forgery). A name is looked up when the connection is made, and its
address looked at then: a name that changes its address in between gains nothing.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

_NAT64 = IPv6Network("64:ff9b::/96")


class PrivateAddress(OSError):
    """The address is not on the public internet."""


def is_public(address: str) -> bool:
    """Whether an address, not a name, is on the public internet."""
    ip = ip_address(address.partition("%")[0])
    embedded = _embedded(ip) if isinstance(ip, IPv6Address) else None
    if embedded is not None:
        ip = embedded
    return ip.is_global and not ip.is_multicast


def _embedded(ip: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address leads to."""
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)


class PublicResolver(AbstractResolver):
    """Looks names up, and knows public addresses only; raises `PrivateAddress`."""

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if not all(is_public(each["host"]) for each in found):
            raise PrivateAddress(f"{host} is an address of a private network")
        return found

    async def close(self) -> None:
        await self._resolver.close()
