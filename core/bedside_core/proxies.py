"""What proxies in front say of who asks: believed from those alone that the operator trusts, and from nobody else.

A client can send every one of these headers itself. What it sent is followed by what each proxy adds, so the list is
read from its right end, and the first address that is no trusted proxy's is the client's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Literal

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
Style = Literal["x-forwarded", "forwarded"]
"""`X-Forwarded-For`, `-Proto` and `-Host`, or `Forwarded` (RFC 7239). A proxy overwrites those it knows and lets
the others through as the client sent them, so one of the two is believed, never both."""

_PAIR = re.compile(r'\s*([a-zA-Z]+)=("(?:[^"\\]|\\.)*"|[^;,"\s]*)\s*')
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?")
_MOST = 64
"""Elements of a list that are looked at, from its right end."""


@dataclass(frozen=True)
class Said:
    """One proxy's words; None where it did not say, or nothing that can be understood."""

    address: Address | None = None
    scheme: str | None = None
    host: str | None = None


def look_through(scope: dict[str, Any], trusted: Sequence[Network], style: Style) -> None:
    """Put who really asks, by which scheme and for which host, into an ASGI scope, as far as trusted proxies say so.

    Args:
        scope: of a request or socket; `client`, `scheme` and the Host header are changed.
        trusted: where proxies are.
        style: which headers they write.
    """
    peer = _address(scope["client"][0]) if scope.get("client") else None
    if peer is None or not _within(peer, trusted):
        return
    steps = (_forwarded if style == "forwarded" else _x_forwarded)(scope["headers"])
    client, last = peer, None
    for said in steps:  # from the nearest proxy outwards
        last = said
        if said.address is None:
            break  # what lies beyond somebody who does not say from whom it has it is anybody's word
        client = said.address
        if not _within(client, trusted):
            break
    scope["client"] = (str(client), 0 if client != peer else scope["client"][1])
    if last is None:
        return
    if last.scheme is not None:
        scope["scheme"] = {"https": "wss", "http": "ws"}[last.scheme] if scope["type"] == "websocket" else last.scheme
    if last.host is not None:
        kept = [(name, value) for name, value in scope["headers"] if name.lower() != b"host"]
        scope["headers"] = [*kept, (b"host", last.host.encode())]


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


def _address(text: str) -> Address | None:
    """Return the address in a word such as `203.0.113.7`, `203.0.113.7:4711`, `[2001:db8::1]:4711`, `2001:db8::1`."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def _values(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> list[str]:
    """Return a header's values: of several lines one list, in order."""
    return [value.decode("latin-1") for name, value in headers if name.lower() == wanted]


def _x_forwarded(headers: Iterable[tuple[bytes, bytes]]) -> list[Said]:
    headers = list(headers)

    def told(name: bytes) -> list[str]:
        return [item.strip() for item in ",".join(_values(headers, name)).split(",")][-_MOST:]

    addresses = told(b"x-forwarded-for")
    # The nearest proxy's word on these two; those before it have no place in a list of theirs.
    scheme, host = _scheme(told(b"x-forwarded-proto")[-1]), _host(told(b"x-forwarded-host")[-1])
    return [Said(_address(text), scheme, host) for text in reversed(addresses)]


def _forwarded(headers: Iterable[tuple[bytes, bytes]]) -> list[Said]:
    found: list[Said] = []
    for element in _elements(",".join(_values(headers, b"forwarded")))[-_MOST:]:
        pairs = {name.lower(): _unquoted(value) for name, value in _PAIR.findall(element)}
        found.append(
            Said(_address(pairs.get("for", "")), _scheme(pairs.get("proto", "")), _host(pairs.get("host", "")))
        )
    return found[::-1]


def _elements(text: str) -> list[str]:
    """Split at the commas that stand outside of quotation marks; where those do not match, nothing is believed."""
    parts = re.findall(r'(?:"(?:[^"\\]|\\.)*"|[^,"])+', text)
    return parts if '"' not in re.sub(r'"(?:[^"\\]|\\.)*"', "", text) else []


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def _scheme(text: str) -> str | None:
    return text.lower() if text.lower() in {"http", "https"} else None


def _host(text: str) -> str | None:
    return text if _HOST.fullmatch(text) else None


@lru_cache(maxsize=4096)
def network(client_address: str) -> str:
    """Return an address; of IPv6 its /64, since one line has that many to choose from."""
    try:
        address = ip_address(client_address)
    except ValueError:
        return client_address
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address)
