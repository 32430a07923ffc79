"""Browsers for the tests of media: aiortc's client with every packet in the test's hand, honest or not."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiortc import (
    InvalidStateError,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCSessionDescription,
)
from aiortc.rtp import RtpPacket

from bedside_telehealth.media.engine import (
    Dropped,
    Gone,
    Grant,
    MediaRefused,
    Offer,
    Publication,
    Seat,
    Told,
    What,
)
from bedside_telehealth.media.forwarder import Forwarder

ALL = Grant(audio=True, video=True, screen=True, receive=True)
VIEWER = Grant(receive=True)
DEADLINE = 30.0


async def until(holds: Callable[[], Any], what: str = "it holds", seconds: float = DEADLINE) -> None:
    """Wait until a condition holds, and say which one never did."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.005)


class Counting(RTCRtpReceiver):
    """Counts packets instead of decoding them."""

    def prepare(self, came: list[RtpPacket]) -> None:
        self.came = came

    async def receive(self, parameters: Any) -> None:
        self.transport._register_rtp_receiver(self, parameters)

    async def stop(self) -> None:
        self.transport._unregister_rtp_receiver(self)

    async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        self.came.append(packet)

    async def _handle_rtcp_packet(self, packet: Any) -> None:
        """Nothing is made of it."""


class Client(RTCPeerConnection):
    """A browser's connection whose packets are counted as they come."""

    def __init__(self) -> None:
        super().__init__(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self.came = list[RtpPacket]()

    def _RTCPeerConnection__createTransceiver(self, direction: str, kind: str, sender_track: Any = None) -> Any:
        base: Any = super()
        made = base._RTCPeerConnection__createTransceiver(direction, kind, sender_track)
        counting = Counting(kind, made.receiver.transport)
        counting.prepare(self.came)
        counting._set_rtcp_ssrc(made.sender._ssrc)
        made._RTCRtpTransceiver__receiver = counting
        return made

    def _RTCPeerConnection__createDtlsTransport(self) -> Any:
        base: Any = super()
        dtls = base._RTCPeerConnection__createDtlsTransport()
        connection = dtls.transport._connection
        consenting = connection.query_consent

        async def consent() -> None:
            if not connection._closing:
                await consenting()

        connection.query_consent = consent
        return dtls

    @property
    def dtls(self) -> Any:
        return self.getTransceivers()[0].receiver.transport


class Browser:
    """One seat: it publishes what it is told to, and answers offers by itself unless told not to."""

    def __init__(self, engine: Forwarder, room: UUID, participant: UUID | None = None) -> None:
        self.engine, self.room = engine, room
        self.seat = Seat(uuid4(), participant or uuid4())
        self.offers = list[Offer]()
        self.gone = list[Gone]()
        self.dropped = list[Dropped]()
        self.refused = list[MediaRefused]()
        self.answering = True
        self.mangle: Callable[[str], str] = str
        self.pub: Client | None = None
        self.sub: Client | None = None
        self.closed = list[Client]()
        self._numbers = Counter[int]()
        self._tasks = set[asyncio.Task[None]]()

    # --- signalling ---

    async def join(self, grant: Grant = ALL) -> Browser:
        await self.engine.join(self.room, self.seat, grant, self._told)
        return self

    def _told(self, told: Told) -> None:
        if isinstance(told, Offer):
            self.offers.append(told)
            if self.answering:
                task = asyncio.create_task(self.answer(told))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        elif isinstance(told, Gone):
            self.gone.append(told)
        else:
            self.dropped.append(told)

    async def answer(self, offer: Offer) -> None:
        if self.sub is None:
            self.sub = Client()
        with suppress(InvalidStateError):  # it was closed meanwhile
            await self._answer(self.sub, offer)

    async def _answer(self, sub: Client, offer: Offer) -> None:
        await sub.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
        await sub.setLocalDescription(await sub.createAnswer())
        try:
            await self.engine.answer(self.room, self.seat.id, offer.number, self.mangle(sub.localDescription.sdp))
        except MediaRefused as exc:
            self.refused.append(exc)

    async def offer(self, *tracks: What) -> str:
        """Make this browser's own offer of these tracks and return it."""
        if self.pub is None:
            self.pub = Client()
        for what in tracks:
            self.pub.addTransceiver(what.kind, direction="sendonly")
        await self.pub.setLocalDescription(await self.pub.createOffer())
        return self.pub.localDescription.sdp

    async def publish(self, *tracks: What) -> Browser:
        """Publish these tracks besides those that are published already, and wait for the connection."""
        sdp = await self.offer(*tracks)
        assert self.pub is not None
        named = {line.mid or "": What.SCREEN for line in self.pub.getTransceivers()[2:]}
        answer = await self.engine.publish(self.room, self.seat.id, Publication(sdp, named))
        await self.pub.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        pub = self.pub
        await until(lambda: pub.connectionState == "connected", "the publishing connection stands")
        await until(lambda: self.figures().publishing, "the server sees it standing")
        return self

    def leave(self) -> None:
        self.engine.leave(self.room, self.seat.id)

    # --- packets ---

    async def send(self, line: int = 0, count: int = 1, payload: bytes = b"\x90" * 40, **other: Any) -> None:
        """Send packets of one line of the publication, with other header fields where given."""
        assert self.pub is not None
        transceiver: Any = self.pub.getTransceivers()[line]
        for _ in range(count):
            self._numbers[line] += 1
            packet = RtpPacket(
                payload_type=other.get("payload_type", transceiver._codecs[0].payloadType),
                sequence_number=other.get("sequence_number", self._numbers[line]) & 0xFFFF,
                timestamp=self._numbers[line] * 960,
                ssrc=other.get("ssrc", transceiver.sender._ssrc),
            )
            packet.payload = payload
            await self.pub.dtls._send_rtp(packet.serialize())

    async def shown(self, tracks: int) -> None:
        """Wait until this many tracks flow to this seat, and its side is ready to count them."""

        def ready() -> bool:
            figures, sub = self.figures(), self.sub
            if len(figures.legs) != tracks or not figures.receiving or sub is None:
                return False
            flowing = [line for line in sub.getTransceivers() if line.currentDirection == "recvonly"]
            return len(flowing) == tracks and {line.receiver for line in flowing} <= sub.dtls._rtp_router.receivers

        await until(ready, f"{tracks} tracks are shown")

    @property
    def came(self) -> int:
        return len(self.sub.came) if self.sub is not None else 0

    def figures(self, of: Browser | None = None) -> Any:
        """What the server counts for this seat, or that it has none any more."""
        return self.engine.stats(self.room).seats[(of or self).seat.id]

    @property
    def received(self) -> int:
        """Packets of this seat's tracks that the server has counted."""
        return sum(track.received for track in self.figures().tracks)

    async def close(self) -> None:
        for task in list(self._tasks):
            await asyncio.wait([task], timeout=5)
        for client in (self.pub, self.sub, *self.closed):
            if client is not None:
                await client.close()


@contextmanager
def refused(why: str) -> Iterator[None]:
    """Expect a refusal for this very reason."""
    with pytest.raises(MediaRefused) as caught:
        yield
    assert (caught.value.code, caught.value.detail) == ("MEDIA_REFUSED", {"why": why})
