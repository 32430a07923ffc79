"""The packets of one connection: decrypted once as they come, told apart, and encrypted as they leave."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from bedside_telehealth.media import srtp, wire
from bedside_telehealth.media.leg import Leg
from bedside_telehealth.media.source import JOIN_SECONDS, Source

LEAST_BITS, MOST_BITS = 300_000, 1_500_000
"""What one video is told that it may take, in bits per second, whatever its receivers' networks say."""

Send = Callable[[Any, tuple[str, int]], Any]
_unpack = wire.HEADER.unpack_from
_unprotect, _unprotect_rtcp = srtp.unprotect, srtp.unprotect_rtcp
_buffer, _view, _length = srtp.BUFFER, srtp.VIEW, srtp.LENGTH


class MediaPath:
    """The packets of one connection, once its keys are agreed; whatever is not registered here goes nowhere.

    Sources are registered for a granted publication alone, so what a client makes aiortc believe has no effect (T11).
    """

    def __init__(self) -> None:
        self.sources = dict[int, Source]()
        self._repairs = dict[int, tuple[int, Source]]()
        self._legs = dict[int, Leg]()
        self.own_ssrc = random.getrandbits(32) or 1
        self.receiving: srtp.Keys | None = None
        self.sending: srtp.Keys | None = None
        self.remote: tuple[str, int] | None = None
        self._sendto: Send | None = None
        self.heard = time.monotonic()
        self.strange = 0
        self.estimate: int | None = None
        self.closed = False

    # --- standing and falling ----------------------------------------------------------------------

    def start(self, receiving: srtp.Keys, sending: srtp.Keys) -> None:
        """Begin, with the keys that DTLS agreed on."""
        if not self.closed:
            self.receiving, self.sending, self.heard = receiving, sending, time.monotonic()
            for leg in self._legs.values():
                if leg.source is not None:
                    leg.source.want_keyframe(JOIN_SECONDS)

    def route(self, sendto: Send, remote: tuple[str, int]) -> None:
        """Send to this address from now on, in this way."""
        if not self.closed:
            self._sendto, self.remote = sendto, remote

    def close(self) -> None:
        """Cut: no packet comes in or goes out by this connection after this returns (T11)."""
        self.closed = True
        self.receiving = self.sending = self._sendto = None
        for source in self.sources.values():
            source.close()
        for leg in self._legs.values():
            leg.detach()
        self.sources.clear()
        self._repairs.clear()
        self._legs.clear()

    def publish(self, source: Source, repair_ssrc: int | None, repair_payload: int | None) -> None:
        """Take a granted stream's packets from now on."""
        self.sources[source.ssrc] = source
        if repair_ssrc is not None and repair_payload is not None:
            self._repairs[repair_ssrc] = repair_payload, source

    def retire(self, source: Source) -> None:
        """Take no more of a stream's packets, and cut its receivers off."""
        source.close()
        if self.sources.get(source.ssrc) is source:
            del self.sources[source.ssrc]
        self._repairs = {ssrc: kept for ssrc, kept in self._repairs.items() if kept[1] is not source}

    def carry(self, leg: Leg) -> None:
        """Listen to what the receiver says of this leg."""
        self._legs[leg.ssrc] = leg

    # --- in ----------------------------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """Take one SRTP or SRTCP packet as it came from the network."""
        keys = self.receiving
        size = len(data)
        if keys is None or not 12 <= size <= srtp.LARGEST:
            self.strange += 1
            return
        _view[:size] = data
        _length[0] = size
        if 191 < data[1] < 224:
            if _unprotect_rtcp(keys.handle, _buffer, _length):
                self.strange += 1
                return
            self.heard = time.monotonic()
            self._control(bytes(_view[: _length[0]]))
        elif _unprotect(keys.handle, _buffer, _length):
            self.strange += 1
        else:
            self.heard = time.monotonic()
            self._packet(_length[0])

    def _packet(self, size: int) -> None:
        first, second, number, stamp, ssrc = _unpack(_view)
        offset = 12 + ((first & 15) << 2)
        if first & 0x10:
            if offset + 4 > size:
                self.strange += 1
                return
            offset += 4 + (wire.SHORT.unpack_from(_view, offset + 2)[0] << 2)
        source = self.sources.get(ssrc)
        if offset > size:
            self.strange += 1
        elif source is not None and second & 0x7F == source.payload:
            source.packet(first & 0x20, second & 0x80, number, stamp, bytes(_view[offset:size]))
        else:
            self._repair(first, second, stamp, ssrc, offset, size)

    def _repair(self, first: int, second: int, stamp: int, ssrc: int, offset: int, size: int) -> None:
        payload, source = self._repairs.get(ssrc, (None, None))
        if source is None or payload != second & 0x7F:
            self.strange += 1
        elif size - offset > 2 and not first & 0x20:  # else it only probes what the network carries
            number = wire.SHORT.unpack_from(_view, offset)[0]
            if source.missed(number):
                source.packet(0, second & 0x80, number, stamp, bytes(_view[offset + 2 : size]))

    def _control(self, data: bytes) -> None:
        for said in wire.read(data):
            if isinstance(said, wire.Estimate):
                self.estimate = said.bits
            elif isinstance(said, wire.SenderInfo):
                source = self.sources.get(said.ssrc)
                if source is not None:
                    source.told(said)
            else:
                leg = self._legs.get(said.ssrc)
                if leg is None:
                    continue
                if isinstance(said, wire.Lost):
                    for number in said.numbers:
                        leg.repeat(number)
                elif isinstance(said, wire.Report):
                    leg.told(said)
                elif leg.source is not None:
                    leg.source.want_keyframe()

    # --- out ---------------------------------------------------------------------------------------

    def send(self, data: Any) -> None:
        """Send what is encrypted; a full socket loses it, as a full network would."""
        if self._sendto is not None and self.remote is not None:
            try:
                self._sendto(data, self.remote)
            except OSError:
                return

    def send_rtp(self, data: bytes) -> None:
        """Encrypt and send one RTP packet."""
        if self.sending is not None and self._fill(data) and not srtp.protect(self.sending.handle, _buffer, _length):
            self.send(_view[: _length[0]])

    def send_rtcp(self, data: bytes) -> None:
        """Encrypt and send one RTCP packet."""
        if (
            self.sending is not None
            and self._fill(data)
            and not srtp.protect_rtcp(self.sending.handle, _buffer, _length)
        ):
            self.send(_view[: _length[0]])

    @staticmethod
    def _fill(data: bytes) -> bool:
        _view[: len(data)] = data
        _length[0] = len(data)
        return True

    def share(self) -> int | None:
        """Return what each video on its way to this receiver may take, by its own estimate, in bits per second."""
        videos = sum(leg.source is not None and leg.source.video for leg in self._legs.values())
        return None if self.estimate is None or not videos else self.estimate // videos

    def tick(self, now: float) -> None:
        """Once a second: report to the publisher what came, and what its videos may take.

        Args:
            now: monotonic time in seconds.
        """
        for leg in self._legs.values():
            leg.tick()
        blocks = [block for source in self.sources.values() if (block := source.tick(now)) is not None]
        if not blocks:
            return
        said = wire.receiver_report(self.own_ssrc, blocks)
        videos = [source for source in self.sources.values() if source.video]
        if videos:
            bits = sum(self._bits(source) for source in videos)
            said += wire.estimate(self.own_ssrc, bits, [source.ssrc for source in videos])
        self.send_rtcp(said)

    @staticmethod
    def _bits(source: Source) -> int:
        shares = [share for leg in source.legs if (share := leg.path.share()) is not None]
        return max(LEAST_BITS, min([MOST_BITS, *shares]))
