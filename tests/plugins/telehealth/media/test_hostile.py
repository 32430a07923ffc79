"""Whatever a hostile client sends, nobody hears it: the server forwards what it granted (T11, promises T1 and A4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from aiortc.rtp import RtpPacket
from plugins.telehealth.media.browsers import ALL, VIEWER, Browser, refused, until

from bedside_telehealth.media.engine import (
    Candidate,
    Dropped,
    Grant,
    Publication,
    Way,
    What,
)
from bedside_telehealth.media.forwarder import Forwarder

New = Callable[[], Browser]


async def heard_after(witness: Browser, honest: Browser) -> list[bytes]:
    """Return the payloads that a witness has, once a packet that was sent after all others is among them."""
    await honest.send(payload=b"marker")
    assert witness.sub is not None
    came = witness.sub.came
    await until(lambda: any(packet.payload == b"marker" for packet in came), "the marker came")
    return [packet.payload for packet in came if packet.payload != b"marker"]


@pytest.fixture
async def chair(browser: New) -> Browser:
    """An honest publisher, who is there first."""
    return await (await browser().join()).publish(What.AUDIO)


@pytest.fixture
async def witness(browser: New, chair: Browser) -> Browser:
    """Who must not hear anything but the honest."""
    witness = await browser().join(VIEWER)
    await witness.shown(1)
    return witness


@pytest.mark.rule("T11")
@pytest.mark.promise("T1")
async def test_a_viewer_who_publishes_is_refused_and_gets_no_connection(
    browser: New, engine: Forwarder, chair: Browser, witness: Browser
) -> None:
    viewer = await browser().join(VIEWER)
    sdp = await viewer.offer(What.AUDIO, What.VIDEO)
    with refused("GRANT"):
        await engine.publish(viewer.room, viewer.seat.id, Publication(sdp))
    assert viewer.figures().tracks == ()
    assert not viewer.figures().publishing
    assert await heard_after(witness, chair) == []
    assert len(witness.offers) == 1


@pytest.mark.rule("T11")
@pytest.mark.promise("T1")
@pytest.mark.rule("T15")
async def test_who_waits_has_no_seat_and_can_do_nothing(
    browser: New, engine: Forwarder, chair: Browser, witness: Browser
) -> None:
    guest = browser()
    sdp = await guest.offer(What.AUDIO)
    with refused("NO_SEAT"):
        await engine.publish(guest.room, guest.seat.id, Publication(sdp))
    with refused("NO_SEAT"):
        await engine.answer(guest.room, guest.seat.id, 1, sdp)
    with refused("NO_SEAT"):
        await engine.candidate(guest.room, guest.seat.id, Way.PUBLISH, Candidate(""))
    with refused("NO_SEAT"):
        await engine.publish(uuid4(), chair.seat.id, Publication(sdp))
    engine.regrant(guest.room, guest.seat.id, ALL)
    engine.leave(guest.room, guest.seat.id)
    assert set(engine.stats(guest.room).seats) == {chair.seat.id, witness.seat.id}
    assert await heard_after(witness, chair) == []


@pytest.mark.rule("T11")
@pytest.mark.promise("T1")
async def test_more_than_was_granted_is_refused_whole(
    browser: New, engine: Forwarder, chair: Browser, witness: Browser
) -> None:
    speaker = await browser().join(Grant(audio=True, receive=True))
    sdp = await speaker.offer(What.AUDIO, What.VIDEO)
    with refused("GRANT"):
        await engine.publish(speaker.room, speaker.seat.id, Publication(sdp))
    assert speaker.figures().tracks == ()
    speaker.closed.append(speaker.pub)  # type: ignore[arg-type]
    speaker.pub = None
    await speaker.publish(What.AUDIO)
    assert [track.what for track in speaker.figures().tracks] == [What.AUDIO]
    assert await heard_after(witness, chair) == []


@pytest.mark.rule("T11")
@pytest.mark.promise("T1")
@pytest.mark.parametrize("direction", ["sendrecv", "sendonly"])
async def test_an_answer_that_wants_to_send_is_refused_and_the_right_one_still_taken(
    direction: str, browser: New, engine: Forwarder, chair: Browser, witness: Browser
) -> None:
    rogue = browser()
    rogue.mangle = lambda sdp: sdp.replace("a=recvonly", f"a={direction}")
    await rogue.join(VIEWER)
    await until(lambda: rogue.refused, "the answer is refused")
    assert [problem.detail for problem in rogue.refused] == [{"why": "DIRECTION"}]
    assert rogue.figures().legs == ()
    assert rogue.sub is not None
    await engine.answer(rogue.room, rogue.seat.id, rogue.offers[0].number, rogue.sub.localDescription.sdp)
    await rogue.shown(1)

    payload: Any = rogue.sub.getTransceivers()[0]._codecs[0].payloadType
    for number in range(50):
        packet = RtpPacket(payload_type=payload, sequence_number=number, ssrc=4711)
        packet.payload = b"heard?"
        await rogue.sub.dtls._send_rtp(packet.serialize())
    await until(lambda: rogue.figures().strange >= 50, "the server got them")
    assert rogue.figures().tracks == ()
    assert await heard_after(witness, chair) == []


@pytest.mark.rule("T11")
@pytest.mark.promise("T1")
async def test_packets_of_unknown_streams_and_payload_types_go_nowhere(
    browser: New, chair: Browser, witness: Browser
) -> None:
    rogue = await (await browser().join(Grant(audio=True))).publish(What.AUDIO)
    await witness.shown(2)
    assert chair.pub is not None
    chairs: int = chair.pub.getTransceivers()[0].sender._ssrc
    before = rogue.figures().strange
    await rogue.send(count=20, payload=b"spoofed", ssrc=4711)
    await rogue.send(count=20, payload=b"spoofed", ssrc=chairs)
    await rogue.send(count=20, payload=b"spoofed", payload_type=127)
    await until(lambda: rogue.figures().strange == before + 60, "the server got them")
    assert rogue.received == 0
    assert await heard_after(witness, chair) == []
    assert chair.received == 1


@pytest.mark.rule("T11")
@pytest.mark.promise("T1")
async def test_a_packet_sent_again_is_heard_once(browser: New, chair: Browser, witness: Browser) -> None:
    assert chair.pub is not None
    transceiver: Any = chair.pub.getTransceivers()[0]
    packet = RtpPacket(
        payload_type=transceiver._codecs[0].payloadType, sequence_number=500, ssrc=transceiver.sender._ssrc
    )
    packet.payload = b"once"
    data = chair.pub.dtls._tx_srtp.protect(packet.serialize())
    before = chair.figures().strange
    for _ in range(30):
        await chair.pub.dtls.transport._send(data)
    await until(lambda: chair.figures().strange == before + 29, "all came")
    chair._numbers[0] = 500
    assert await heard_after(witness, chair) == [b"once"]


@pytest.mark.rule("T11")
@pytest.mark.promise("T1")
@pytest.mark.promise("A4")
async def test_who_is_removed_and_keeps_sending_is_not_heard(
    browser: New, engine: Forwarder, chair: Browser, witness: Browser
) -> None:
    rogue = await (await browser().join()).publish(What.AUDIO, What.VIDEO)
    await witness.shown(3)
    await rogue.send(count=10, payload=b"before")
    await until(lambda: witness.came == 10)
    await rogue.shown(1)
    assert rogue.sub is not None

    engine.leave(rogue.room, rogue.seat.id)
    await rogue.send(count=100, payload=b"after")
    await rogue.send(1, count=100, payload=b"after")
    for each in (Candidate("candidate:1 1 udp 1 127.0.0.1 5000 typ host"), Candidate("")):
        with refused("NO_SEAT"):
            await engine.candidate(rogue.room, rogue.seat.id, Way.PUBLISH, each)
    came = rogue.came
    assert await heard_after(witness, chair) == [b"before"] * 10
    assert rogue.came == came
    await until(lambda: witness.offers[-1].tracks == witness.offers[0].tracks, "its tracks are offered no more")
    assert rogue.gone == []


@pytest.mark.rule("T9")
@pytest.mark.rule("T11")
@pytest.mark.promise("A4")
async def test_a_role_lowered_in_the_call_cuts_at_once(
    browser: New, engine: Forwarder, chair: Browser, witness: Browser
) -> None:
    rogue = await (await browser().join()).publish(What.AUDIO, What.VIDEO)
    await witness.shown(3)
    await rogue.send(0, count=5, payload=b"voice")
    await rogue.send(1, count=5, payload=b"picture")
    await until(lambda: witness.came == 10)

    engine.regrant(rogue.room, rogue.seat.id, Grant(audio=True, receive=True))
    await rogue.send(1, count=100, payload=b"after")
    await rogue.send(0, count=5, payload=b"voice")
    await until(lambda: witness.came == 15)
    assert [track.what for track in rogue.figures().tracks] == [What.AUDIO]

    engine.regrant(rogue.room, rogue.seat.id, VIEWER)
    await rogue.send(0, count=100, payload=b"after")
    heard = await heard_after(witness, chair)
    assert sorted(heard) == [b"picture"] * 5 + [b"voice"] * 10
    assert rogue.figures().tracks == ()
    await rogue.shown(1)

    engine.regrant(rogue.room, rogue.seat.id, ALL)
    assert rogue.figures().tracks == (), "nobody's camera opens by another's act"


@pytest.mark.rule("T9")
@pytest.mark.promise("A4")
async def test_who_may_not_receive_any_more_gets_nothing(
    engine: Forwarder, chair: Browser, witness: Browser, browser: New
) -> None:
    other = await browser().join(VIEWER)
    await other.shown(1)
    engine.regrant(witness.room, witness.seat.id, Grant())
    await chair.send(count=20)
    await until(lambda: other.came == 20)
    assert witness.came == 0
    assert not witness.figures().receiving


@pytest.mark.rule("T11")
@pytest.mark.promise("A4")
@pytest.mark.parametrize("act", ["lowered", "removed"])
async def test_what_is_lowered_while_an_offer_is_being_answered_counts(
    act: str, browser: New, engine: Forwarder, chair: Browser, witness: Browser
) -> None:
    rogue = await browser().join()
    sdp = await rogue.offer(What.AUDIO)
    publishing = asyncio.create_task(engine.publish(rogue.room, rogue.seat.id, Publication(sdp)))
    await asyncio.sleep(0)  # it has begun, and waits
    assert not publishing.done()
    if act == "lowered":
        engine.regrant(rogue.room, rogue.seat.id, VIEWER)
    else:
        engine.leave(rogue.room, rogue.seat.id)
    with refused("GRANT" if act == "lowered" else "NO_SEAT"):
        await publishing
    seats = engine.stats(rogue.room).seats
    assert seats[rogue.seat.id].tracks == () if act == "lowered" else rogue.seat.id not in seats
    assert await heard_after(witness, chair) == []
    assert len(witness.offers) == 1


@pytest.mark.promise("T2")
async def test_a_flood_of_packets_is_cut_at_what_is_forwarded(chair: Browser, witness: Browser) -> None:
    for _ in range(20):
        await chair.send(count=10, payload=b"x" * 1_000)
    await until(lambda: chair.received == 200)
    (track,) = chair.figures().tracks
    assert track.discarded >= 200 - 2 * 64
    assert witness.figures().legs[0].packets == 200 - track.discarded


@pytest.mark.rule("T16")
async def test_a_connection_that_the_browser_closes_is_told_and_leaves_the_seat(
    engine: Forwarder, chair: Browser, witness: Browser
) -> None:
    assert chair.pub is not None
    await chair.pub.close()
    await until(lambda: chair.dropped, "it is told")
    assert chair.dropped == [Dropped(Way.PUBLISH)]
    await until(lambda: witness.offers[-1].tracks == (), "the others see it gone")
    assert chair.seat.id in engine.stats(chair.room).seats
    chair.pub = None
    await chair.publish(What.AUDIO)
    await witness.shown(1)
    assert await heard_after(witness, chair) == []
