"""What plugins contribute through their hooks is put to use: services, routes, lifespans, and steps at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

import pytest
from core_stage import FixedPlans, assembled_with, plugin, ward
from deployment import Person, served
from litestar import Request, get
from structlog.testing import capture_logs

from bedside_core import lifespans
from bedside_core.auth import Role
from bedside_core.manifest import Manifest
from bedside_core.platform import Platform, ServiceMissing
from bedside_core.plugins import PluginError, Source, Status
from bedside_core.routes import Gate, actor_of, public_route
from bedside_core.testing import Database, until


class Beds(Protocol):
    """A Protocol that a plugin publishes."""

    def free(self) -> int:
        """How many are free."""
        ...


class Ward:
    """Its provider."""

    def free(self) -> int:
        return 3


def reasons(platform: Platform) -> dict[str, str | None]:
    return {report.name: report.reason for report in platform.plugins.report() if report.status is Status.FAILED}


# -- services ---------------------------------------------------------------------------------------------------------


@pytest.mark.hook("services")
async def test_a_service_answers_whoever_asks_for_its_protocol(fresh_database: Database) -> None:
    async with assembled_with(fresh_database, plugin("beds", services=lambda: {Beds: Ward()})) as platform:
        assert platform.provides(Beds)
        assert platform.service(Beds).free() == 3


@pytest.mark.hook("services")
async def test_without_a_provider_the_answer_is_a_coded_problem(fresh_database: Database) -> None:
    async with assembled_with(fresh_database, plugin("garden")) as platform:
        assert not platform.provides(Beds)
        with pytest.raises(ServiceMissing) as refused:
            platform.service(Beds)
        assert (refused.value.code, refused.value.retryable) == ("SERVICE_MISSING", False)


@pytest.mark.hook("services")
async def test_a_protocol_has_one_provider_and_the_later_is_disabled_naming_both(fresh_database: Database) -> None:
    one, other = (plugin(name, services=lambda: {Beds: Ward()}) for name in ("beds", "cots"))
    async with assembled_with(fresh_database, one, other) as platform:
        assert reasons(platform) == {"cots": "cots and beds both provide Beds"}
        assert platform.providers[Beds][0] == "beds"


# -- routes -----------------------------------------------------------------------------------------------------------


@get("/beds", guards=[public_route], sync_to_thread=False)
def beds() -> dict[str, int]:
    return {"free": 3}


@get("/lead", guards=[Gate("ward.lead")], sync_to_thread=False)
def lead(request: Request[Any, Any, Any]) -> str:
    actor = actor_of(request)
    return actor.role if actor else "nobody"


@pytest.mark.hook("routes")
@pytest.mark.rule("L3")
async def test_routes_are_mounted_below_their_plugin_and_gated(fresh_database: Database) -> None:
    plans = FixedPlans()
    sources = {"ward": ward(plans, routes=lambda: [beds, lead])}
    async with served(fresh_database, sources=sources, plugins=("ward",), entitlements="ward") as deployment:
        practice = await deployment.practice(tier=None)
        owner, staff = [await deployment.person(practice, role) for role in (Role.OWNER, Role.STAFF)]

        async def asked(person: Person | None) -> tuple[int, str]:
            headers = {"authorization": f"Bearer {person.token}"} if person else {}
            answer = await deployment.http.get("/ward/lead", headers=headers)
            return answer.status_code, answer.json()["code"] if answer.status_code != 200 else answer.text

        assert (await deployment.http.get("/ward/beds")).json() == {"free": 3}
        assert (await deployment.http.get("/beds")).status_code == 404
        assert await asked(None) == (401, "UNAUTHENTICATED")
        assert await asked(owner) == (403, "FEATURE_NOT_IN_PLAN")
        plans.premium.add(practice.id)
        assert await asked(owner) == (200, "owner")
        assert await asked(staff) == (403, "FORBIDDEN")


# -- lifespans --------------------------------------------------------------------------------------------------------


def living(
    name: str,
    life: Callable[[], AsyncGenerator[None, None]],
    *,
    requires: tuple[str, ...] = (),
    **hooks: Any,
) -> Source:
    """A plugin with this lifespan."""
    facts = Manifest(name=name, title=name, api=">=1.0,<2", requires=requires)
    return plugin(name, facts, lifespan=lambda: asynccontextmanager(life)(), **hooks)


def noting(notes: list[str], name: str) -> Callable[[], AsyncGenerator[None, None]]:
    async def life() -> AsyncGenerator[None, None]:
        notes.append(f"{name} entered")
        yield
        notes.append(f"{name} left")

    return life


@pytest.mark.hook("lifespan")
async def test_lifespans_are_entered_in_plugin_order_and_left_in_reverse(fresh_database: Database) -> None:
    notes: list[str] = []
    roof = living("roof", noting(notes, "roof"), requires=("wall",))
    wall = living("wall", noting(notes, "wall"))
    async with assembled_with(fresh_database, roof, wall):
        assert notes == ["wall entered", "roof entered"]
    assert notes[2:] == ["roof left", "wall left"]


@pytest.mark.hook("lifespan")
async def test_what_requires_a_failed_lifespan_is_not_entered(fresh_database: Database) -> None:
    notes: list[str] = []

    async def failing() -> AsyncGenerator[None, None]:
        raise RuntimeError("boom")
        yield

    roof = living("roof", noting(notes, "roof"), requires=("wall",))
    async with assembled_with(
        fresh_database, roof, living("wall", failing), living("garden", noting(notes, "garden"))
    ) as platform:
        assert reasons(platform) == {
            "wall": "lifespan() raised RuntimeError: boom",
            "roof": "requires wall, which failed",
        }
    assert notes == ["garden entered", "garden left"]


@pytest.mark.promise("P1")
@pytest.mark.hook("lifespan")
async def test_one_that_is_over_by_itself_ends_nothing_else(fresh_database: Database) -> None:
    """A task group in a lifespan cancels the task that entered it when one of its tasks fails."""
    now = asyncio.Event()

    async def group() -> AsyncGenerator[None, None]:
        async def fail() -> None:
            await now.wait()
            raise RuntimeError("boom")

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fail())
            yield

    notes: list[str] = []
    with capture_logs() as logs:
        async with assembled_with(fresh_database, living("wall", group), living("garden", noting(notes, "garden"))):
            now.set()
            await until(lambda: any(entry["event"] == "lifespan ended by itself" for entry in logs), "its end")
            assert notes == ["garden entered"]
    assert notes == ["garden entered", "garden left"]
    [told] = [entry for entry in logs if entry["event"] == "lifespan ended by itself"]
    assert (told["plugin"], told["failure"].split()[0]) == ("wall", "ExceptionGroup")


@pytest.mark.promise("P1")
@pytest.mark.hook("lifespan")
@pytest.mark.parametrize("wrong", ["raises", "exits", "hangs"])
async def test_one_that_can_not_be_left_is_named_and_the_others_are(
    wrong: str, fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifespans, "LIFESPAN_SECONDS", 0.3)
    notes: list[str] = []

    async def stuck() -> AsyncGenerator[None, None]:
        yield
        if wrong == "raises":
            raise RuntimeError("boom")
        if wrong == "exits":
            raise SystemExit(3)
        await asyncio.sleep(3600)

    with capture_logs() as logs:
        async with assembled_with(fresh_database, living("garden", noting(notes, "garden")), living("wall", stuck)):
            pass
    assert notes == ["garden entered", "garden left"]
    told = {entry["event"] for entry in logs if entry.get("plugin") == "wall"}
    expected = (
        {"lifespan takes too long to end", "lifespan failed to end"} if wrong == "hangs" else {"lifespan failed to end"}
    )
    assert told == expected


# -- steps at the end of the start ------------------------------------------------------------------------------------


async def test_a_step_is_taken_once_every_lifespan_was_entered(fresh_database: Database) -> None:
    notes: list[str] = []

    def first(platform: Platform) -> Any:
        async def step() -> None:
            notes.append(f"step, with {sorted(platform.plugins.manifests)}")

        async def life() -> AsyncGenerator[None, None]:
            platform.when_assembled("first", step)
            yield

        return asynccontextmanager(life)()

    async def failing() -> AsyncGenerator[None, None]:
        notes.append("last entered")
        raise RuntimeError("boom")
        yield

    async with assembled_with(fresh_database, plugin("first", lifespan=first), living("last", failing)):
        assert notes == ["last entered", "step, with ['first']"]


@pytest.mark.promise("P1")
async def test_a_step_that_raises_disables_its_plugin_which_is_left(fresh_database: Database) -> None:
    notes: list[str] = []

    def wall(platform: Platform) -> Any:
        async def step() -> None:
            raise SystemExit(3)

        async def life() -> AsyncGenerator[None, None]:
            platform.when_assembled("wall", step)
            yield
            notes.append("wall left")

        return asynccontextmanager(life)()

    def services() -> Mapping[type[Any], object]:
        return {Beds: Ward()}

    async with assembled_with(fresh_database, plugin("wall", lifespan=wall, services=services)) as platform:
        assert reasons(platform) == {"wall": "SystemExit: 3"}
        assert notes == ["wall left"]
        assert not platform.provides(Beds)
    with pytest.raises(PluginError, match=r"^plugin wall: SystemExit: 3$"):
        async with assembled_with(fresh_database, plugin("wall", lifespan=wall), strict=True):
            pytest.fail("it started")
