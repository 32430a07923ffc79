"""One source on its way to one receiver: its own numbers and times, and what the receiver asks for again."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_telehealth.media import wire
from bedside_telehealth.media.engine import LegStats, What

if TYPE_CHECKING:
    from bedside_telehealth.media.path import MediaPath
    from bedside_telehealth.media.source import Source

REPEATS_A_SECOND = 300
"""Packets that one receiver of one stream may have again each second: a burst lost whole, but no flood."""
_STEP = {True: 3_000, False: 960}
"""RTP time between two sources on one leg: about a frame."""


class Leg:
    """One line of a receiving connection; sources come and go on it, and the receiver sees one stream without a break.

    Args:
        path: the receiver's connection.
        ssrc: that of the stream, which the line was offered with.
        repair_ssrc: that of its retransmissions.
        payload: its payload type.
        repair_payload: that of its retransmissions, if the codec has them.
    """

    __slots__ = (
        "_budget",
        "_first",
        "_jitter",
        "_last",
        "_last_stamp",
        "_loss",
        "_reported",
        "_round_trip",
        "number_offset",
        "octets",
        "packets",
        "path",
        "payload",
        "pending",
        "repair_number",
        "repair_payload",
        "repair_ssrc",
        "repeated",
        "source",
        "ssrc",
        "stamp_offset",
    )

    def __init__(self, path: MediaPath, ssrc: int, repair_ssrc: int, payload: int, repair_payload: int | None) -> None:
        self.path, self.ssrc, self.repair_ssrc = path, ssrc, repair_ssrc
        self.payload, self.repair_payload = payload, repair_payload
        self.source: Source | None = None
        self.pending = True
        self.number_offset = self.stamp_offset = 0
        self.packets = self.octets = self.repeated = 0
        # Lower half: SRTP takes a first number near the end for one before the start.
        self.repair_number = random.getrandbits(15)
        self._last = random.getrandbits(15)
        self._first = 0
        self._last_stamp = random.getrandbits(32)
        self._budget = REPEATS_A_SECOND
        self._reported: dict[int, float] = {}
        self._loss = self._jitter = 0.0
        self._round_trip: float | None = None

    def attach(self, source: Source) -> None:
        """Take a source's packets from now on, and no other's."""
        if self.source is not source:
            self.detach()
            self.source, self.pending = source, True
            source.add(self)

    def detach(self) -> None:
        """Take no more packets."""
        source, self.source = self.source, None
        if source is not None:
            source.remove(self)

    def align(self, number: int, stamp: int) -> None:
        """Continue our own numbers and times with a source whose next packet has these."""
        self._first = (self._last + 1) & 0xFFFF
        self.number_offset = (self._first - number) & 0xFFFF
        step = _STEP[self.source is not None and self.source.video]
        self.stamp_offset = (self._last_stamp + step - stamp) & 0xFFFFFFFF
        self.pending = False

    def sent(self, number: int, stamp: int, octets: int) -> None:
        """Count a packet that left under this number."""
        self.packets += 1
        self.octets += octets
        if (number - self._last) & 0xFFFF < 0x8000:
            self._last, self._last_stamp = number, stamp + self.stamp_offset

    def repeat(self, number: int) -> None:
        """Send a packet again that left under this number, unless it is too old, of an earlier source, or too many."""
        source = self.source
        if source is None or self.pending or self._budget <= 0 or (number - self._first) & 0xFFFF >= 0x8000:
            return
        found = source.kept((number - self.number_offset) & 0xFFFF)
        if found is None:
            return
        self._budget -= 1
        self.repeated += 1
        _, first, mark, stamp, tail = found
        stamp = (stamp + self.stamp_offset) & 0xFFFFFFFF
        if self.repair_payload is None:
            self.path.send_rtp(wire.HEADER.pack(first, mark | self.payload, number, stamp, self.ssrc) + tail)
            return
        header = wire.HEADER.pack(first, mark | self.repair_payload, self.repair_number, stamp, self.repair_ssrc)
        self.repair_number = (self.repair_number + 1) & 0xFFFF
        extension = 8 if first & 0x10 else 0
        self.path.send_rtp(header + tail[:extension] + wire.SHORT.pack(number) + tail[extension:])

    def report(self, info: wire.SenderInfo) -> None:
        """Tell the receiver what the publisher said of its times."""
        if self.pending:
            return
        self._reported[info.middle] = time.monotonic()
        if len(self._reported) > 8:
            del self._reported[next(iter(self._reported))]
        self.path.send_rtcp(
            wire.sender_report(self.ssrc, info, info.rtp + self.stamp_offset, self.packets, self.octets)
        )

    def told(self, report: wire.Report) -> None:
        """Keep what the receiver reports (T18)."""
        clock = 90_000 if self.source is None or self.source.video else 48_000
        self._loss, self._jitter = report.fraction / 256, report.jitter / clock
        sent_at = self._reported.get(report.last)
        if sent_at is not None:
            self._round_trip = max(0.0, time.monotonic() - sent_at - report.since / 65_536)

    def tick(self) -> None:
        """Once a second: packets may be asked for again."""
        self._budget = REPEATS_A_SECOND

    def stats(self, seat: UUID, what: What) -> LegStats:
        """Return its figures, for the seat whose track it carries."""
        return LegStats(
            seat, what, self.packets, self.octets, self.repeated, self._loss, self._jitter, self._round_trip
        )
