"""What receivers ask for and publishers are told: packets again, whole pictures, times, what networks carry."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiortc.rtp import (
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSenderInfo,
    RtcpSrPacket,
    pack_remb_fci,
    unpack_remb_fci,
)
from plugins.telehealth.media.browsers import VIEWER, Browser, Client, until

from bedside_telehealth.media import leg, path, wire
from bedside_telehealth.media.engine import What

New = Callable[[], Browser]


def listen(client: Client | None) -> list[Any]:
    """Return the list that the RTCP packets which a browser's connection gets from now on are put into."""
    assert client is not None
    came = list[Any]()

    async def take(data: bytes) -> None:
        came.extend(RtcpPacket.parse(data))

    client.dtls._handle_rtcp_data = take
    return came


async def say(client: Client | None, *packets: Any) -> None:
    assert client is not None
    await client.dtls._send_rtp(b"".join(bytes(packet) for packet in packets))


def ssrc(client: Client | None, line: int = 0) -> int:
    assert client is not None
    sender: Any = client.getTransceivers()[line].sender
    return sender._ssrc


def of(packets: list[Any], kind: type[Any], fmt: int | None = None) -> list[Any]:
    return [each for each in packets if isinstance(each, kind) and (fmt is None or each.fmt == fmt)]


def said(media: int) -> RtcpReceiverInfo:
    """A receiver's report: a quarter lost, 10 ms of jitter."""
    return RtcpReceiverInfo(
        ssrc=media, fraction_lost=64, packets_lost=1, highest_sequence=3, jitter=900, lsr=0x33445566, dlsr=0
    )


@pytest.fixture
async def chair(browser: New) -> Browser:
    return await (await browser().join()).publish(What.VIDEO)


@pytest.fixture
async def viewer(browser: New, chair: Browser) -> Browser:
    viewer = await browser().join(VIEWER)
    await viewer.shown(1)
    return viewer


async def test_a_packet_that_a_receiver_lost_comes_again_as_a_retransmission(chair: Browser, viewer: Browser) -> None:
    for number in range(10):
        await chair.send(payload=b"\x90%d" % number)
    await until(lambda: viewer.came == 10)
    assert viewer.sub is not None
    lost = viewer.sub.came[4]
    await say(viewer.sub, RtcpRtpfbPacket(fmt=1, ssrc=1, media_ssrc=lost.ssrc, lost=[lost.sequence_number]))
    await until(lambda: viewer.came == 11)
    again = viewer.sub.came[-1]
    assert again.ssrc != lost.ssrc
    assert again.payload_type == lost.payload_type + 1
    assert again.payload == lost.sequence_number.to_bytes(2, "big") + b"\x904"
    assert again.timestamp == lost.timestamp
    assert viewer.figures().legs[0].repeated == 1


async def test_nobody_gets_what_was_sent_before_they_came(browser: New, chair: Browser, viewer: Browser) -> None:
    await chair.send(count=10, payload=b"\x90secret")
    await until(lambda: viewer.came == 10)
    late = await browser().join(VIEWER)
    await late.shown(1)
    await chair.send(payload=b"\x90after")
    await until(lambda: late.came == 1)
    assert late.sub is not None
    (first,) = late.sub.came
    earlier = [(first.sequence_number - back) & 0xFFFF for back in range(1, 12)]
    await say(late.sub, RtcpRtpfbPacket(fmt=1, ssrc=1, media_ssrc=first.ssrc, lost=sorted(earlier)))
    await chair.send(payload=b"\x90last")
    await until(lambda: late.came == 2)
    assert [packet.payload for packet in late.sub.came] == [b"\x90after", b"\x90last"]


@pytest.mark.promise("T2")
async def test_a_flood_of_requests_is_answered_up_to_a_bound(chair: Browser, viewer: Browser) -> None:
    for _ in range(5):
        await chair.send(count=20, payload=b"\x90" * 100)
    await until(lambda: viewer.came == 100)
    assert viewer.sub is not None
    numbers = sorted(packet.sequence_number for packet in viewer.sub.came)
    media, began = viewer.sub.came[0].ssrc, time.monotonic()
    for _ in range(50):
        await say(viewer.sub, RtcpRtpfbPacket(fmt=1, ssrc=1, media_ssrc=media, lost=numbers))
    await say(viewer.sub, RtcpRrPacket(ssrc=1, reports=[said(media)]))
    await until(lambda: viewer.figures().legs[0].loss, "all were heard")
    bound = leg.REPEATS_A_SECOND * (2 + time.monotonic() - began)
    assert leg.REPEATS_A_SECOND <= viewer.figures().legs[0].repeated <= bound


async def test_a_gap_is_asked_for_and_closed_by_a_retransmission(chair: Browser, viewer: Browser) -> None:
    assert chair.pub is not None
    told = listen(chair.pub)
    await chair.send(count=5)
    await chair.send(payload=b"\x90behind", sequence_number=9)
    await until(lambda: of(told, RtcpRtpfbPacket, 1), "it is asked for")
    (asked, *_) = of(told, RtcpRtpfbPacket, 1)
    assert (asked.media_ssrc, asked.lost) == (ssrc(chair.pub), [6, 7, 8])
    sender: Any = chair.pub.getTransceivers()[0].sender
    media = sender.transport, chair.pub.getTransceivers()[0]._codecs[1].payloadType
    for number in (7, 9, 30):
        await chair.send(
            payload=number.to_bytes(2, "big") + b"\x90again",
            ssrc=sender._rtx_ssrc,
            payload_type=media[1],
            sequence_number=number,
        )
    await until(lambda: viewer.came == 7)
    assert viewer.sub is not None
    payloads = [packet.payload for packet in sorted(viewer.sub.came, key=lambda packet: packet.sequence_number)]
    assert payloads[5:] == [b"\x90again", b"\x90behind"]
    assert chair.figures().tracks[0].lost == 2


