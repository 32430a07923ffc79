"""Who is there, told between processes: across nodes that come, go and die."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest
from live_stage import Network, until

from bedside_core.live import Live, LocalBus, Presence, Topic


@pytest.mark.rule("C14")
async def test_who_is_on_one_process_is_there_for_the_others_also_for_one_that_starts_later() -> None:
    network, ada = Network(), uuid4()
    lives = [Live(network.node()) for _ in range(3)]
    one, two, three = (Presence(live, linger_seconds=0.0) for live in lives)
    moved: list[UUID] = []
    async with lives[0].running(), lives[1].running(), one.running(), two.running():
        with two.watching([ada], moved.append):
            one.came(ada)
            assert (one.online(ada), two.online(ada), moved) == (True, True, [ada])
            one.came(ada)  # a second tab
            one.went(ada)
            assert (two.online(ada), moved) == (True, [ada])
            async with lives[2].running(), three.running():
                await until(lambda: three.online(ada), "the answer to the one that has started")
                three.came(ada)
                one.went(ada)
                await until(lambda: not one._lingering, "leaving")
                assert two.online(ada)  # by the third
                three.went(ada)
                await until(lambda: not two.online(ada), "leaving")
            assert moved == [ada, ada]
        one.came(ada)
        assert moved == [ada, ada]  # whoever watches no more is told no more
    assert not two._watchers


async def test_whom_a_process_that_died_told_of_is_forgotten() -> None:
    network, ada = Network(), uuid4()
    dying, left = Live(network.node()), Live(network.node())
    one, two = Presence(dying), Presence(left)
    moved: list[UUID] = []
    async with left.running():
        async with dying.running():
            one.came(ada)
            assert two.online(ada)
        with two.watching([ada], moved.append):
            now = asyncio.get_running_loop().time()
            two.forget(now - 60)
            assert (two.online(ada), moved) == (True, [])
            two.forget(now + 60)
            assert (two.online(ada), moved) == (False, [ada])


async def test_a_page_that_is_loaded_again_does_not_go_in_between() -> None:
    live, ada = Live(LocalBus()), uuid4()
    presence, moved = Presence(live, linger_seconds=3600), list[UUID]()
    async with live.running(), presence.running():
        with presence.watching([ada], moved.append):
            presence.came(ada)
            presence.went(ada)
            assert presence.online(ada)
            presence.came(ada)
            assert moved == [ada]
    assert not presence._lingering


async def test_a_signal_of_a_kind_is_heard_by_one_and_one_that_fails_harms_nobody() -> None:
    live, heard = Live(LocalBus()), list[tuple[Topic, UUID]]()
    here, about = Topic("ward_bell", uuid4()), uuid4()
    live.signal(here, about)  # nobody hears it
    live.on_signal("ward_bell", lambda topic, about: heard.append((topic, about)))
    with pytest.raises(ValueError, match="heard already"):
        live.on_signal("ward_bell", print)

    def fail(topic: Topic, about: UUID) -> None:
        raise SystemExit

    live.on_signal("ward_fire", fail)
    live.signal(Topic("ward_fire", uuid4()), about)
    live.signal(here, about)
    assert heard == [(here, about)]
