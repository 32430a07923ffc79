"""One published stream: counted, asked for again where it has gaps, and handed to each receiver's leg."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from bedside_telehealth.media import srtp, wire
from bedside_telehealth.media.engine import TrackStats, What

if TYPE_CHECKING:
    from bedside_telehealth.media.leg import Leg
    from bedside_telehealth.media.path import MediaPath

HISTORY = 1_024
"""Packets of a video that are kept to be sent again: some ten seconds."""
KEYFRAME_SECONDS = 0.5
"""At most one request for a keyframe in this time, however many receivers ask."""
JOIN_SECONDS = 0.1
"""The same for who has just joined and sees nothing yet."""
ASK_SECONDS = 0.1
"""Between two requests for the same missing packet."""
FORGET_SECONDS = 2.0
"""After how long a missing packet is of no use to anybody."""
_HIGHEST_OCTETS = {What.AUDIO: 64_000, What.VIDEO: 1_000_000, What.SCREEN: 1_000_000}
"""Octets a second beyond which packets are discarded: several times what browsers send under our estimates."""

_pack = wire.HEADER.pack_into
_protect, _buffer, _view, _length = srtp.protect, srtp.BUFFER, srtp.VIEW, srtp.LENGTH


class Source:
    """One stream that a publisher sends, under one SSRC.

    Args:
        what: what it shows.
        ssrc: by which it is told.
        payload: its payload type; packets of any other are strange.
        codec: lower-case name, which the receivers' lines are offered with.
        path: the connection that it comes by.
    """

    def __init__(self, what: What, ssrc: int, payload: int, codec: str, path: MediaPath) -> None:
        self.what, self.ssrc, self.payload, self.codec, self.path = what, ssrc, payload, codec, path
        self.video = what is not What.AUDIO
        self.legs: tuple[Leg, ...] = ()
        self.received = self.octets = self.discarded = 0
        self.closed = False
        self._highest: int | None = None
        self._cycles = self._base = 0
        self._expected_before = self._received_before = 0
        self._missing = dict[int, float]()
        self._history: list[tuple[int, int, int, int, bytes] | None] = [None] * (HISTORY if self.video else 0)
        self._budget = _HIGHEST_OCTETS[what]
        self._asked = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._again: asyncio.TimerHandle | None = None
        self._heard: wire.SenderInfo | None = None
        self._heard_at = 0.0

    # --- packets -----------------------------------------------------------------------------------

    def packet(self, padded: int, mark: int, number: int, stamp: int, payload: bytes) -> None:
        """Count one packet and send it on to every leg.

        Args:
            padded: the header's padding bit, in place.
            mark: its marker bit, in place.
            number: sequence number.
            stamp: RTP time.
            payload: all behind header and extensions.
        """
        if not self._count(number):
            return
        self.received += 1
        self.octets += len(payload)
        self._budget -= len(payload)
        if self._budget < 0:
            self.discarded += 1
            return
        if self.video:
            tail, first = wire.abs_send_time(time.time()) + payload, 0x90 | padded
            self._history[number % HISTORY] = number, first, mark, stamp, tail
        else:
            tail, first = payload, 0x80 | padded
        size = len(tail) + 12
        for leg in self.legs:
            path = leg.path
            keys = path.sending
            if keys is None:
                continue
            if leg.pending:
                leg.align(number, stamp)
            out = (number + leg.number_offset) & 0xFFFF
            _pack(_view, 0, first, mark | leg.payload, out, (stamp + leg.stamp_offset) & 0xFFFFFFFF, leg.ssrc)
            _view[12:size] = tail
            _length[0] = size
            if _protect(keys.handle, _buffer, _length):
                continue
            path.send(_view[: _length[0]])
            leg.sent(out, stamp, size - 12)

    def missed(self, number: int) -> bool:
        """Return whether this packet is missing, so that its retransmission is welcome."""
        return number in self._missing

    def kept(self, number: int) -> tuple[int, int, int, int, bytes] | None:
        """Return a past packet: number, first octet, marker, RTP time, and all behind the header."""
        found = self._history[number % HISTORY] if self._history else None
        return found if found is not None and found[0] == number else None

    def _count(self, number: int) -> bool:
        """Count a sequence number; False for one that came before."""
        highest = self._highest
        if highest is None:
            self._base = self._highest = number
            return True
        ahead = (number - highest) & 0xFFFF
        if ahead == 0:
            return False
        if ahead < 0x8000:
            if number < highest:
                self._cycles += 65_536
            self._highest = number
            if ahead > 1 and self.video:
                if ahead < 256:
                    gap = [(highest + step) & 0xFFFF for step in range(1, ahead)]
                    self._missing.update(dict.fromkeys(gap, time.monotonic()))
                    self._ask(gap)
                else:
                    self._missing.clear()
            return True
        if self.video:
            return self._missing.pop(number, None) is not None or self.kept(number) is None
        return True

    def _ask(self, numbers: list[int]) -> None:
        """Ask for packets again, and once more a little later: what is asked for is lost as easily."""
        self.path.send_rtcp(wire.lost(self.path.own_ssrc, self.ssrc, numbers))
        if self._again is None:
            self._again = asyncio.get_running_loop().call_later(ASK_SECONDS, self._ask_again)

    def _ask_again(self) -> None:
        self._again = None
        now = time.monotonic()
        self._missing = {number: at for number, at in self._missing.items() if now - at < FORGET_SECONDS}
        if self._missing and not self.closed:
            self._ask(list(self._missing))

    # --- receivers ---------------------------------------------------------------------------------

    def add(self, leg: Leg) -> None:
        """Send to one more receiver, from the next packet on."""
        if not self.closed and leg not in self.legs:
            self.legs = (*self.legs, leg)
            if leg.path.sending is not None:  # else its picture would be lost, and browsers make no second one so soon
                self.want_keyframe(JOIN_SECONDS)

    def remove(self, leg: Leg) -> None:
        """Send nothing more to a receiver."""
        self.legs = tuple(each for each in self.legs if each is not leg)

    def close(self) -> None:
        """Cut every receiver off, for good."""
        self.closed = True
        for leg in self.legs:
            leg.detach()
        self.legs = ()
        self._history = [None] * len(self._history)
        for timer in (self._timer, self._again):
            if timer is not None:
                timer.cancel()
        self._timer = self._again = None

    # --- towards the publisher ---------------------------------------------------------------------

    def want_keyframe(self, apart: float = KEYFRAME_SECONDS) -> None:
        """Ask the publisher for a whole picture, now or as soon as the last request is long enough ago.

        Args:
            apart: the least time between two requests, in seconds.
        """
        if not self.video or self.closed:
            return
        loop = asyncio.get_running_loop()
        due = self._asked + apart
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
            self._timer = None
        if loop.time() >= due:
            self._request()
        else:
            self._timer = loop.call_at(due, self._request)

    def _request(self) -> None:
        self._timer = None
        self._asked = asyncio.get_running_loop().time()
        self.path.send_rtcp(wire.keyframe_request(self.path.own_ssrc, self.ssrc))

    def told(self, info: wire.SenderInfo) -> None:
        """Pass the publisher's own report on to each receiver: it is what keeps lips and voice together."""
        self._heard, self._heard_at = info, time.monotonic()
        for leg in self.legs:
            leg.report(info)

    def tick(self, now: float) -> bytes | None:
        """Once a second: return this stream's part of the receiver report.

        Args:
            now: monotonic time in seconds.
        """
        self._budget = _HIGHEST_OCTETS[self.what]
        if self._highest is None:
            return None
        expected = self._cycles + self._highest - self._base + 1
        due, came = expected - self._expected_before, self.received - self._received_before
        self._expected_before, self._received_before = expected, self.received
        fraction = min(255, (due - came << 8) // due) if 0 <= came < due else 0
        heard = self._heard
        since = int((now - self._heard_at) * 65_536) if heard else 0
        return wire.report_block(
            self.ssrc, fraction, self.lost, self._cycles + self._highest, heard.middle if heard else 0, since
        )

    @property
    def lost(self) -> int:
        """Packets that never came."""
        if self._highest is None:
            return 0
        return max(0, self._cycles + self._highest - self._base + 1 - self.received)

    def stats(self) -> TrackStats:
        """Return its figures."""
        return TrackStats(self.what, self.received, self.octets, self.lost, self.discarded, len(self.legs))