async def test_who_joins_has_one_picture_asked_for_once_it_can_be_received(browser: New, chair: Browser) -> None:
    """An earlier one would be lost, and browsers make no second so soon."""
    told = listen(chair.pub)
    viewer = await browser().join(VIEWER)
    await viewer.shown(1)
    await until(lambda: of(told, RtcpPsfbPacket, 1), "a picture is asked for")
    await chair.send(count=3)
    await until(lambda: of(told, RtcpRrPacket), "a second has passed")
    assert len(of(told, RtcpPsfbPacket, 1)) == 1


async def test_many_who_join_or_ask_at_once_make_few_requests_for_a_picture(browser: New, chair: Browser) -> None:
    told = listen(chair.pub)
    viewers = [await browser().join(VIEWER) for _ in range(6)]
    for viewer in viewers:
        await viewer.shown(1)
    await until(lambda: of(told, RtcpPsfbPacket, 1), "a picture is asked for")
    loop = asyncio.get_running_loop()
    began, before = loop.time(), len(of(told, RtcpPsfbPacket, 1))
    assert before <= 6
    for _ in range(10):
        for viewer in viewers:
            media = viewer.figures().legs and next(iter(viewer.sub.dtls._rtp_router.ssrc_table), 0)  # type: ignore[union-attr]
            await say(viewer.sub, RtcpPsfbPacket(fmt=1, ssrc=1, media_ssrc=media))
    await until(lambda: len(of(told, RtcpPsfbPacket, 1)) > before, "they are heard")
    spent = loop.time() - began
    assert len(of(told, RtcpPsfbPacket, 1)) - before <= 2 + spent / 0.5
    assert {each.media_ssrc for each in of(told, RtcpPsfbPacket, 1)} == {ssrc(chair.pub)}


async def test_a_publishers_times_reach_each_receiver_in_its_own_numbers(chair: Browser, viewer: Browser) -> None:
    told = listen(viewer.sub)
    await chair.send(count=3)
    await until(lambda: viewer.came == 3)
    assert viewer.sub is not None
    last = viewer.sub.came[-1]
    info = RtcpSenderInfo(ntp_timestamp=0x1122334455667788, rtp_timestamp=3 * 960, packet_count=3, octet_count=120)
    await say(chair.pub, RtcpSrPacket(ssrc=ssrc(chair.pub), sender_info=info))
    await until(lambda: of(told, RtcpSrPacket), "it is passed on")
    (report,) = of(told, RtcpSrPacket)
    assert report.ssrc == last.ssrc
    assert report.sender_info.ntp_timestamp == 0x1122334455667788
    assert report.sender_info.rtp_timestamp == last.timestamp
    assert report.sender_info.packet_count == 3


async def test_a_publisher_is_told_each_second_what_came_and_what_it_may_send(chair: Browser, viewer: Browser) -> None:
    told = listen(chair.pub)
    await chair.send(count=10)
    await until(lambda: of(told, RtcpRrPacket) and of(told, RtcpPsfbPacket, 15), "it is told")
    (block,) = of(told, RtcpRrPacket)[0].reports
    assert (block.ssrc, block.packets_lost, block.fraction_lost) == (ssrc(chair.pub), 0, 0)
    bits, streams = unpack_remb_fci(of(told, RtcpPsfbPacket, 15)[0].fci)
    assert streams == [ssrc(chair.pub)]
    assert 0.99 * path.MOST_BITS <= bits <= path.MOST_BITS

    del told[:]
    assert viewer.sub is not None
    media = viewer.sub.came[0].ssrc
    await say(viewer.sub, RtcpPsfbPacket(fmt=15, ssrc=1, media_ssrc=0, fci=pack_remb_fci(500_000, [media])))
    await until(
        lambda: [1 for each in of(told, RtcpPsfbPacket, 15) if 495_000 <= unpack_remb_fci(each.fci)[0] <= 500_000],
        "the slowest receiver counts",
    )


@pytest.mark.rule("T18")
async def test_what_a_receiver_reports_is_in_the_figures(chair: Browser, viewer: Browser) -> None:
    await chair.send(count=3)
    await until(lambda: viewer.came == 3)
    info = RtcpSenderInfo(ntp_timestamp=0x1122334455667788, rtp_timestamp=0, packet_count=3, octet_count=120)
    told = listen(viewer.sub)
    await say(chair.pub, RtcpSrPacket(ssrc=ssrc(chair.pub), sender_info=info))
    await until(lambda: of(told, RtcpSrPacket))
    assert viewer.sub is not None
    await say(viewer.sub, RtcpRrPacket(ssrc=1, reports=[said(viewer.sub.came[0].ssrc)]))
    await until(lambda: viewer.figures().legs[0].loss, "it is kept")
    figures = viewer.figures().legs[0]
    assert (figures.loss, figures.jitter) == (0.25, 0.01)
    assert 0 <= figures.round_trip < 10


def test_rtcp_that_is_cut_or_nonsense_says_nothing_and_raises_nothing() -> None:
    whole = wire.receiver_report(1, [wire.report_block(2, 3, 4, 5, 6, 7)]) + wire.lost(1, 2, [10, 300])
    assert [type(said) for said in wire.read(whole)] == [wire.Report, wire.Lost]
    for size in range(len(whole)):
        assert len(list(wire.read(whole[:size]))) <= 1
    for kind in range(192, 224):
        for count in range(32):
            for words in (0, 1, 2, 3, 7):
                list(wire.read(bytes((0x80 | count, kind, 0, words)) + b"\xff" * 28))
