"""RTP and RTCP as they stand on the wire (RFC 3550, 4585, 4588, REMB): written and read, without any state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from struct import Struct

HEADER = Struct("!BBHII")
SHORT = Struct("!H")
LONG = Struct("!I")
_FEEDBACK = Struct("!BBHII")
_PAIR = Struct("!HH")
_REPORT = Struct("!IIIIII")
_SENDER = Struct("!BBHIIIIII")
_TIMES = Struct("!IIII")

ABS_SEND_TIME = 3
"""The id that aiortc's offers give to abs-send-time; downstream we are the offerer."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a receiver says of one stream."""

    ssrc: int
    fraction: int
    """Share lost since the last report, in 256ths."""
    jitter: int
    """In ticks of the stream's clock."""
    last: int
    """The middle 32 bits of the last sender report's time, or 0."""
    since: int
    """The time since that report, in 65536ths of a second."""


@dataclass(frozen=True, slots=True)
class SenderInfo:
    """What a publisher says of one stream: that this RTP time was that wall time."""

    ssrc: int
    ntp_high: int
    ntp_low: int
    rtp: int

    @property
    def middle(self) -> int:
        """The 32 bits of the time that reports refer to."""
        return (self.ntp_high & 0xFFFF) << 16 | self.ntp_low >> 16


@dataclass(frozen=True, slots=True)
class Lost:
    """A receiver asks for packets again."""

    ssrc: int
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KeyframeWanted:
    """A receiver can't show anything before a whole picture comes."""

    ssrc: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """A receiver says what its network carries, in bits per second."""

    bits: int


Said = Report | SenderInfo | Lost | KeyframeWanted | Estimate


def read(data: bytes) -> Iterator[Said]:
    """Yield what a compound RTCP packet says, as far as it matters here; a cut one ends early."""
    position = 0
    while position + 8 <= len(data):
        first, kind = data[position], data[position + 1]
        end = position + 4 + SHORT.unpack_from(data, position + 2)[0] * 4
        if first >> 6 != 2 or end > len(data) or end < position + 8:
            return
        count = first & 31
        body = data[position:end]
        if kind == 200 and len(body) >= 28:
            yield SenderInfo(*_TIMES.unpack_from(body, 4))
            yield from _reports(body, 28, count)
        elif kind == 201:
            yield from _reports(body, 8, count)
        elif kind == 205 and count == 1 and len(body) >= 16:
            yield Lost(LONG.unpack_from(body, 8)[0], tuple(_numbers(body)))
        elif kind == 206 and count == 1 and len(body) >= 12:
            yield KeyframeWanted(LONG.unpack_from(body, 8)[0])
        elif kind == 206 and count == 4:
            for entry in range(12, len(body) - 7, 8):
                yield KeyframeWanted(LONG.unpack_from(body, entry)[0])
        elif kind == 206 and count == 15 and body[12:16] == b"REMB" and len(body) >= 20:
            mantissa = (body[17] & 3) << 16 | body[18] << 8 | body[19]
            yield Estimate(min(mantissa << (body[17] >> 2), 1 << 40))
        position = end


def _reports(body: bytes, start: int, count: int) -> Iterator[Report]:
    for entry in range(start, min(start + 24 * count, len(body) - 23), 24):
        ssrc, lost, _, jitter, last, since = _REPORT.unpack_from(body, entry)
        yield Report(ssrc, lost >> 24, jitter, last, since)


def _numbers(body: bytes) -> Iterator[int]:
    for entry in range(12, len(body) - 3, 4):
        first, more = _PAIR.unpack_from(body, entry)
        yield first
        for bit in range(16):
            if more >> bit & 1:
                yield (first + bit + 1) & 0xFFFF


def keyframe_request(own: int, ssrc: int) -> bytes:
    """Return a PLI: the publisher shall send a whole picture."""
    return _FEEDBACK.pack(0x81, 206, 2, own, ssrc)


def lost(own: int, ssrc: int, numbers: Sequence[int]) -> bytes:
    """Return a NACK for at most 64 packets."""
    asked = numbers[:64]
    return _FEEDBACK.pack(0x81, 205, 2 + len(asked), own, ssrc) + b"".join(_PAIR.pack(each, 0) for each in asked)


def sender_report(ssrc: int, info: SenderInfo, rtp: int, packets: int, octets: int) -> bytes:
    """Return the publisher's report as one receiver's stream has it: its SSRC, its RTP time, its counts."""
    return _SENDER.pack(
        0x80, 200, 6, ssrc, info.ntp_high, info.ntp_low, rtp & 0xFFFFFFFF, packets & 0xFFFFFFFF, octets & 0xFFFFFFFF
    )


def report_block(ssrc: int, fraction: int, missing: int, highest: int, last: int, since: int) -> bytes:
    """Return one stream's part of a receiver report; jitter is not measured here."""
    missing = max(0, min(missing, 0x7FFFFF))
    return _REPORT.pack(ssrc, fraction << 24 | missing, highest & 0xFFFFFFFF, 0, last, since & 0xFFFFFFFF)


def receiver_report(own: int, blocks: Sequence[bytes]) -> bytes:
    """Return a receiver report of at most 31 streams."""
    blocks = blocks[:31]
    return HEADER.pack(0x80 | len(blocks), 201, 1 + 6 * len(blocks), own, 0)[:8] + b"".join(blocks)


def estimate(own: int, bits: int, ssrcs: Sequence[int]) -> bytes:
    """Return a REMB: what these streams together may take, in bits per second."""
    exponent = max(0, bits.bit_length() - 18)
    mantissa = bits >> exponent
    numbers = bytes((len(ssrcs), exponent << 2 | mantissa >> 16, mantissa >> 8 & 0xFF, mantissa & 0xFF))
    return (
        _FEEDBACK.pack(0x8F, 206, 4 + len(ssrcs), own, 0)
        + b"REMB"
        + numbers
        + b"".join(LONG.pack(ssrc) for ssrc in ssrcs)
    )


def abs_send_time(now: float) -> bytes:
    """Return the header extension that says when the packet left.

    Args:
        now: wall time in seconds; the extension has its last 64 seconds, in 18 binary places.
    """
    return b"\xbe\xde\x00\x01" + LONG.pack((ABS_SEND_TIME << 4 | 2) << 24 | int(now % 64.0 * 262_144) & 0xFFFFFF)
