"""One ICE candidate of a stranger, read strictly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address

from bedside_telehealth.media.engine import MediaRefused, Why

MOST_CHARACTERS = 2_000
MOST = 32
"""Candidates that one connection takes in its life; browsers have about a dozen."""

_LINE = re.compile(
    r"(?:a=)?candidate:(?P<foundation>[A-Za-z0-9+/-]{1,32}) (?P<component>[0-9]{1,3}) (?P<transport>[A-Za-z]{3,8})"
    r" (?P<priority>[0-9]{1,10}) (?P<host>[A-Za-z0-9.:-]{1,255}) (?P<port>[0-9]{1,5})"
    r" typ (?P<type>host|srflx|prflx|relay)(?: [\x21-\x7e]+)*",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a browser may be reached."""

    foundation: str
    priority: int
    host: str
    port: int
    type: str

    def line(self) -> str:
        """Return it as a line of a session description, without what nobody needs."""
        return f"candidate:{self.foundation} 1 udp {self.priority} {self.host} {self.port} typ {self.type}"


def read(line: str, *, on_loopback: bool) -> Address | None:
    """Return the address, or None for one that is of no use here: a `.local` name, TCP, RTCP's own, an unlikely place.

    A name under `.local` would cost a second of multicast each, and discovery finds the browser without (it speaks
    first). Loopback and link-local addresses are where our own services are, not browsers.

    Args:
        line: as the browser trickles it; empty means that no more follow.
        on_loopback: whether this server listens there.

    Raises:
        MediaRefused: it is too long, or no candidate.
    """
    if len(line) > MOST_CHARACTERS:
        raise MediaRefused(Why.SIZE, f"A candidate has {MOST_CHARACTERS} characters at most.")
    line = line.strip()
    if line in {"", "candidate:", "end-of-candidates"}:
        return None
    found = _LINE.fullmatch(line)
    if found is None:
        raise MediaRefused(Why.MALFORMED, "That is no ICE candidate.")
    port, priority = int(found["port"]), int(found["priority"])
    if port > 65535 or priority > 0xFFFFFFFF:
        raise MediaRefused(Why.MALFORMED, "That is no ICE candidate.")
    if found["host"].lower().endswith(".local"):
        return None
    try:
        address = ip_address(found["host"])
    except ValueError as exc:
        raise MediaRefused(Why.MALFORMED, "A candidate is an address, not a name.") from exc
    if found["transport"].lower() != "udp" or found["component"] != "1" or found["type"] == "prflx" or port == 0:
        return None
    if address.is_multicast or address.is_unspecified or address.is_link_local or address.is_reserved:
        return None
    if address.is_loopback and not on_loopback:
        return None
    return Address(found["foundation"], priority, str(address), port, found["type"])
