"""Requests to where others tell us to go never reach an inner address: it is checked at the moment of connecting."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

Reachable = Callable[[str], bool]
"""Tells of an IP address whether a request may go there."""

_TRANSLATED = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
"""NAT64 (RFC 6052, 8215): the last four bytes are the IPv4 address that it leads to, of the second perhaps others."""
_COMPATIBLE = ipaddress.IPv6Network("::/96")
"""IPv4-compatible (RFC 4291, 2.5.5.1), outdated; with loopback and the unspecified address in it."""

_INNER = (
    ipaddress.ip_network("192.0.0.0/24"),
    ipaddress.ip_network("192.88.99.0/24"),
    ipaddress.ip_network("fec0::/10"),
)
"""What Python takes for global though nothing of the Internet is there: protocols' own, old 6to4 relays, site-local."""


class InnerAddress(OSError):
    """A name leads to an inner address, or to none at all."""


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the Internet: not of this machine, this network or a cloud's own.

    An IPv4 address inside an IPv6 one (mapped, 6to4, Teredo, NAT64) counts like itself. Addresses that are link-local,
    private, shared by carriers (RFC 6598), reserved, for documentation or multicast are none.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(_is_global(each) for each in _within(ip))


def _within(ip: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """Return the addresses that an address leads to."""
    if isinstance(ip, IPv4Address):
        return [ip]
    if ip.ipv4_mapped:
        return [ip.ipv4_mapped]
    if ip.sixtofour:
        return [ip, ip.sixtofour]
    if ip.teredo:
        return [ip, *ip.teredo]
    if any(ip in network for network in _TRANSLATED):
        return [IPv4Address(int(ip) & 0xFFFFFFFF)] if ip in _TRANSLATED[0] else [IPv4Address(0)]
    return [IPv4Address(0)] if ip in _COMPATIBLE else [ip]


def _is_global(ip: IPv4Address | IPv6Address) -> bool:
    if any(ip in network for network in _INNER):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_link_local or ip.is_unspecified)


def is_literal(host: str) -> bool:
    """Tell whether a URL's host is an IP address, for which nothing is resolved."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def host_of(url: str) -> str:
    """Return the host that a request to a URL goes to: what aiohttp makes of it, not what is written there.

    Raises:
        ValueError: it is none in ASCII (other digits and dots would be taken for these), or can't be asked for by name.
    """
    host = URL(url).raw_host if url.isascii() else None
    if not host:
        raise ValueError("no host")
    host.encode("idna")  # as the resolver does it; a label of more than 63 characters is none (RFC 1035, 2.3.4)
    return host


class Outward(AbstractResolver):
    """Resolves names for aiohttp, which connects to what is returned and to nothing else (no DNS rebinding).

    Args:
        reachable: where a request may go.
    """

    def __init__(self, reachable: Reachable = is_public) -> None:
        self._reachable = reachable
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name that may be reached.

        Raises:
            InnerAddress: there is none.
        """
        found = await self._inner.resolve(host, port, family)
        allowed = [result for result in found if self._reachable(result["host"])]
        if not allowed:
            raise InnerAddress(None, "an inner address")
        return allowed

    async def close(self) -> None:
        """Close the resolver."""
        await self._inner.close()
