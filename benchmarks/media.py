"""`media`: what forwarding a call costs a server, beside aiortc's own relay, which decodes and encodes each track.

Packets come from one process and are counted in it; the server is another, of which the processor time is taken.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from fractions import Fraction
from statistics import median, quantiles
from typing import Any
from uuid import UUID, uuid4

import psutil
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription
from aiortc.codecs.opus import OpusEncoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.rtp import RtpPacket
from av import AudioFrame, VideoFrame

from .machine import described
from .results import table

CALLS = ((1, 1), (1, 3), (1, 6), (1, 10), (5, 8))
"""Publishers, and how many others each of them is sent to."""
PEERS = ("forwarder", "relay")
_HOST = "127.0.0.1"


@dataclass(frozen=True)
class Options:
    """How long it is measured.

    Args:
        calls: publishers and receivers of each call.
        seconds: of one measurement.
        rounds: each call's medians are taken over so many.
        relay_most: receivers in all up to which the relay is measured; beyond it a core is not enough.
    """

    calls: tuple[tuple[int, int], ...] = CALLS
    seconds: float = 5.0
    rounds: int = 2
    relay_most: int = 10


def recorded() -> tuple[list[list[bytes]], list[bytes]]:
    """Return a second of video, the packets of each of 30 frames of 640 x 480, and 50 packets of voice."""
    video, voice, pictures, sounds = Vp8Encoder(), OpusEncoder(), list[list[bytes]](), list[bytes]()
    video.target_bitrate = 700_000
    for number in range(30):
        frame = VideoFrame(640, 480, "yuv420p")
        for plane in frame.planes:
            row = bytes((column + number * 3) // 2 % 251 for column in range(plane.line_size))
            plane.update(b"".join(row[shift % 97 :] + row[: shift % 97] for shift in range(plane.height)))
        frame.pts, frame.time_base = number * 3_000, Fraction(1, 90_000)
        pictures.append(video.encode(frame, force_keyframe=number == 0)[0])
    for number in range(60):
        frame = AudioFrame("s16", "stereo", 960)
        frame.sample_rate, frame.pts, frame.time_base = 48_000, number * 960, Fraction(1, 48_000)
        for plane in frame.planes:
            plane.update(bytes((column * number) % 64 for column in range(plane.buffer_size)))
        sounds += voice.encode(frame)[0]
    return pictures, sounds[:50]


# --- the server's process ---------------------------------------------------------------------------


class Relay:
    """The peer: aiortc as its documentation has it. One decoder per track, one encoder per receiver of it."""

    def __init__(self) -> None:
        from aiortc.contrib.media import MediaRelay

        self._relay, self._tracks, self._all = MediaRelay(), dict[str, list[Any]](), list[RTCPeerConnection]()
        self._receivers = dict[str, RTCPeerConnection]()

    async def publish(self, seat: str, sdp: str) -> str:
        pc = _connection()
        self._all.append(pc)
        pc.on("track", lambda track: self._tracks.setdefault(seat, []).append(track))
        await pc.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        await pc.setLocalDescription(await pc.createAnswer())
        return pc.localDescription.sdp

    async def join(self, seat: str, tell: Callable[[int, str], None]) -> None:
        pc = self._receivers[seat] = _connection()
        self._all.append(pc)
        for other, tracks in self._tracks.items():
            if other != seat:
                for track in tracks:
                    pc.addTransceiver(self._relay.subscribe(track), direction="sendonly")
        await pc.setLocalDescription(await pc.createOffer())
        tell(1, pc.localDescription.sdp)

    async def answer(self, seat: str, _: int, sdp: str) -> None:
        await self._receivers[seat].setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    def leave(self, seat: str) -> None:
        """Not measured."""


class Forwarding:
    """Bedside's embedded engine."""

    def __init__(self) -> None:
        from bedside_telehealth.media.engine import Grant, Offer, Publication, Seat
        from bedside_telehealth.media.forwarder import Forwarder
        from bedside_telehealth.media.settings import MediaSettings

        self._engine = Forwarder(MediaSettings.model_validate({"addresses": _HOST}))
        self._room, self._grant, self._seat = uuid4(), Grant, Seat
        self._offer, self._publication = Offer, Publication

    async def publish(self, seat: str, sdp: str) -> str:
        grant = self._grant(audio=True, video=True)
        await self._engine.join(self._room, self._seat(UUID(seat), uuid4()), grant, lambda told: None)
        return await self._engine.publish(self._room, UUID(seat), self._publication(sdp))

    async def join(self, seat: str, tell: Callable[[int, str], None]) -> None:
        def told(each: Any) -> None:
            if isinstance(each, self._offer):
                tell(each.number, each.sdp)

        seated = self._seat(UUID(seat), uuid4())
        await self._engine.join(self._room, seated, self._grant(receive=True), told)

    async def answer(self, seat: str, number: int, sdp: str) -> None:
        await self._engine.answer(self._room, UUID(seat), number, sdp)

    def leave(self, seat: str) -> None:
        self._engine.leave(self._room, UUID(seat))


