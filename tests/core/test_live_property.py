"""Whatever is lost, late, doubled or cut: each subscriber sees each position once and in order."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_stage import Network, Store, Subscriber, messages, topic, turns

from bedside_core.live import Live, Topic
from rulebook import size

PROCESSES = 2
TOPICS = 2
SUBSCRIBERS = 6

which = st.integers(0, 11)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("commit and announce"), which),
        st.tuples(st.just("commit and die before announcing"), which),
        st.tuples(st.sampled_from(["deliver", "deliver and keep to deliver again", "lose"]), which),
        st.tuples(st.just("poll"), which),
        st.tuples(st.just("cut"), which),
        st.tuples(st.just("resume"), which),
        st.tuples(st.just("let run"), st.integers(1, 8)),
        st.tuples(st.just("compare"), which),
    ),
    min_size=5,
    max_size=60,
)


class Play:
    """Two processes, two conversations and six subscribers, and what can happen to them."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.store, self.network = Store(page=2), Network()
        self.topics = [topic() for _ in range(TOPICS)]
        self.processes: list[Live] = []
        self.subscribers: list[tuple[Subscriber, Topic]] = []
        self._polls: set[asyncio.Task[None]] = set()

    async def begin(self) -> None:
        for _ in range(PROCESSES):
            live = Live(self.network.node(), poll_seconds=3600)
            live.add_kind(self.store.kind)
            await self._stack.enter_async_context(live.running())
            self.processes.append(live)
        for i in range(SUBSCRIBERS):
            here = self.topics[i // 2 % TOPICS]
            subscriber = Subscriber(self.processes[i % PROCESSES], here, self.store.reader(here.id))
            subscriber.resume()
            self.subscribers.append((subscriber, here))

    async def step(self, what: str, n: int) -> None:
        here, live = self.topics[n % TOPICS], self.processes[n // 2 % PROCESSES]
        subscriber, _ = self.subscribers[n % SUBSCRIBERS]
        match what:
            case "commit and announce":
                live.publish(here, self.store.commit(here.id))
            case "commit and die before announcing":
                self.store.commit(here.id)
            case "deliver":
                self.network.deliver(n)
            case "deliver and keep to deliver again":
                self.network.deliver(n, keep=True)
            case "lose":
                self.network.drop(n)
            case "poll":  # its answer comes some turns later, and may be old by then
                self._polls.add(asyncio.create_task(live.poll()))
            case "cut":
                await subscriber.cut()
            case "resume":
                subscriber.resume()
            case "compare":
                await self.compare()
            case _:
                await turns(n)

    async def compare(self) -> None:
        """Whoever is connected has everything, once and in order, as soon as a poll has looked."""
        await asyncio.gather(*self._polls, *(live.poll() for live in self.processes))
        self._polls.clear()
        await turns(500)  # there is nothing but turns of the loop to wait for
        for subscriber, here in self.subscribers:
            if subscriber.connected:
                assert subscriber.got == messages(self.store.position.get(here.id, 0))

    async def end(self) -> None:
        for subscriber, _ in self.subscribers:
            subscriber.resume()
        await turns()
        await self.compare()
        for subscriber, _ in self.subscribers:
            assert subscriber.connected
            await subscriber.cut()
        assert [(live.topics, live.attached) for live in self.processes] == [(0, 0)] * PROCESSES


async def play(script: list[tuple[str, int]]) -> None:
    async with AsyncExitStack() as stack:
        play = Play(stack)
        await play.begin()
        for what, n in script:
            await play.step(what, n)
        await play.end()


@pytest.mark.promise("D2")
@pytest.mark.promise("D5")
@settings(max_examples=size(300, 5000), deadline=None)
@given(steps)
def test_a_subscriber_cut_and_resumed_at_any_moment_loses_and_doubles_nothing(script: list[tuple[str, int]]) -> None:
    asyncio.run(play(script))
