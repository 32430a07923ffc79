"""Attaching, announcing, polling and following within one process."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from collections.abc import Mapping, Sequence
from contextlib import aclosing, closing
from uuid import UUID, uuid4

import pytest
from live_stage import KIND, Network, Store, Subscriber, messages, topic, turns, until

from bedside_core.live import Live, LocalBus, StreamKind, Topic, Wake, follow


def alone(store: Store, **options: float) -> Live:
    live = Live(LocalBus(), **options)
    live.add_kind(store.kind)
    return live


async def waiting(wake: Wake, after: int | None = None) -> asyncio.Task[int]:
    """A task that is inside `wake.wait()`."""
    task = asyncio.create_task(wake.wait(after))
    await turns()
    assert not task.done()
    return task


async def test_an_announcement_between_attach_and_wait_is_not_missed() -> None:
    live, here = alone(Store()), topic()
    with live.attach(here) as wake:
        live.publish(here, 7)
        assert await wake.wait() == 7


async def test_any_number_of_announcements_wake_a_slow_reader_once_with_the_newest() -> None:
    live, here = alone(Store()), topic()
    with live.attach(here) as wake:
        for position in range(1, 10_001):
            live.publish(here, position)
        assert await wake.wait() == 10_000
        task = await waiting(wake)
        live.publish(here, 10_001)
        assert await task == 10_001
    assert live.counts.published == 10_001


async def test_announcements_that_come_late_twice_or_from_before_the_attachment_do_not_wake() -> None:
    live, here = alone(Store()), topic()
    with live.attach(here) as first:
        live.publish(here, 5)
        with live.attach(here) as second:
            task = await waiting(second)
            live.publish(here, 5)
            live.publish(here, 3)
            await turns()
            assert not task.done()
            live.publish(here, 6)
            assert await task == 6
        assert await first.wait() == 6


async def test_other_topics_and_kinds_do_not_wake() -> None:
    live, here = alone(Store()), topic()
    with live.attach(here) as wake:
        task = await waiting(wake)
        live.publish(topic(), 1)
        live.publish(Topic("unheard_of", here.id), 1)
        await turns()
        assert not task.done()
        live.publish((KIND, here.id), 1)
        assert await task == 1


async def test_a_reader_that_has_read_further_than_it_was_told_is_spared_the_wake() -> None:
    live, here = alone(Store()), topic()
    with live.attach(here) as wake:
        task = await waiting(wake, 4)
        live.publish(here, 4)
        await turns()
        assert not task.done()
        live.publish(here, 5)
        assert await task == 5


async def test_waiting_after_the_end_or_twice_at_once_is_refused_instead_of_hanging() -> None:
    live, here = alone(Store()), topic()
    with live.attach(here) as wake:
        task = await waiting(wake)
        with pytest.raises(RuntimeError, match="another task waits"):
            await wake.wait()
    with pytest.raises(RuntimeError, match="detached"):
        await task
    with pytest.raises(RuntimeError, match="detached"):
        await wake.wait()


async def test_a_cancelled_wait_can_be_repeated() -> None:
    live, here = alone(Store()), topic()
    with live.attach(here) as wake:
        task = await waiting(wake)
        task.cancel()
        await asyncio.wait({task})
        live.publish(here, 1)
        assert await wake.wait() == 1


async def test_a_kind_must_be_known_unique_and_fit_for_the_wire() -> None:
    store = Store()
    live = alone(store)
    with pytest.raises(LookupError):
        live.attach(Topic("unheard_of", uuid4()))
    with pytest.raises(LookupError):
        live.watch(Topic("unheard_of", uuid4()), print)
    with pytest.raises(ValueError, match="already"):
        live.add_kind(store.kind)
    for name in ("", "Practice", "a b", "a:b", "é", "x" * 41):
        with pytest.raises(ValueError, match="lower-case"):
            StreamKind(name, store.positions, "")
    assert live.kinds == (store.kind,)
    assert live.topics == 0


async def test_a_watch_calls_once_for_many_announcements_and_not_after_its_end() -> None:
    live, here, calls = alone(Store()), topic(), list[int]()
    with closing(live.watch(here, calls.append)):
        for position in range(1, 1001):
            live.publish(here, position)
        assert calls == []
        await turns()
        assert calls == [1000]
        live.publish(here, 1001)
    await turns()
    assert calls == [1000]
    assert live.topics == 0


async def test_a_watch_runs_in_the_context_of_who_watches_not_of_who_publishes() -> None:
    live, here, seen = alone(Store()), topic(), list[str]()
    acting = contextvars.ContextVar("acting", default="nobody")

    async def publish() -> None:
        acting.set("publisher")
        live.publish(here, 1)

    acting.set("watcher")
    with live.watch(here, lambda _: seen.append(acting.get())):
        await asyncio.create_task(publish())
        await until(lambda: bool(seen), "the call")
    assert seen == ["watcher"]


@pytest.mark.parametrize("fault", [ValueError("broken"), SystemExit(1), asyncio.CancelledError()])
async def test_a_watch_that_raises_harms_nobody_and_is_called_again(fault: BaseException) -> None:
    live, here, good, bad = alone(Store()), topic(), list[int](), list[int]()

    def broken(position: int) -> None:
        bad.append(position)
        raise fault

    with live.watch(here, broken), live.watch(here, good.append), live.attach(here) as wake:
        for position in (1, 2):
            live.publish(here, position)
            assert await wake.wait() == position
            await turns()
    assert good == bad == [1, 2]


async def test_a_watch_may_end_itself_and_others_while_being_told() -> None:
    live, here, calls = alone(Store()), topic(), list[int]()
    watches = [live.watch(here, lambda position: end(position)) for _ in range(3)]

    def end(position: int) -> None:
        calls.append(position)
        for watch in watches:
            watch.close()

    live.publish(here, 1)
    await turns()
    assert calls == [1]
    assert live.topics == 0


async def test_attaching_and_detaching_during_announcements_disturbs_neither() -> None:
    live, here, seen = alone(Store()), topic(), list[int]()

    async def reader() -> None:
        for _ in range(20):
            with live.attach(here) as wake:
                seen.append(await wake.wait())

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        readers = [group.create_task(reader()) for _ in range(10)]
        position = 0
        while not all(task.done() for task in readers):
            position += 1
            live.publish(here, position)
            await asyncio.sleep(0)
    assert len(seen) == 200
    assert live.topics == 0


@pytest.mark.promise("D8")
@pytest.mark.parametrize("how", ["cancel", "aclose", "abandon"])
async def test_five_hundred_readers_cut_abruptly_leave_nothing(how: str) -> None:
    store, topics = Store(), [topic() for _ in range(50)]
    live = alone(store)
    tasks_before = asyncio.all_tasks()
    readers = [follow(live, topics[i % 50], store.reader(topics[i % 50].id), 0) for i in range(500)]
    for here in topics:
        store.commit(here.id)
    for reader in readers:  # each has replayed one message
        assert await anext(reader) == "m1"
    assert (live.topics, live.attached) == (50, 500)
    if how == "cancel":
        tasks = [asyncio.create_task(anext_of(reader)) for reader in readers]
        await turns()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    elif how == "aclose":
        await asyncio.gather(*(reader.aclose() for reader in readers))
    else:
        del reader
    readers.clear()
    gc.collect()
    await until(lambda: live.attached == 0, "all detached")
    assert live.topics == 0
    assert asyncio.all_tasks() == tasks_before


async def anext_of(reader: object) -> object:
    return await anext(reader)  # type: ignore[call-overload]


async def test_follow_replays_by_pages_then_goes_live_reading_once_for_each_wake() -> None:
    store, here = Store(page=3), topic()
    live = alone(store)
    for _ in range(7):
        store.commit(here.id)
    client = Subscriber(live, here, store.reader(here.id))
    client.resume()
    await until(lambda: len(client.got) == 7, "the replay")
    await turns()
    assert store.reads == 4  # 3 + 3 + 1, and an empty page that ends the replay
    live.publish(here, store.commit(here.id))
    await until(lambda: len(client.got) == 8, "the live message")
    await turns()
    assert client.got == messages(8)
    assert store.reads == 5
    await client.cut()
    assert live.topics == 0


async def test_follow_reads_what_is_committed_between_its_replay_and_its_wait() -> None:
    store, here = Store(), topic()
    live = alone(store)
    real = store.reader(here.id)

    async def read(cursor: int) -> list[tuple[int, str]]:
        rows = await real(cursor)
        if store.reads == 1:  # the answer, empty, is on its way when another process commits
            live.publish(here, store.commit(here.id))
        return rows

    async with aclosing(follow(live, here, read, 0)) as items:
        assert await asyncio.wait_for(anext(items), 5) == "m1"


async def test_follow_skips_what_the_client_has_and_refuses_a_page_out_of_order() -> None:
    live, here = alone(Store()), topic()
    pages = [[(1, "old"), (2, "old"), (3, "new")], [(3, "old")]]

    async def read(cursor: int) -> list[tuple[int, str]]:
        return pages.pop(0) if pages else []

    async with aclosing(follow(live, here, read, 2)) as items:
        assert await anext(items) == "new"
        task = asyncio.create_task(anext_of(items))
        await turns()
        assert not task.done()
        pages.append([(5, "five"), (4, "four")])
        live.publish(here, 5)
        assert await task == "five"
        with pytest.raises(ValueError, match="4 came after 5"):
            await anext(items)
    assert live.topics == 0


async def test_what_read_raises_ends_the_following_and_detaches() -> None:
    live, here = alone(Store()), topic()

    async def read(cursor: int) -> list[tuple[int, str]]:
        raise ConnectionError("away")

    with pytest.raises(ConnectionError):
        await anext(follow(live, here, read, 0))
    assert live.topics == 0


@pytest.mark.promise("D3")
async def test_a_poll_wakes_whoever_the_bus_forgot_and_nobody_else() -> None:
    store, moved, still = Store(), topic(), topic()
    live = alone(store)
    for here in (moved, still):
        store.commit(here.id)
    with live.attach(moved, after=1) as behind, live.attach(still, after=1) as current:
        told, untold = await waiting(behind), await waiting(current)
        await live.poll()
        await turns()
        assert not told.done()
        store.commit(moved.id)  # and no announcement reaches this process
        await live.poll()
        assert await told == 2
        assert not untold.done()
        untold.cancel()
    assert live.counts.found_by_poll == 1
    assert live.counts.polls == 2


async def test_a_poll_is_one_statement_per_kind_and_none_for_kinds_nobody_is_attached_to() -> None:
    asked: dict[str, list[int]] = {"one": [], "two": [], "three": []}

    def kind(name: str) -> StreamKind:
        async def positions(keys: Sequence[UUID]) -> Mapping[UUID, int]:
            asked[name].append(len(keys))
            return {}

        return StreamKind(name, positions, "")

    live = Live(LocalBus())
    for name in asked:
        live.add_kind(kind(name))
    attachments = [live.attach(Topic(name, uuid4())) for name in ("one", "two") for _ in range(300)]
    same = [live.attach(Topic("one", UUID(int=1))) for _ in range(100)]
    await live.poll()
    assert asked == {"one": [301], "two": [300], "three": []}
    for attachment in attachments + same:
        attachment.close()
    await live.poll()
    assert asked == {"one": [301], "two": [300], "three": []}


@pytest.mark.promise("P1")
@pytest.mark.parametrize("fault", [RuntimeError("away"), SystemExit(1), asyncio.CancelledError(), None])
async def test_a_kind_that_fails_is_counted_and_retried_and_the_others_are_served(fault: BaseException | None) -> None:
    store, here = Store(), topic()
    there = Topic("broken", uuid4())
    healthy = False

    async def positions(keys: Sequence[UUID]) -> Mapping[UUID, int]:
        if healthy:
            return {there.id: 1}
        if fault is None:
            return {there.id: "no number"}  # type: ignore[dict-item]
        raise fault

    live = alone(store, poll_seconds=0.005)
    live.add_kind(StreamKind("broken", positions, ""))
    async with live.running():
        with live.attach(here, after=0) as good, live.attach(there, after=0) as bad:
            await until(lambda: live.counts.poll_failures >= 3, "retries")
            store.commit(here.id)
            assert await asyncio.wait_for(good.wait(), 5) == 1
            healthy = True
            assert await asyncio.wait_for(bad.wait(), 5) == 1


@pytest.mark.promise("P1")
async def test_a_kind_that_hangs_is_cut_off_and_holds_up_no_other() -> None:
    store, here, there = Store(), topic(), Topic("hanging", uuid4())
    begun, cut = list[int](), list[int]()

    async def positions(keys: Sequence[UUID]) -> Mapping[UUID, int]:
        begun.append(1)
        try:
            await asyncio.Event().wait()
        finally:
            cut.append(1)
        return {}

    live = alone(store, poll_seconds=0.005, query_seconds=0.2)
    live.add_kind(StreamKind("hanging", positions, ""))
    async with live.running():
        with live.attach(here, after=0) as good, live.attach(there):
            await until(lambda: len(begun) == 1, "a poll that hangs")
            store.commit(here.id)
            assert await asyncio.wait_for(good.wait(), 5) == 1
            assert cut == []  # it was still hanging
            await until(lambda: len(begun) >= 2, "another try")
            assert live.counts.poll_failures >= 1
    assert begun == cut


async def test_kinds_added_while_running_are_polled_and_nothing_is_left_running_at_the_end() -> None:
    store, here = Store(), topic()
    before = asyncio.all_tasks()
    live = Live(LocalBus(), poll_seconds=0.005)
    async with live.running():
        live.add_kind(store.kind)
        with live.attach(here, after=0) as wake:
            store.commit(here.id)
            assert await asyncio.wait_for(wake.wait(), 5) == 1
    assert asyncio.all_tasks() == before


async def test_catching_up_polls_at_once_and_again_when_a_poll_is_under_way() -> None:
    here = topic()
    answers: list[asyncio.Future[Mapping[UUID, int]]] = []

    async def positions(keys: Sequence[UUID]) -> Mapping[UUID, int]:
        answers.append(asyncio.get_running_loop().create_future())
        return await answers[-1]

    live = Live(LocalBus(), poll_seconds=3600)
    live.add_kind(StreamKind(KIND, positions, ""))
    async with live.running():
        with live.attach(here, after=0) as wake:
            live.catch_up()
            await until(lambda: len(answers) == 1, "a poll without waiting for the hour")
            live.catch_up()
            answers[0].set_result({here.id: 0})
            await until(lambda: len(answers) == 2, "a second poll, begun after the second request")
            answers[1].set_result({here.id: 1})
            assert await wake.wait() == 1


async def test_background_loops_do_not_act_for_whoever_started_them() -> None:
    acting = contextvars.ContextVar("acting", default="nobody")
    seen: list[str] = []

    async def positions(keys: Sequence[UUID]) -> Mapping[UUID, int]:
        seen.append(acting.get())
        return {}

    live = Live(LocalBus(), poll_seconds=0.005)
    acting.set("a practice")
    async with live.running():
        live.add_kind(StreamKind(KIND, positions, ""))
        with live.attach(topic()):
            await until(lambda: bool(seen), "a poll")
    assert set(seen) == {"nobody"}


async def test_a_bus_that_raises_does_not_fail_the_publisher_nor_its_own_process() -> None:
    class Broken(LocalBus):
        def publish(self, topic: Topic, position: int) -> None:
            raise RuntimeError("broken")

    live, here = Live(Broken()), topic()
    live.add_kind(Store().kind)
    with live.attach(here) as wake:
        live.publish(here, 1)
        assert await wake.wait() == 1


@pytest.mark.promise("D5")
async def test_what_the_bus_carries_wakes_the_other_process_and_is_counted() -> None:
    store, network, here = Store(), Network(), topic()
    one, other = Live(network.node(), poll_seconds=3600), Live(network.node(), poll_seconds=3600)
    for live in (one, other):
        live.add_kind(store.kind)
    async with one.running(), other.running():
        with other.attach(here) as wake:
            one.publish(here, 1)
            assert len(network.under_way) == 1
            network.deliver(0)
            assert await wake.wait() == 1
    assert (one.counts.published, one.counts.received) == (1, 0)
    assert (other.counts.published, other.counts.received, other.counts.found_by_poll) == (0, 1, 0)


@pytest.mark.promise("D3")
async def test_a_bus_that_loses_everything_leaves_nobody_deaf() -> None:
    store, network, here = Store(), Network(), topic()
    writer, reader = Live(network.node()), Live(network.node(), poll_seconds=0.01)
    for live in (writer, reader):
        live.add_kind(store.kind)
    async with writer.running(), reader.running():
        clients = [Subscriber(reader, here, store.reader(here.id)) for _ in range(5)]
        for client in clients:
            client.resume()
        for count in range(1, 21):
            writer.publish(here, store.commit(here.id))
            network.drop(0)
            await until(lambda: all(len(client.got) >= count for client in clients), f"message {count}")  # noqa: B023
        for client in clients:
            await client.cut()
    assert all(client.got == messages(20) for client in clients)
    assert reader.counts.received == 0
    assert reader.counts.found_by_poll >= 18  # the replay may see the first, and the first look is not counted