async def serve(name: str) -> None:
    """Do what comes on standard input, a line of JSON each, and say on standard output what comes of it."""
    _on_loopback()
    server = Relay() if name == "relay" else Forwarding()
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    def say(**said: Any) -> None:
        print(json.dumps(said), flush=True)

    while line := await reader.readline():
        asked = json.loads(line)
        seat = asked["seat"]
        match asked["do"]:
            case "publish":
                say(seat=seat, answer=await server.publish(seat, asked["sdp"]))
            case "join":
                await server.join(seat, lambda number, sdp, seat=seat: say(seat=seat, number=number, offer=sdp))
            case "answer":
                await server.answer(seat, asked["number"], asked["sdp"])
            case _:
                server.leave(seat)


# --- the load's process -----------------------------------------------------------------------------


class _Counting(RTCRtpReceiver):
    """Notes when packets come, and decodes none."""

    into: list[tuple[float, str, bytes]]

    async def receive(self, parameters: Any) -> None:
        self.transport._register_rtp_receiver(self, parameters)

    async def stop(self) -> None:
        self.transport._unregister_rtp_receiver(self)

    async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        self.into.append((time.perf_counter(), self._RTCRtpReceiver__kind, packet.payload))

    async def _handle_rtcp_packet(self, packet: Any) -> None:
        """Makes nothing of it."""


