"""Packets of one reach all others, as they were sent, and only what was published."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from plugins.telehealth.media.browsers import VIEWER, Browser, until

from bedside_telehealth.media.engine import What

New = Callable[[], Browser]


@pytest.mark.rule("T9")
async def test_what_one_publishes_reaches_every_other_and_not_themselves(browser: New) -> None:
    chair = await browser().join()
    viewers = [await browser().join(VIEWER) for _ in range(3)]
    await chair.publish(What.AUDIO, What.VIDEO)
    for viewer in viewers:
        await viewer.shown(2)
    for _ in range(20):
        await chair.send(0, payload=b"voice")
        await chair.send(1, payload=b"\x90picture")
    await until(lambda: all(viewer.came == 40 for viewer in viewers), "all got all")
    for viewer in viewers:
        assert viewer.sub is not None
        payloads = [packet.payload for packet in viewer.sub.came]
        assert payloads.count(b"voice") == 20
        assert payloads.count(b"\x90picture") == 20
        (offer,) = viewer.offers[-1:]
        assert [(t.seat, t.participant, t.what) for t in offer.tracks] == [
            (chair.seat.id, chair.seat.participant, What.AUDIO),
            (chair.seat.id, chair.seat.participant, What.VIDEO),
        ]
        assert sorted(leg.packets for leg in viewer.figures().legs) == [20, 20]
    assert chair.offers == []


async def test_numbers_go_on_without_a_break_when_another_takes_over_a_line(browser: New) -> None:
    viewer = await browser().join(VIEWER)
    first, second = await browser().join(), browser()
    await first.publish(What.AUDIO)
    await viewer.shown(1)
    await first.send(count=10)
    await until(lambda: viewer.came == 10)
    first.leave()
    await until(lambda: viewer.offers[-1].tracks == (), "the first is gone")
    await second.join()
    await second.publish(What.AUDIO)
    await viewer.shown(1)
    await second.send(count=10)
    await until(lambda: viewer.came == 20)
    assert viewer.sub is not None
    numbers = [packet.sequence_number for packet in viewer.sub.came]
    assert numbers == [(numbers[0] + step) & 0xFFFF for step in range(20)]
    assert len({packet.ssrc for packet in viewer.sub.came}) == 1
    assert len(viewer.sub.getTransceivers()) == 1


@pytest.mark.rule("T4")
async def test_a_screen_is_added_to_a_running_publication(browser: New) -> None:
    chair, viewer = await browser().join(), await browser().join(VIEWER)
    await chair.publish(What.AUDIO, What.VIDEO)
    await viewer.shown(2)
    await chair.publish(What.SCREEN)
    await viewer.shown(3)
    assert [track.what for track in viewer.offers[-1].tracks] == [What.AUDIO, What.VIDEO, What.SCREEN]
    await chair.send(2, count=5)
    await until(lambda: viewer.came == 5)
    assert [(leg.what, leg.packets) for leg in viewer.figures().legs] == [
        (What.AUDIO, 0),
        (What.VIDEO, 0),
        (What.SCREEN, 5),
    ]


async def test_who_comes_later_is_offered_what_there_is(browser: New) -> None:
    chair = await (await browser().join()).publish(What.VIDEO)
    await chair.send(count=5)
    await until(lambda: chair.received == 5)
    late = await browser().join(VIEWER)
    await late.shown(1)
    await chair.send(count=5)
    await until(lambda: late.came == 5)
    assert late.figures().legs[0].packets == 5


@pytest.mark.rule("T16")
async def test_a_newer_tab_of_the_same_participant_has_the_others_tracks(browser: New) -> None:
    chair = await (await browser().join()).publish(What.AUDIO)
    old, new = await browser().join(VIEWER), browser()
    await old.shown(1)
    old.leave()
    await new.join(VIEWER)
    await new.shown(1)
    await chair.send(count=5)
    await until(lambda: new.came == 5)
    assert old.came == 0


async def test_a_browser_that_lost_its_connections_publishes_anew_in_the_same_seat(browser: New) -> None:
    chair, viewer = await browser().join(), await browser().join(VIEWER)
    await chair.publish(What.AUDIO)
    await viewer.shown(1)
    assert chair.pub is not None
    chair.closed.append(chair.pub)
    chair.pub = None
    await chair.publish(What.AUDIO)
    await until(lambda: len(viewer.offers) > 1, "it is offered anew")
    await viewer.shown(1)
    await chair.send(count=5)
    await until(lambda: viewer.came == 5)
    assert chair.dropped == []
