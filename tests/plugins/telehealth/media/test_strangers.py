"""Descriptions and candidates that are malformed, huge, replayed or not one's own: refused or limited (promise T2)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from plugins.telehealth.media.browsers import VIEWER, Browser, refused, until

from bedside_telehealth.media import allowance, candidates, descriptions
from bedside_telehealth.media.engine import (
    Candidate,
    Dropped,
    Grant,
    MediaRefused,
    Publication,
    Way,
    What,
    Why,
)
from bedside_telehealth.media.forwarder import Forwarder
from bedside_telehealth.media.settings import MediaSettings

pytestmark = pytest.mark.promise("T2")
New = Callable[[], Browser]

CHROMIUM = """v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
a=msid-semantic: WMS stream
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1 1 udp 2113937151 7f5e6f2c-9d1e-4b1a-8b1e-0c5d6a7b8c9d.local 54321 typ host generation 0 network-cost 999
a=candidate:2 1 udp 1677729535 203.0.113.9 54321 typ srflx raddr 0.0.0.0 rport 0 generation 0 network-cost 999
a=candidate:3 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active generation 0
a=ice-ufrag:EsAw
a=ice-pwd:bP+XJMM09aR8AiX1jdukzR6Y
a=ice-options:trickle
a=fingerprint:sha-256 {fingerprint}
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=sendonly
a=msid:stream 6fcf
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
a=ssrc:1001 cname:4TOk42mSjXCkVIa6
a=ssrc:1001 msid:stream 6fcf
m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 35 36
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:EsAw
a=ice-pwd:bP+XJMM09aR8AiX1jdukzR6Y
a=fingerprint:sha-256 {fingerprint}
a=setup:actpass
a=mid:1
a=sendonly
a=rtcp-mux
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 goog-remb
a=rtcp-fb:96 transport-cc
a=rtcp-fb:96 ccm fir
a=rtcp-fb:96 nack
a=rtcp-fb:96 nack pli
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:102 H264/90000
a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
a=rtpmap:103 rtx/90000
a=fmtp:103 apt=102
a=rtpmap:35 AV1/90000
a=rtpmap:36 rtx/90000
a=ssrc-group:FID 2001 2002
a=ssrc:2001 cname:4TOk42mSjXCkVIa6
a=ssrc:2002 cname:4TOk42mSjXCkVIa6
""".format(fingerprint=":".join(["A1"] * 32)).replace("\n", "\r\n")


@pytest.fixture
def settings() -> MediaSettings:
    return MediaSettings(addresses=(IPv4Address("127.0.0.1"),), connect_seconds=1.0)


def test_what_a_browser_writes_is_read_and_written_anew() -> None:
    offer = descriptions.read_offer(CHROMIUM, on_loopback=False)
    assert [(line.mid, line.kind, line.payload, line.repair, line.streams()) for line in offer.sections] == [
        ("0", "audio", (111, "opus"), None, (1001, None)),
        ("1", "video", (96, "vp8"), 97, (2001, 2002)),
    ]
    assert [(address.host, address.port, address.type) for address in offer.addresses] == [
        ("203.0.113.9", 54321, "srflx")
    ]
    written = offer.text()
    for left_out in ("AV1", "G722", ".local", " tcp ", "transport-cc", "extmap", "cname", "PCMU", "H264"):
        assert left_out not in written


def without(pattern: str, count: int = 0) -> Callable[[str], str]:
    return lambda sdp: re.sub(pattern, "", sdp, count=count)


def instead(old: str, new: str, count: int = -1) -> Callable[[str], str]:
    def replaced(sdp: str) -> str:
        assert old in sdp
        return sdp.replace(old, new, count)

    return replaced


def line(added: str) -> Callable[[str], str]:
    return lambda sdp: sdp + added + "\r\n"


DATA = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:9\r\na=sctp-port:5000"
WRONG: dict[str, tuple[Callable[[str], str], str]] = {
    "empty": (lambda sdp: "", "MALFORMED"),
    "not one": (lambda sdp: "hello", "MALFORMED"),
    "binary": (lambda sdp: sdp + "a=\x00\x01\r\n", "MALFORMED"),
    "line breaks of others": (instead("a=rtcp-mux", "a=rtcp-mux\u2028a=mid:0"), "MALFORMED"),
    "huge": (lambda sdp: sdp + "a=x:" + "y" * 70_000, "SIZE"),
    "a long line": (lambda sdp: sdp + "a=x:" + "y" * 3_000, "SIZE"),
    "many lines": (lambda sdp: sdp + "a=x\r\n" * 3_000, "SIZE"),
    "many m-lines": (lambda sdp: sdp + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" * 300, "SIZE"),
    "many candidates": (
        lambda sdp: sdp + "".join(f"a=candidate:1 1 udp 1 192.0.2.1 {p} typ host\r\n" for p in range(1000, 1100)),
        "SIZE",
    ),
    "no m-line": (lambda sdp: sdp[: sdp.index("m=")], "MALFORMED"),
    "no fingerprint": (without(r"a=fingerprint:.*\r\n"), "MALFORMED"),
    "two fingerprints": (instead("A1:A1:A1", "A1:A1:A2", 1), "MALFORMED"),
    "a short fingerprint": (instead("sha-256 A1", "sha-256 A"), "MALFORMED"),
    "no ufrag": (without(r"a=ice-ufrag:.*\r\n"), "MALFORMED"),
    "another ufrag": (instead("a=ice-ufrag:EsAw", "a=ice-ufrag:other", 1), "MALFORMED"),
    "a short password": (instead("bP+XJMM09aR8AiX1jdukzR6Y", "short"), "MALFORMED"),
    "a decided role": (instead("actpass", "active"), "MALFORMED"),
    "no bundle": (without(r"a=group:.*\r\n"), "MALFORMED"),
    "no mux": (without(r"a=rtcp-mux\r\n", 1), "MALFORMED"),
    "the same mid": (instead("a=mid:1", "a=mid:0"), "MALFORMED"),
    "a strange mid": (instead("a=mid:1", "a=mid:<1>"), "MALFORMED"),
    "a payload type of nobody": (instead("SAVPF 96", "SAVPF 996"), "MALFORMED"),
    "another profile": (instead("UDP/TLS/RTP/SAVPF 96", "RTP/AVP 96"), "MALFORMED"),
    "a strange kind": (instead("m=video", "m=text"), "MALFORMED"),
    "an SSRC too large": (instead("a=ssrc:2001 ", "a=ssrc:5000000000 "), "MALFORMED"),
    "a candidate by name": (line("a=candidate:1 1 udp 1 evil.example 80 typ host"), "MALFORMED"),
    "a broken candidate": (line("a=candidate:1 1 udp one 192.0.2.1 80 typ host"), "MALFORMED"),
    "a data channel": (line(DATA), "DATA"),
    "unknown codecs": (instead("VP8/90000", "VP99/90000"), "H264 is left"),
    "no codec of ours": (lambda sdp: sdp.replace("VP8/", "VP99/").replace("H264/", "H265/"), "CODEC"),
    "audio without Opus": (instead("opus/48000/2", "opux/48000/2"), "CODEC"),
    "no SSRC": (without(r"a=ssrc:100.*\r\n"), "TRACKS"),
    "three SSRCs": (line("a=ssrc:2003 cname:x"), "TRACKS"),
    "two without a group": (without(r"a=ssrc-group.*\r\n"), "TRACKS"),
    "layers": (line("a=ssrc-group:SIM 2001 2002"), "TRACKS"),
    "layers by name": (line("a=simulcast:send h;l"), "TRACKS"),
    "one SSRC for two": (instead("2001", "1001"), "TRACKS"),
    "only receives": (instead("a=sendonly", "a=recvonly", 1), "DIRECTION"),
}


@pytest.mark.parametrize("case", WRONG)
def test_an_offer_is_refused_that_is(case: str) -> None:
    change, why = WRONG[case]
    if why == "H264 is left":
        assert descriptions.read_offer(change(CHROMIUM), on_loopback=False).sections[1].payload == (102, "h264")
        return
    with refused(why):
        descriptions.read_offer(change(CHROMIUM), on_loopback=False)


@effort(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_damage_to_an_offer_is_worse_than_a_refusal(data: st.DataObject) -> None:
    lines = CHROMIUM.split("\r\n")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        act = data.draw(st.sampled_from(["drop", "twice", "swap", "cut", "write"]))
        if act == "drop":
            del lines[at]
        elif act == "twice":
            lines.insert(at, lines[at])
        elif act == "swap":
            other = data.draw(st.integers(0, len(lines) - 1))
            lines[at], lines[other] = lines[other], lines[at]
        elif act == "cut":
            lines[at] = lines[at][: data.draw(st.integers(0, len(lines[at])))]
        else:
            lines[at] += data.draw(st.text(max_size=20))
    try:
        read = descriptions.read_offer("\r\n".join(lines), on_loopback=False)
    except MediaRefused:
        return
    from aiortc.sdp import SessionDescription

    parsed = SessionDescription.parse(read.text())
    assert [media.rtp.muxId for media in parsed.media] == [section.mid for section in read.sections]


CANDIDATES = {
    "candidate:1 1 udp 2113937151 192.0.2.7 50000 typ host generation 0 ufrag EsAw network-id 1": ("192.0.2.7", 50000),
    "candidate:1 1 UDP 2113937151 2001:db8::7 50000 typ relay raddr 0.0.0.0 rport 9": ("2001:db8::7", 50000),
    "a=candidate:1 1 udp 1 10.0.0.7 50000 typ host": ("10.0.0.7", 50000),
    "candidate:1 1 udp 1 7f5e6f2c.local 50000 typ host": None,
    "candidate:1 1 tcp 1 192.0.2.7 9 typ host tcptype active": None,
    "candidate:1 2 udp 1 192.0.2.7 50000 typ host": None,
    "candidate:1 1 udp 1 127.0.0.1 50000 typ host": None,
    "candidate:1 1 udp 1 ::1 50000 typ host": None,
    "candidate:1 1 udp 1 169.254.169.254 80 typ host": None,
    "candidate:1 1 udp 1 224.0.0.1 50000 typ host": None,
    "candidate:1 1 udp 1 0.0.0.0 50000 typ host": None,
    "candidate:1 1 udp 1 192.0.2.7 0 typ host": None,
    "": None,
}
NO_CANDIDATES = [
    "x",
    "candidate:",
    "candidate:1 1 udp 1 192.0.2.7 70000 typ host",
    "candidate:1 1 udp 99999999999 192.0.2.7 50000 typ host",
    "candidate:1 1 udp 1 clinic.example 50000 typ host",
    "candidate:1 1 udp 1 999.0.2.7 50000 typ host",
    "candidate:1 1 udp 1 192.0.2.7 50000 typ other",
    "candidate:1 1 udp 1 192.0.2.7 50000 typ host\r\na=candidate:1",
    "candidate:1 1 udp 1 192.0.2.7 50000 typ host\x00",
    "candidate:١ 1 udp 1 192.0.2.7 50000 typ host",
]


@pytest.mark.parametrize("given", CANDIDATES)
def test_a_candidate_is_an_address_or_of_no_use(given: str) -> None:
    read = candidates.read(given, on_loopback=False)
    assert (read and (read.host, read.port)) == CANDIDATES[given]


@pytest.mark.parametrize("given", [each for each in NO_CANDIDATES if each != "candidate:"])
def test_what_is_no_candidate_is_refused(given: str) -> None:
    with refused("MALFORMED"):
        candidates.read(given, on_loopback=False)


def test_a_huge_candidate_is_refused() -> None:
    with refused("SIZE"):
        candidates.read("candidate:" + "1" * 2_000, on_loopback=False)


def tasks() -> set[str]:
    return {task.get_name() for task in asyncio.all_tasks() if not task.done()}


async def test_after_all_that_the_seat_publishes_and_nothing_is_left(browser: New, engine: Forwarder) -> None:
    chair, viewer = await browser().join(), await browser().join(VIEWER)
    sdp = await chair.offer(What.AUDIO, What.VIDEO)
    before = tasks()
    for wrong in (lambda sdp: "", without(r"a=fingerprint:.*\r\n"), without(r"a=group:.*\r\n"), line(DATA)):
        with pytest.raises(MediaRefused):
            await engine.publish(chair.room, chair.seat.id, Publication(wrong(sdp)))
    for tracks in ({"0": What.VIDEO}, {"1": What.AUDIO}, {"7": What.SCREEN}, {"0": What.SCREEN}):
        with refused("TRACKS"):
            await engine.publish(chair.room, chair.seat.id, Publication(sdp, tracks))
    with refused("ORDER"):
        await engine.candidate(chair.room, chair.seat.id, Way.PUBLISH, Candidate(""))
    assert tasks() == before
    assert not chair.figures().publishing

    await chair.publish()
    await viewer.shown(2)
    await chair.send(count=5)
    await until(lambda: viewer.came == 5)


async def test_more_tracks_than_a_seat_has_are_refused(browser: New, engine: Forwarder) -> None:
    chair = await browser().join()
    with refused("TRACKS"):
        await engine.publish(
            chair.room, chair.seat.id, Publication(await chair.offer(What.AUDIO, What.VIDEO, What.VIDEO))
        )
    with refused("TRACKS"):
        await engine.publish(chair.room, chair.seat.id, Publication(await chair.offer(*[What.AUDIO] * 6)))
    assert chair.figures().tracks == ()


async def test_an_offer_is_taken_once_from_whomever_it_comes(browser: New, engine: Forwarder) -> None:
    chair, thief = await browser().join(), await browser().join()
    await chair.publish(What.AUDIO)
    assert chair.pub is not None
    sdp = chair.pub.localDescription.sdp
    for who in (chair, thief):
        with refused("REPLAYED"):
            await engine.publish(who.room, who.seat.id, Publication(sdp))
    await thief.shown(1)
    await chair.send(count=5)
    await until(lambda: thief.came == 5)
    assert thief.figures().tracks == ()


async def test_an_offer_of_a_stranger_gets_no_packet_through_and_is_dropped(browser: New, engine: Forwarder) -> None:
    """Without the key of its certificate nobody passes DTLS; what never stands is dropped."""
    thief = await browser().join()
    await engine.publish(thief.room, thief.seat.id, Publication(CHROMIUM))
    assert len(thief.figures().tracks) == 2
    assert not thief.figures().publishing
    await until(lambda: thief.dropped, "it is dropped")
    assert thief.dropped == [Dropped(Way.PUBLISH)]
    assert thief.figures().tracks == ()


async def test_an_answer_is_taken_once_and_for_its_own_offer(browser: New, engine: Forwarder) -> None:
    chair = await (await browser().join()).publish(What.AUDIO)
    viewer = await browser().join(VIEWER)
    await viewer.shown(1)
    assert viewer.sub is not None
    first = viewer.sub.localDescription.sdp
    for number in (1, 0, 2, -1, 10**12):
        with refused("REPLAYED"):
            await engine.answer(viewer.room, viewer.seat.id, number, first)
    viewer.answering = False
    await chair.publish(What.VIDEO)
    await until(lambda: len(viewer.offers) == 2)
    for number in (1, 3):
        with refused("REPLAYED"):
            await engine.answer(viewer.room, viewer.seat.id, number, first)
    with refused("TRACKS"):
        await engine.answer(viewer.room, viewer.seat.id, 2, first)
    await viewer.answer(viewer.offers[1])
    assert viewer.refused == []
    await viewer.shown(2)


def answer_with(extra: str) -> Callable[[str], str]:
    return lambda sdp: sdp + extra


EXTRA = "m=video 9 UDP/TLS/RTP/SAVPF 97\r\na=mid:8\r\na=recvonly\r\na=rtcp-mux\r\na=rtpmap:97 VP8/90000\r\n"
WRONG_ANSWERS: dict[str, tuple[Callable[[str], str], str]] = {
    "an extra line": (lambda sdp: sdp.replace("BUNDLE 0", "BUNDLE 0 8") + EXTRA, "TRACKS"),
    "a data channel": (answer_with(DATA + "\r\n"), "DATA"),
    "another mid": (lambda sdp: sdp.replace("BUNDLE 0", "BUNDLE 5").replace("a=mid:0", "a=mid:5"), "TRACKS"),
    "no role": (lambda sdp: sdp.replace("a=setup:active", "a=setup:actpass"), "MALFORMED"),
    "no codec": (lambda sdp: sdp.replace("opus/48000", "opus/8000"), "CODEC"),
    "nothing": (lambda sdp: "", "MALFORMED"),
    "huge": (lambda sdp: sdp + "a=x:" + "y" * 70_000, "SIZE"),
}


@pytest.mark.parametrize("case", WRONG_ANSWERS)
async def test_an_answer_is_refused_and_the_right_one_taken_after(case: str, browser: New, engine: Forwarder) -> None:
    chair = await (await browser().join()).publish(What.AUDIO)
    rogue = browser()
    rogue.mangle, why = WRONG_ANSWERS[case]
    await rogue.join(VIEWER)
    await until(lambda: rogue.refused, "it is refused")
    assert [problem.why.value for problem in rogue.refused] == [why]
    assert rogue.figures().legs == ()
    assert rogue.sub is not None
    await engine.answer(rogue.room, rogue.seat.id, 1, rogue.sub.localDescription.sdp)
    await rogue.shown(1)
    await chair.send(count=5)
    await until(lambda: rogue.came == 5)


async def test_signals_are_limited_per_seat(browser: New, engine: Forwarder) -> None:
    chair, other = await browser().join(), await browser().join()
    for _ in range(allowance.BURST):
        with pytest.raises(MediaRefused) as caught:
            await engine.candidate(chair.room, chair.seat.id, Way.PUBLISH, Candidate(""))
        assert caught.value.why in {Why.ORDER, Why.RATE}
    outcomes = list[Why]()
    for _ in range(allowance.BURST):
        with pytest.raises(MediaRefused) as caught:
            await engine.publish(chair.room, chair.seat.id, Publication(""))
        outcomes.append(caught.value.why)
    assert outcomes.count(Why.RATE) >= allowance.BURST // 2
    await other.publish(What.AUDIO)


async def test_candidates_are_limited_per_connection(browser: New, engine: Forwarder) -> None:
    chair = await (await browser().join()).publish(What.AUDIO)
    given = [
        Candidate(f"candidate:1 1 udp 1 192.0.2.1 {port} typ host") for port in range(1000, 1000 + candidates.MOST)
    ]
    for each in [*given, given[0]]:
        await engine.candidate(chair.room, chair.seat.id, Way.PUBLISH, each)
    with refused("SIZE"):
        await engine.candidate(
            chair.room, chair.seat.id, Way.PUBLISH, Candidate("candidate:1 1 udp 1 192.0.2.1 2000 typ host")
        )


async def test_a_library_that_fails_is_a_refusal_and_the_room_goes_on(
    browser: New, engine: Forwarder, monkeypatch: pytest.MonkeyPatch
) -> None:
    chair, viewer = await browser().join(), await browser().join(VIEWER)
    sdp = await chair.offer(What.AUDIO)
    before = tasks()

    async def broken(*_: object) -> None:
        raise AssertionError("deep inside")

    with monkeypatch.context() as patch:
        patch.setattr("aiortc.RTCPeerConnection.createAnswer", broken)
        with refused("FAILED"):
            await engine.publish(chair.room, chair.seat.id, Publication(sdp))
    await until(lambda: tasks() <= before, "nothing is left running")
    await chair.publish()
    await viewer.shown(1)
    await chair.send(count=5)
    await until(lambda: viewer.came == 5)


async def test_a_seat_that_fails_when_it_is_told_harms_nobody(browser: New, engine: Forwarder) -> None:
    chair, viewer = await browser().join(), await browser().join(VIEWER)
    deaf = browser()

    def fails(told: object) -> None:
        raise RuntimeError("nobody there")

    await engine.join(deaf.room, deaf.seat, Grant(receive=True), fails)
    await chair.publish(What.AUDIO)
    await viewer.shown(1)
    await chair.send(count=5)
    await until(lambda: viewer.came == 5)
    assert deaf.seat.id in engine.stats(chair.room).seats
