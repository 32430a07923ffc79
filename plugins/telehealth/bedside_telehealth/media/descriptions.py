"""The session descriptions of strangers, read strictly and written anew: aiortc never sees a line that a client wrote.

Only what forwarding needs is taken over. Unknown lines are left out (browsers differ and grow), known ones that are
wrong refuse the whole. What a description may say depends on what was granted or offered: the caller checks that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from bedside_telehealth.media import candidates
from bedside_telehealth.media.candidates import Address
from bedside_telehealth.media.engine import MediaRefused, Why

MOST_CHARACTERS = 64_000
MOST_LINES = 2_500
MOST_SECTIONS = 200
_LONGEST_LINE = 2_000

_M = re.compile(r"m=(\S{1,16}) (\d{1,5}) (\S{1,32}) ([ -~]{1,400})", re.ASCII)
_ATTRIBUTE = re.compile(r"a=([a-z0-9-]{1,40})(?::(.*))?", re.ASCII)
_RTPMAP = re.compile(r"(\d{1,3}) ([A-Za-z0-9_.-]{1,40})/(\d{3,6})(?:/(\d))?", re.ASCII)
_FMTP = re.compile(r"(\d{1,3}) ([!-~ ]{1,500})", re.ASCII)
_SSRC = re.compile(r"(\d{1,10})(?: .*)?", re.ASCII)
_FLOW = re.compile(r"FID (\d{1,10}) (\d{1,10})", re.ASCII)
_FINGERPRINT = re.compile(r"(sha-256|sha-384|sha-512) ((?:[0-9A-F]{2}:){31,63}[0-9A-F]{2})", re.ASCII | re.IGNORECASE)
_TRANSPORT = {
    "ice-ufrag": re.compile(r"[A-Za-z0-9+/]{4,256}", re.ASCII),
    "ice-pwd": re.compile(r"[A-Za-z0-9+/]{22,256}", re.ASCII),
    "setup": re.compile(r"actpass|active|passive", re.ASCII),
}
_MID = re.compile(r"[A-Za-z0-9_.-]{1,16}", re.ASCII)
_DIRECTIONS = frozenset({"sendrecv", "sendonly", "recvonly", "inactive"})
_CLOCKS = {"opus": 48_000, "vp8": 90_000, "h264": 90_000, "rtx": 90_000}
_FEEDBACK = ("nack", "nack pli", "goog-remb")


@dataclass(slots=True)
class Section:
    """One m-line, as far as it counts here."""

    kind: str
    mid: str = ""
    direction: str = "sendrecv"
    mux: bool = False
    bundle_only: bool = False
    port: int = 9
    formats: list[int] = field(default_factory=list[int])
    codecs: dict[int, tuple[str, int]] = field(default_factory=dict[int, tuple[str, int]])
    parameters: dict[int, str] = field(default_factory=dict[int, str])
    ssrcs: list[int] = field(default_factory=list[int])
    flows: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    layered: bool = False
    payload: tuple[int, str] = (0, "")
    """The one codec that is taken: payload type and lower-case name."""
    repair: int | None = None
    """The payload type of its retransmissions."""

    @property
    def sends(self) -> bool:
        """Whether the browser sends on it."""
        return self.direction in {"sendrecv", "sendonly"}

    def streams(self) -> tuple[int, int | None]:
        """Return the SSRC of the media and that of its retransmissions.

        Raises:
            MediaRefused: none, several layers, or more than can be told apart.
        """
        distinct = list(dict.fromkeys(self.ssrcs))
        if self.layered or not distinct or len(distinct) > 2:
            raise MediaRefused(Why.TRACKS, "Each line sends one stream, told by its SSRC, and no layers.")
        if len(distinct) == 1:
            return distinct[0], None
        if len(self.flows) != 1 or set(self.flows[0]) != set(distinct):
            raise MediaRefused(Why.TRACKS, "Each line sends one stream, told by its SSRC, and no layers.")
        return self.flows[0]

    def choose(self) -> None:
        """Take the one codec that is forwarded, VP8 before H.264: every browser has it.

        Raises:
            MediaRefused: there is none.
        """
        wanted = ("opus",) if self.kind == "audio" else ("vp8", "h264")
        for name in wanted:
            for payload in self.formats:
                if not 96 <= payload <= 127 or self.codecs.get(payload) != (name, _CLOCKS[name]):
                    continue
                if name == "h264" and not self._plain(payload):
                    continue
                self.payload = payload, name
                self.repair = next((each for each in self.formats if self._repairs(each, payload)), None)
                return
        raise MediaRefused(Why.CODEC, "Opus, VP8 and H.264 (constrained baseline) are forwarded; this line has none.")

    def _plain(self, payload: int) -> bool:
        said = {part.strip().lower() for part in self.parameters.get(payload, "").split(";")}
        return "packetization-mode=1" in said and any(part.startswith("profile-level-id=42e0") for part in said)

    def _repairs(self, candidate: int, payload: int) -> bool:
        return (
            96 <= candidate <= 127
            and self.codecs.get(candidate) == ("rtx", _CLOCKS["rtx"])
            and self.parameters.get(candidate, "").replace(" ", "") == f"apt={payload}"
        )

    def lines(self) -> list[str]:
        """Return the section as aiortc reads it."""
        payload, name = self.payload
        shown = {"opus": "opus/48000/2", "vp8": "VP8/90000", "h264": "H264/90000"}[name]
        formats = [payload] if self.repair is None else [payload, self.repair]
        written = [
            f"m={self.kind} 9 UDP/TLS/RTP/SAVPF {' '.join(map(str, formats))}",
            "c=IN IP4 0.0.0.0",
            f"a=mid:{self.mid}",
            f"a={self.direction}",
            "a=rtcp:9 IN IP4 0.0.0.0",
            "a=rtcp-mux",
            f"a=rtpmap:{payload} {shown}",
        ]
        if name == "h264":
            written.append(f"a=fmtp:{payload} level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f")
        if self.kind == "video":
            written += [f"a=rtcp-fb:{payload} {each}" for each in _FEEDBACK]
        if self.repair is not None:
            written += [f"a=rtpmap:{self.repair} rtx/90000", f"a=fmtp:{self.repair} apt={payload}"]
        return written


@dataclass(slots=True)
class Description:
    """A session description of one bundled transport."""

    sections: list[Section] = field(default_factory=list[Section])
    transport: dict[str, str] = field(default_factory=dict[str, str])
    """ice-ufrag, ice-pwd, setup and fingerprint, which all lines share."""
    addresses: list[Address] = field(default_factory=list[Address])
    bundled: tuple[str, ...] = ()

    @property
    def identity(self) -> tuple[str, str]:
        """What tells one connection of a browser from its next."""
        return self.transport["fingerprint"], self.transport["ice-ufrag"]

    def text(self) -> str:
        """Return it as aiortc reads it."""
        written = ["v=0", "o=- 0 0 IN IP4 0.0.0.0", "s=-", "t=0 0"]
        written.append("a=group:BUNDLE " + " ".join(section.mid for section in self.sections))
        written += [f"a={name}:{value}" for name, value in self.transport.items()]
        for section in self.sections:
            written += section.lines()
            if section is self.sections[0]:
                written += [f"a={address.line()}" for address in self.addresses]
        return "\r\n".join(written) + "\r\n"


def read_offer(sdp: str, *, on_loopback: bool) -> Description:
    """Return a browser's offer of what it sends: lines that flow to us or are inactive, each with its streams.

    Raises:
        MediaRefused: too large, malformed, a data channel, a line that only receives, no codec of ours.
    """
    offer = _read(sdp, on_loopback)
    if offer.transport["setup"] != "actpass":
        raise MediaRefused(Why.MALFORMED, "An offer leaves the DTLS role open (actpass).")
    taken = set[int]()
    for section in offer.sections:
        if section.direction == "recvonly":
            raise MediaRefused(Why.DIRECTION, "What is received is offered by the server, on the other connection.")
        if section.sends:
            section.direction = "sendonly"
            streams = {ssrc for ssrc in section.streams() if ssrc is not None}
            if streams & taken:
                raise MediaRefused(Why.TRACKS, "Two lines have the same SSRC.")
            taken |= streams
    return offer


def read_answer(sdp: str, offered: Sequence[tuple[str, str, str]], *, on_loopback: bool) -> Description:
    """Return a browser's answer to our offer, which nothing may flow up by.

    Args:
        sdp: the answer.
        offered: mid, kind and direction of each of our lines, in their order.
        on_loopback: whether this server listens on loopback addresses.

    Raises:
        MediaRefused: other lines than ours, a line that sends, or what `read_offer` refuses too.
    """
    answer = _read(sdp, on_loopback)
    if answer.transport["setup"] == "actpass":
        raise MediaRefused(Why.MALFORMED, "An answer takes a DTLS role (active or passive).")
    if [(section.mid, section.kind) for section in answer.sections] != [(mid, kind) for mid, kind, _ in offered]:
        raise MediaRefused(Why.TRACKS, "An answer has the lines of its offer, in their order.")
    for section, (_, _, direction) in zip(answer.sections, offered, strict=True):
        if section.direction not in ({"recvonly", "inactive"} if direction == "sendonly" else {"inactive"}):
            raise MediaRefused(Why.DIRECTION, "A line that the server sends on is received, or inactive.")
    return answer


def _read(sdp: str, on_loopback: bool) -> Description:
    if len(sdp) > MOST_CHARACTERS:
        raise MediaRefused(Why.SIZE, f"A session description has {MOST_CHARACTERS} characters at most.")
    lines = sdp.replace("\r\n", "\n").rstrip("\n").split("\n")
    if len(lines) > MOST_LINES or any(len(line) > _LONGEST_LINE for line in lines):
        raise MediaRefused(Why.SIZE, "A session description has fewer and shorter lines.")
    if lines[0] != "v=0" or not all(line.isprintable() and line[1:2] == "=" for line in lines):
        raise _malformed("its lines")
    read = Description()
    for line in lines:
        if line.startswith("m="):
            if len(read.sections) == MOST_SECTIONS:
                raise MediaRefused(Why.SIZE, f"A session description has {MOST_SECTIONS} lines of media at most.")
            read.sections.append(_section(line))
        elif line.startswith("a="):
            found = _ATTRIBUTE.fullmatch(line)
            if found is not None:
                _attribute(read, found[1], found[2] or "", on_loopback)
    _complete(read)
    return read


def _malformed(what: str) -> MediaRefused:
    return MediaRefused(Why.MALFORMED, f"That is no session description as browsers write it: {what}.")


def _section(line: str) -> Section:
    found = _M.fullmatch(line)
    if found is None:
        raise _malformed("a line of media")
    if found[1] == "application":
        raise MediaRefused(Why.DATA, "There are no data channels in a call.")
    if found[1] not in {"audio", "video"} or found[3] != "UDP/TLS/RTP/SAVPF":
        raise _malformed("a line of media")
    formats = found[4].split()
    if len(formats) > 100 or not all(each.isascii() and each.isdigit() and int(each) < 128 for each in formats):
        raise _malformed("its formats")
    return Section(found[1], port=int(found[2]), formats=[int(each) for each in formats])


def _attribute(read: Description, name: str, value: str, on_loopback: bool) -> None:
    if name == "fingerprint":
        _fingerprint(read, value)
    elif name in _TRANSPORT:
        if _TRANSPORT[name].fullmatch(value) is None:
            raise _malformed(name)
        if read.transport.setdefault(name, value) != value:
            raise _malformed(f"{name}, of which there is one for all lines")
    elif name == "group" and value.startswith("BUNDLE"):
        read.bundled = tuple(value.split()[1:])
    elif not read.sections:
        return
    elif name == "candidate":
        address = candidates.read(f"candidate:{value}", on_loopback=on_loopback)
        if address is not None and address not in read.addresses:
            read.addresses.append(address)
            if len(read.addresses) > candidates.MOST:
                raise MediaRefused(Why.SIZE, f"A connection has {candidates.MOST} candidates at most.")
    else:
        _line(read.sections[-1], name, value)


def _fingerprint(read: Description, value: str) -> None:
    """Keep the first of a certificate's fingerprints; others are of the same by another hash."""
    algorithm = value.split(" ")[0].lower()
    if algorithm not in {"sha-256", "sha-384", "sha-512"}:
        return
    if _FINGERPRINT.fullmatch(value) is None:
        raise _malformed("fingerprint")
    kept = read.transport.setdefault("fingerprint", value)
    if kept.split(" ")[0].lower() == algorithm and kept != value:
        raise _malformed("fingerprint, of which there is one for all lines")


