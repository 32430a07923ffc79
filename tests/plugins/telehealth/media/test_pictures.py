"""Real pictures and voices, encoded and decoded by aiortc's own client, arrive."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiortc import (
    AudioStreamTrack,
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)
from aiortc.mediastreams import MediaStreamError
from av import VideoFrame
from plugins.telehealth.media.browsers import ALL, VIEWER, until

from bedside_telehealth.media.engine import MediaRefused, Offer, Publication, Seat, Told
from bedside_telehealth.media.forwarder import Forwarder


class Moving(VideoStreamTrack):
    """A small picture whose brightness counts on."""

    count = 0

    async def recv(self) -> VideoFrame:
        pts, time_base = await self.next_timestamp()
        self.count += 1
        frame = VideoFrame(160, 120, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([self.count * 3 % 256]) * plane.buffer_size)
        frame.pts, frame.time_base = pts, time_base
        return frame


def stock() -> RTCPeerConnection:
    return RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))


class Watcher:
    """Receives with aiortc's own decoders, and counts the frames."""

    def __init__(self, engine: Forwarder, room: UUID) -> None:
        self.engine, self.room = engine, room
        self.seat = Seat(uuid4(), uuid4())
        self.pc = stock()
        self.frames = Counter[str]()
        self._tasks = set[asyncio.Task[None]]()
        self.pc.on("track", lambda track: self._start(self._watch(track)))

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def join(self) -> Watcher:
        await self.engine.join(self.room, self.seat, VIEWER, self._told)
        return self

    def _told(self, told: Told) -> None:
        if isinstance(told, Offer):
            self._start(self._answer(told))

    async def _answer(self, offer: Offer) -> None:
        await self.pc.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        with suppress(MediaRefused):  # the engine was closed meanwhile
            await self.engine.answer(self.room, self.seat.id, offer.number, self.pc.localDescription.sdp)

    async def _watch(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                await track.recv()
                self.frames[track.kind] += 1
        except MediaStreamError:
            return


@pytest.fixture
async def speaker(engine: Forwarder, room: UUID) -> AsyncIterator[Seat]:
    """Publishes a real voice and picture."""
    seat = Seat(uuid4(), uuid4())
    pc = stock()
    pc.addTransceiver(AudioStreamTrack(), direction="sendonly")
    pc.addTransceiver(Moving(), direction="sendonly")
    await engine.join(room, seat, ALL, lambda told: None)
    await pc.setLocalDescription(await pc.createOffer())
    answer = await engine.publish(room, seat.id, Publication(pc.localDescription.sdp))
    await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    yield seat
    await pc.close()


@pytest.mark.rule("T9")
async def test_pictures_and_voice_are_seen_and_heard(engine: Forwarder, room: UUID, speaker: Seat) -> None:
    watcher = await Watcher(engine, room).join()
    await until(lambda: watcher.frames["video"] > 10 and watcher.frames["audio"] > 10, "frames are decoded")
    engine.leave(room, speaker.id)
    await until(lambda: engine.stats(room).seats[watcher.seat.id].legs == ())
    await watcher.pc.close()
