"""Whatever a plugin does at run time stays its own: it is named, and everybody else is served (promise P1)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from datetime import date
from typing import Any

import asyncpg
import menace
import pytest
import pytest_asyncio
from core_stage import plugin
from deployment import APPS, Deployment, served
from menace import Done, Poked
from structlog.testing import capture_logs

from bedside_core.api import Listener, NewPatient, acting, on, unit
from bedside_core.config import FIRST_PARTY
from bedside_core.plugins import from_module, installed
from bedside_core.testing import Database, Templates, until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.promise("P1")]

RAISING = ("raise", "exit", "cancel", "leave")
WAITING = ("sleep", "be deaf")
BLOCKING = ("block", "loop")
DEEDS = (*RAISING, *WAITING, *BLOCKING)

BLOCKED_SECONDS = 0.4
DEADLINE_SECONDS = 1.0
START = "mutation($m: ID!, $c: String!) { startConversation(memberId: $m, clientId: $c) { id } }"
SEND = "mutation($i: ID!, $b: String!) { sendMessage(conversationId: $i, body: $b, clientId: $b) { body } }"


class Stage:
    """A deployment with the menace, and a practice whose people only want to chat."""

    def __init__(self, deployment: Deployment, heard: list[str]) -> None:
        self.deployment = deployment
        self.platform = deployment.platform
        self.heard = heard
        """What a healthy plugin heard of the events that the menace hears too."""

    async def open(self) -> Stage:
        one, other = await self.deployment.practice("Bay View"), await self.deployment.practice("Hill Top")
        self.practice, self.neighbour = one, other
        self.ada = await self.deployment.person(one)
        self.eve, self.ben = await self.deployment.person(other), await self.deployment.person(other)
        self.conversation: str = (await self.deployment.data(START, self.eve.token, m=self.ben.id, c="c"))[
            "startConversation"
        ]["id"]
        self._numbers = 0
        patient = NewPatient(
            first_name="Ann",
            last_name="Hill",
            date_of_birth=date(1950, 1, 2),
            mrn="1",
            gender="f",
            email="a@example.org",
        )
        self.patient = await self.platform.people.create_patient(one.id, patient)
        return self

    async def others_chat(self) -> None:
        """Show that another practice is served."""
        self._numbers += 1
        body = f"Room {self._numbers} is free"
        sent = await self.deployment.data(SEND, self.eve.token, i=self.conversation, b=body)
        assert sent == {"sendMessage": {"body": body}}

    def faults(self) -> int:
        """How often the menace was named."""
        return self.platform.faults().get("menace", 0)

    async def poke(self, deed: str, practice: Any = None) -> None:
        """Emit the event that the menace hears."""
        practice_id = (practice or self.practice).id
        with acting(practice_id):
            async with unit() as work:
                work.emit(Poked(practice_id=practice_id, deed=deed))

    async def enqueue(self, deed: str, practice: Any = None) -> None:
        """Give the menace something to do in the background."""
        with acting((practice or self.practice).id):
            async with unit() as work:
                await work.enqueue("menace.work", {"deed": deed})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(database_templates: Templates, database_core: str) -> AsyncGenerator[Stage]:
    """One deployment for all the deeds."""
    server, name = database_templates.server, database_templates.fresh_name()
    await server.create_database(name, template=await database_templates.name(database_core, APPS))
    database = Database(name, server.application_dsn(name), server.owner_dsn(name))
    heard: list[str] = []

    async def hear(event: Poked) -> None:
        heard.append(event.deed)

    def listeners() -> list[Listener]:
        return [on(Poked, hear)]

    sources = {
        **installed(),
        "menace": from_module(menace, name="menace"),
        "ear": plugin("ear", listeners=listeners),
    }
    limits = {"listener_seconds": 1.0, "job_seconds": 1.0, "blocked_seconds": BLOCKED_SECONDS}
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("BEDSIDE_GRAPHQL_DEADLINE_SECONDS", str(DEADLINE_SECONDS))
        async with served(
            database, sources=sources, plugins=(*FIRST_PARTY, "menace", "ear"), strict=True, worker=True, **limits
        ) as deployment:
            yield await Stage(deployment, heard).open()
    await server.drop_database(name)


@pytest.mark.hook("listeners")
@pytest.mark.parametrize("deed", DEEDS)
async def test_a_listener_may(deed: str, stage: Stage) -> None:
    before = stage.faults()
    stage.heard.clear()
    await stage.poke(deed)
    await stage.others_chat()
    await until(lambda: stage.faults() > before, "the fault to be named")
    await stage.platform.events.settled()
    named = stage.faults()
    await stage.poke("behave", stage.neighbour)
    await stage.platform.events.settled()
    assert stage.faults() == named
    assert stage.heard == [deed, "behave"]


@pytest.mark.hook("jobs")
@pytest.mark.parametrize("deed", DEEDS)
async def test_a_job_may(deed: str, stage: Stage) -> None:
    before, done = stage.faults(), stage.platform.service(Done).done
    done.clear()
    await stage.enqueue(deed)
    await stage.enqueue("behave", stage.neighbour)
    await stage.others_chat()
    await until(lambda: stage.faults() > before, "the fault to be named")
    await until(lambda: stage.neighbour.id in done, "the other practice's job")
    assert stage.practice.id not in done

    async def held() -> bool:
        return any(item.practice_id == stage.practice.id for item in await stage.platform.jobs.held())

    await until(held, "the job to be held for the operator")
    [item] = await stage.platform.jobs.held()
    assert item.name == "menace.work"
    assert "menace:misbehave" in item.reason or deed in {"sleep", "be deaf"}
    assert "patient" not in item.reason  # the message may hold health data
    await stage.enqueue("behave")  # and it goes on being served
    await until(lambda: stage.practice.id in done, "the practice's next job")
    await _forget_held(stage)


async def _forget_held(stage: Stage) -> None:
    """Take the held job away, so that the next test finds its own alone."""
    connection = await asyncpg.connect(stage.platform.config.database_url)
    try:
        await connection.execute("SET ROLE bedside_queue")
        await connection.execute("DELETE FROM pgqueuer WHERE status = 'failed'")
    finally:
        await connection.close()


FIELDS = {
    "at the root": "query($d: String!) { told: menace(deed: $d) practice { name } }",
    "on another plugin's type": "query($d: String!) { patients { nodes { mrn menace(deed: $d) } } practice { name } }",
    "behind a DataLoader": "query($d: String!) { told: menaceLoaded(deed: $d) practice { name } }",
}


@pytest.mark.hook("graphql")
@pytest.mark.parametrize("place", FIELDS)
@pytest.mark.parametrize("deed", [*RAISING, *BLOCKING])
async def test_a_field_may(deed: str, place: str, stage: Stage) -> None:
    """The field is null with a coded error, the rest of the query is answered, and the log names the place."""
    before = stage.faults()
    with capture_logs() as logs:
        body, _ = await asyncio.gather(
            stage.deployment.ask(FIELDS[place], stage.ada.token, d=deed), stage.others_chat()
        )
    assert [error["extensions"]["code"] for error in body["errors"]] == ["INTERNAL"]
    assert body["data"]["practice"] == {"name": "Bay View"}
    assert body["data"].get("told") is None
    failed = [entry for entry in logs if entry["event"] == "a field failed"]
    assert len(failed) == 1
    assert any("menace.py" in frame for frame in failed[0]["frames"])
    assert "patient's name" not in str(logs)
    if deed in BLOCKING:
        assert stage.faults() > before
        assert stage.platform.watchdog is not None
        assert stage.platform.watchdog.faults[-1].where.startswith("menace:misbehave:")


@pytest.mark.hook("graphql")
@pytest.mark.parametrize(("deed", "place"), [*(("sleep", place) for place in FIELDS), ("be deaf", "at the root")])
async def test_a_field_may_wait_until_the_operations_deadline(deed: str, place: str, stage: Stage) -> None:
    began = time.monotonic()
    with capture_logs() as logs:
        asked = asyncio.create_task(stage.deployment.ask(FIELDS[place], stage.ada.token, d=deed))
        for _ in range(3):
            await stage.others_chat()
        assert not asked.done()
        body = await asked
    assert [error["extensions"]["code"] for error in body["errors"]] == ["DEADLINE_EXCEEDED"]
    assert time.monotonic() - began < DEADLINE_SECONDS + 6
    cut = [entry for entry in logs if entry["event"] in {"a field was cut off", "a field failed"}]
    assert any("menace" in str(entry) for entry in cut)


@pytest.mark.hook("graphql")
@pytest.mark.parametrize("deed", [*RAISING, *BLOCKING])
async def test_a_subscription_may(deed: str, stage: Stage) -> None:
    """It ends with a coded error; the socket and its other operations go on."""
    async with stage.deployment.socket(stage.ada.token) as socket:
        poked = await socket.subscribe("subscription($d: String!) { menaces(deed: $d) }", d=deed)
        assert await socket.next(poked) == {"menaces": "first"}
        assert await socket.error(poked) == "INTERNAL"
        asked = await socket.subscribe("{ practice { name } }")
        assert await socket.next(asked) == {"practice": {"name": "Bay View"}}
    await stage.others_chat()


@pytest.mark.hook("graphql")
@pytest.mark.parametrize("deed", WAITING)
async def test_a_subscription_may_wait(deed: str, stage: Stage) -> None:
    async with stage.deployment.socket(stage.ada.token) as socket:
        poked = await socket.subscribe("subscription($d: String!) { menaces(deed: $d) }", d=deed)
        assert await socket.next(poked) == {"menaces": "first"}
        asked = await socket.subscribe("{ practice { name } }")
        assert await socket.next(asked) == {"practice": {"name": "Bay View"}}
        await stage.others_chat()


@pytest.mark.hook("routes")
@pytest.mark.parametrize("deed", [*RAISING, *BLOCKING])
async def test_a_route_may(deed: str, stage: Stage) -> None:
    answer, _ = await asyncio.gather(stage.deployment.http.get(f"/menace/{deed}"), stage.others_chat())
    assert answer.status_code == 500
    assert "patient" not in answer.text
    await stage.others_chat()


async def test_readiness_names_the_menace_and_only_it(stage: Stage) -> None:
    await stage.poke("raise")
    await stage.platform.events.settled()
    ready = (await stage.deployment.http.get("/health/ready")).json()
    assert (ready["ready"], ready["failed"]) == (True, {})
    assert ready["faults"]["menace"] == stage.faults() > 0
    assert stage.platform.watchdog is not None
    others = [fault for fault in stage.platform.watchdog.faults if fault.plugin not in {"menace", "core"}]
    assert (others, set(ready["faults"]) - {"core"}) == ([], {"menace"})