def _line(section: Section, name: str, value: str) -> None:
    if name in _DIRECTIONS:
        section.direction = name
    elif name == "mid":
        section.mid = _matched(_MID, value, name)[0]
    elif name == "rtcp-mux":
        section.mux = True
    elif name == "bundle-only":
        section.bundle_only = True
    elif name in {"simulcast", "rid"}:
        section.layered = True
    elif name == "rtpmap":
        found = _matched(_RTPMAP, value, name)
        section.codecs[int(found[1])] = found[2].lower(), int(found[3])
    elif name == "fmtp":
        found = _matched(_FMTP, value, name)
        section.parameters[int(found[1])] = found[2]
    elif name == "ssrc":
        ssrc = int(_matched(_SSRC, value, name)[1])
        if not 0 < ssrc <= 0xFFFFFFFF:
            raise _malformed(name)
        if ssrc not in section.ssrcs:
            section.ssrcs.append(ssrc)
    elif name == "ssrc-group":
        if value.startswith("SIM"):
            section.layered = True
        elif value.startswith("FID "):
            found = _matched(_FLOW, value, name)
            section.flows.append((int(found[1]), int(found[2])))


def _matched(pattern: re.Pattern[str], value: str, name: str) -> re.Match[str]:
    found = pattern.fullmatch(value)
    if found is None:
        raise _malformed(name)
    return found


def _complete(read: Description) -> None:
    mids = [section.mid for section in read.sections]
    if not mids or "" in mids or len(set(mids)) != len(mids):
        raise _malformed("lines of media, each with a mid of its own")
    if {*_TRANSPORT, "fingerprint"} - set(read.transport):
        raise _malformed("ICE and DTLS of its transport")
    if not set(mids) <= set(read.bundled) or not all(section.mux for section in read.sections):
        raise _malformed("one transport for all (BUNDLE, rtcp-mux)")
    for section in read.sections:
        if section.port == 0 and not section.bundle_only:
            section.direction = "inactive"
        section.choose()
