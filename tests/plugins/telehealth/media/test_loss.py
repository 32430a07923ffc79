"""Where networks lose packets both ways, what is asked for again closes every gap before a picture would freeze."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiortc.rtp import RtcpPacket, RtcpRtpfbPacket
from plugins.telehealth.media.browsers import VIEWER, Browser, until

from bedside_telehealth.media.engine import What
from bedside_telehealth.media.path import MediaPath
from rulebook import size

New = Callable[[], Browser]
_FREEZE = size(5.0, 0.9)
"""Seconds; a picture that is 0.9 late has been seen to stand. At reduced size a deadline only."""


class Repairing:
    """What browsers do: the publisher sends again what it is asked for, the receiver asks for its gaps until closed."""

    def __init__(self, chair: Browser, viewer: Browser) -> None:
        self.chair, self.viewer = chair, viewer
        self.sent = dict[int, bytes]()
        self.came = dict[int, bytes]()
        assert chair.pub is not None
        sender: Any = chair.pub.getTransceivers()[0].sender
        self._repair = sender._rtx_ssrc, chair.pub.getTransceivers()[0]._codecs[1].payloadType
        self._repairs = 0
        chair.pub.dtls._handle_rtcp_data = self._asked

    async def _asked(self, data: bytes) -> None:
        for packet in RtcpPacket.parse(data):
            if isinstance(packet, RtcpRtpfbPacket):
                for number in packet.lost:
                    self._repairs += 1
                    await self.chair.send(
                        payload=number.to_bytes(2, "big") + self.sent[number],
                        ssrc=self._repair[0],
                        payload_type=self._repair[1],
                        sequence_number=self._repairs,
                    )

    def look(self) -> list[int]:
        """Take in what came, and return the numbers that are missing."""
        assert self.viewer.sub is not None
        media = self.viewer.sub.came[0].ssrc
        for packet in self.viewer.sub.came:
            if packet.ssrc == media:
                self.came.setdefault(packet.sequence_number, packet.payload)
            else:
                self.came.setdefault(int.from_bytes(packet.payload[:2], "big"), packet.payload[2:])
        del self.viewer.sub.came[1:]
        first, last = min(self.came), max(self.came)
        return [number for number in range(first, last) if number not in self.came]

    async def ask(self, numbers: list[int]) -> None:
        assert self.viewer.sub is not None
        media = self.viewer.sub.came[0].ssrc
        asking = RtcpRtpfbPacket(fmt=1, ssrc=1, media_ssrc=media, lost=numbers)
        await self.viewer.sub.dtls._send_rtp(bytes(asking))


@pytest.mark.rule("T18")
async def test_losing_two_packets_of_a_hundred_both_ways_freezes_nothing(
    browser: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    chair = await (await browser().join()).publish(What.VIDEO)
    viewer = await browser().join(VIEWER)
    await viewer.shown(1)
    repairing, count = Repairing(chair, viewer), size(600, 6_000)
    chance, lost = random.Random(4), [0, 0]
    received, send = MediaPath.received, MediaPath.send

    def lossy_in(self: MediaPath, data: bytes) -> None:
        if chance.random() < 0.02:
            lost[0] += 1
        else:
            received(self, data)

    def lossy_out(self: MediaPath, data: Any) -> None:
        if chance.random() < 0.02:
            lost[1] += 1
        else:
            send(self, data)

    repairing.sent[1] = b"\x90first"
    await chair.send(payload=b"\x90first")
    await until(lambda: viewer.came == 1)
    monkeypatch.setattr(MediaPath, "received", lossy_in)
    monkeypatch.setattr(MediaPath, "send", lossy_out)
    left, late = dict[bytes, float](), 0.0
    for number in range(2, count + 1):
        payload = repairing.sent[number] = b"\x90%d" % number
        await chair.send(payload=payload, sequence_number=number)
        left[payload] = time.monotonic()
        await asyncio.sleep(0.004)  # some 200 packets a second, as video has
        if number % 10 == 0:
            missing = repairing.look()
            if missing:
                await repairing.ask(missing)
            for payload in repairing.came.values():
                late = max(late, time.monotonic() - left.pop(payload, time.monotonic()))
    monkeypatch.undo()
    assert min(lost) > count // 200, "both ways lost packets"

    async def closed() -> bool:
        number = len(repairing.sent) + 1
        repairing.sent[number] = b"\x90end"
        await chair.send(payload=b"\x90end", sequence_number=number)
        missing = repairing.look()
        if missing:
            await repairing.ask(missing)
        return not missing and b"\x90%d" % count in repairing.came.values()

    end = time.monotonic() + 15
    while not await closed():
        assert time.monotonic() < end, "every gap is closed"
        await asyncio.sleep(0.02)
    print(f"lost {lost} of {count}, the latest came {late * 1000:.0f} ms after it was sent")
    came = [payload for _, payload in sorted(repairing.came.items())]
    assert came[:count] == [repairing.sent[number] for number in range(1, count + 1)]
    assert late < _FREEZE
