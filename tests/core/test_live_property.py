"""Whatever is lost, late, doubled or cut: each subscriber sees each position once and in order."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_stage import Network, Store, Subscriber, messages, topic, turns, until

from bedside_core.live import Live
from rulebook import size

PROCESSES = 2
TOPICS = 2
SUBSCRIBERS = 6

which = st.integers(0, 30)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("commit and announce"), which),
        st.tuples(st.just("commit and announce"), which),
        st.tuples(st.just("commit and die before announcing"), which),
        st.tuples(st.just("deliver"), which),
        st.tuples(st.just("deliver and keep to deliver again"), which),
        st.tuples(st.just("lose"), which),
        st.tuples(st.just("poll"), which),
        st.tuples(st.just("cut"), which),
        st.tuples(st.just("resume"), which),
        st.tuples(st.just("let run"), st.integers(1, 12)),
    ),
    max_size=60,
)


async def play(script: list[tuple[str, int]]) -> None:
    store, network = Store(page=2), Network()
    topics = [topic() for _ in range(TOPICS)]
    async with AsyncExitStack() as stack:
        processes: list[Live] = []
        for _ in range(PROCESSES):
            live = Live(network.node(), poll_seconds=3600)
            live.add_kind(store.kind)
            await stack.enter_async_context(live.running())
            processes.append(live)
        subscribers = [
            Subscriber(processes[i % PROCESSES], topics[i // 2 % TOPICS], store.reader(topics[i // 2 % TOPICS].id))
            for i in range(SUBSCRIBERS)
        ]
        polls: set[asyncio.Task[None]] = set()
        for step, n in script:
            here, live, subscriber = topics[n % TOPICS], processes[n // 2 % PROCESSES], subscribers[n % SUBSCRIBERS]
            match step:
                case "commit and announce":
                    live.publish(here, store.commit(here.id))
                case "commit and die before announcing":
                    store.commit(here.id)
                case "deliver":
                    network.deliver(n)
                case "deliver and keep to deliver again":
                    network.deliver(n, keep=True)
                case "lose":
                    network.drop(n)
                case "poll":  # its answer comes some turns later, and may be old by then
                    polls.add(asyncio.create_task(live.poll()))
                case "cut":
                    await subscriber.cut()
                case "resume":
                    subscriber.resume()
                case _:
                    await turns(n)
        for subscriber in subscribers:
            subscriber.resume()
        await turns()
        network.under_way.clear()  # nothing more comes over the bus
        await asyncio.gather(*polls, *(live.poll() for live in processes))
        want = [messages(store.position.get(topics[i // 2 % TOPICS].id, 0)) for i in range(SUBSCRIBERS)]
        await until(lambda: all(len(s.got) >= len(w) for s, w in zip(subscribers, want, strict=True)), "everything")
        await turns()
        assert [subscriber.got for subscriber in subscribers] == want
        for subscriber in subscribers:
            await subscriber.cut()
        assert [live.attached for live in processes] == [0, 0]


@pytest.mark.promise("D2")
@pytest.mark.promise("D5")
@settings(max_examples=size(300, 5000), deadline=None)
@given(steps)
def test_a_subscriber_cut_and_resumed_at_any_moment_loses_and_doubles_nothing(script: list[tuple[str, int]]) -> None:
    asyncio.run(play(script))