class _Client(RTCPeerConnection):
    def __init__(self) -> None:
        super().__init__(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self.came = list[tuple[float, str, bytes]]()

    def _RTCPeerConnection__createTransceiver(self, direction: str, kind: str, sender_track: Any = None) -> Any:
        base: Any = super()
        made = base._RTCPeerConnection__createTransceiver(direction, kind, sender_track)
        counting = _Counting(kind, made.receiver.transport)
        counting.into = self.came
        counting._set_rtcp_ssrc(made.sender._ssrc)
        made._RTCRtpTransceiver__receiver = counting
        return made


@dataclass
class Found:
    """What one call showed: cores used, packets, and times in milliseconds."""

    cores: float
    packets: float
    """That came in a second at each receiver from each publisher, voice and video."""
    transit: list[float] = field(default_factory=list[float])
    first: list[float] = field(default_factory=list[float])
    cut: float = 0.0

    @property
    def a_packet(self) -> float:
        """Cores for a packet a second: a relay that has no core left drops what it has no time for."""
        return self.cores / self.packets


class Call:
    """A call over one server: its process, and both ends of every connection to it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.server = psutil.Process(process.pid)
        self._waiting = dict[str, asyncio.Future[dict[str, Any]]]()
        self._reading = asyncio.create_task(self._read())
        self.publishers = dict[str, _Client]()
        self.receivers = dict[str, _Client]()
        self._pictures, self._sounds = recorded()
        self.sent = dict[bytes, float]()
        self._sending = list[asyncio.Task[None]]()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            said = json.loads(line)
            waiting = self._waiting.pop(said["seat"], None)
            if waiting is not None:
                waiting.set_result(said)

    async def ask(self, do: str, seat: str, **given: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, "seat": seat, **given}).encode() + b"\n")
        await self._process.stdin.drain()

    def _answer(self, seat: str) -> asyncio.Future[dict[str, Any]]:
        self._waiting[seat] = asyncio.get_running_loop().create_future()
        return self._waiting[seat]

    async def publish(self) -> str:
        """Begin to publish voice and video from one more seat."""
        seat, client = str(uuid4()), _Client()
        for kind in ("audio", "video"):
            client.addTransceiver(kind, direction="sendonly")
        await client.setLocalDescription(await client.createOffer())
        said = self._answer(seat)
        await self.ask("publish", seat, sdp=client.localDescription.sdp)
        await client.setRemoteDescription(RTCSessionDescription((await said)["answer"], "answer"))
        await _until(lambda: client.connectionState == "connected")
        self.publishers[seat] = client
        self._sending += [asyncio.create_task(self._speak(client, seat)), asyncio.create_task(self._show(client, seat))]
        return seat

    async def receive(self) -> tuple[str, float]:
        """Join one more seat; return it, and the milliseconds until its first packet of video."""
        seat, client = str(uuid4()), _Client()
        said, began = self._answer(seat), time.perf_counter()
        await self.ask("join", seat)
        offer = await said
        await client.setRemoteDescription(RTCSessionDescription(offer["offer"], "offer"))
        await client.setLocalDescription(await client.createAnswer())
        await self.ask("answer", seat, number=offer["number"], sdp=client.localDescription.sdp)
        await _until(lambda: any(kind == "video" for _, kind, _ in client.came))
        self.receivers[seat] = client
        return seat, (next(at for at, kind, _ in client.came if kind == "video") - began) * 1_000

    async def _show(self, client: _Client, seat: str) -> None:
        number = 0
        async for frame in _paced(30):
            packets = self._pictures[frame % 30]
            for place, payload in enumerate(packets):
                number += 1
                last = place == len(packets) - 1
                await self._send(client, 1, number, frame * 3_000, payload, last)

    async def _speak(self, client: _Client, seat: str) -> None:
        async for number in _paced(50):
            await self._send(client, 0, number, number * 960, self._sounds[number % 50], number == 0)

    async def _send(self, client: _Client, line: int, number: int, stamp: int, payload: bytes, mark: bool) -> None:
        transceiver: Any = client.getTransceivers()[line]
        packet = RtpPacket(
            payload_type=transceiver._codecs[0].payloadType,
            sequence_number=number & 0xFFFF,
            timestamp=stamp & 0xFFFFFFFF,
            ssrc=transceiver.sender._ssrc,
            marker=int(mark),
        )
        packet.payload = payload
        if line:
            self.sent[payload] = time.perf_counter()
        await transceiver.sender.transport._send_rtp(packet.serialize())

    def taken(self) -> list[tuple[float, str, bytes]]:
        """Return what came at all receivers since it was last asked."""
        found = [each for client in self.receivers.values() for each in client.came]
        for client in self.receivers.values():
            client.came.clear()
        return found

    def used(self) -> float:
        """Return the server's processor time, in seconds."""
        times = self.server.cpu_times()
        return times.user + times.system

    async def close(self) -> None:
        for task in self._sending:
            task.cancel()
        self._process.kill()
        await self._process.wait()
        self._reading.cancel()
        for client in (*self.publishers.values(), *self.receivers.values()):
            await client.close()


async def measure(name: str, publishers: int, receivers: int, seconds: float) -> Found:
    """Have one call of so many publishers, each sent to so many receivers, and return what it cost."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        f"import asyncio, uvloop; from benchmarks.media import serve; uvloop.run(serve({name!r}))",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=1 << 20,
    )
    call = Call(process)
    try:
        seats = [await call.publish() for _ in range(publishers)]
        first = [(await call.receive())[1] for _ in range(receivers)]
        await asyncio.sleep(1)
        call.taken()
        began, used = time.perf_counter(), call.used()
        came = list[tuple[float, str, bytes]]()
        transit = list[float]()
        while time.perf_counter() - began < seconds:
            await asyncio.sleep(0.2)
            took = call.taken()
            came += took
            if publishers == 1:  # of several, the same payload has several times
                transit += [(at - call.sent[payload]) * 1_000 for at, _, payload in took if payload in call.sent]
        spent = time.perf_counter() - began
        cores = (call.used() - used) / spent
        found = Found(cores, len(came) / spent / publishers / receivers, transit, first)
        if name == "forwarder":
            began = time.perf_counter()
            for seat in seats:
                await call.ask("leave", seat)
            call.taken()
            await asyncio.sleep(1)
            found.cut = max([0.0, *((at - began) * 1_000 for at, _, _ in call.taken())])
        return found
    finally:
        await call.close()


async def run(options: Options) -> str:
    """Measure, and return the section of RESULTS.md."""
    _on_loopback()
    rows, ratios = list[tuple[object, ...]](), list[tuple[object, ...]]()
    for publishers, receivers in options.calls:
        peers = PEERS if publishers * receivers <= options.relay_most else PEERS[:1]
        rounds = [
            {name: await measure(name, publishers, receivers, options.seconds) for name in peers}
            for _ in range(options.rounds)
        ]
        shown = f"{publishers} to {receivers} each"
        for name in peers:
            found = [each[name] for each in rounds]
            transit = quantiles([at for each in found for at in each.transit], n=100) if found[0].transit else None
            rows.append(
                (
                    shown,
                    name,
                    f"{median(each.cores for each in found):.4f}",
                    f"{median(each.packets for each in found):.0f}",
                    *((f"{transit[49]:.2f}", f"{transit[98]:.2f}") if transit and name == "forwarder" else ("", "")),
                    f"{median(at for each in found for at in each.first):.0f}",
                    f"{max(each.cut for each in found):.1f}" if name == "forwarder" else "",
                )
            )
        if len(peers) > 1:
            ratio = median(each["relay"].cores / each["forwarder"].cores for each in rounds)
            each_packet = median(each["relay"].a_packet / each["forwarder"].a_packet for each in rounds)
            ratios.append((shown, f"{ratio:.1f}", f"{each_packet:.1f}"))
    lines = [
        *described(),
        f"one second of real video (640 x 480, 30 frames) and voice over and over; {options.rounds} rounds of "
        f"{options.seconds:.0f} s, medians; the longest cut; load and server share the machine",
        "transit is from the sender's to the receiver's Python, so it holds both ends' work too",
        "first packet is from asking for a seat to the first packet of video, signalling, ICE and DTLS included",
    ]
    head = ("call", "server", "cores", "packets/s", "transit p50 ms", "p99 ms", "first packet ms", "last after cut ms")
    text = "\n".join(f"- {line}" for line in lines) + "\n\n" + table(head, rows)
    return text + "\n\n" + table(("call", "relay / forwarder, processor time", "for each packet that arrived"), ratios)


def _connection() -> RTCPeerConnection:
    return RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))


def _on_loopback() -> None:
    """Have aioice, which leaves loopback out, use it alone."""
    import aioice.ice

    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [_HOST]


async def _until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - counts of packets, which no event tells
            await asyncio.sleep(0.002)


async def _paced(rate: int) -> AsyncIterator[int]:
    """Count on, so many times a second; who comes late catches up."""
    began, number = time.perf_counter(), 0
    while True:
        yield number
        number += 1
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
