"""A broken copy of the partner's plugin is disabled by name and reason, and everything else serves (promise P1)."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
import textwrap
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from bedside_vitals import plugin as vitals
from deployment import APPS, Deployment, Person, served
from vitals_stage import ENABLED, copy_of_vitals, with_vitals

from bedside_core import lifespans
from bedside_core.boot import assembled, migrate_all
from bedside_core.config import FIRST_PARTY, Config
from bedside_core.live import LocalBus
from bedside_core.manifest import Manifest
from bedside_core.plugins import PluginError, Plugins, Source
from bedside_core.testing import Database

pytestmark = pytest.mark.promise("P1")

HOOK_SECONDS = 2  # enough for the healthy ones on a busy machine
START = "mutation($m: ID!, $c: String!) { startConversation(memberId: $m, clientId: $c) { id } }"
SEND = 'mutation($i: ID!) { sendMessage(conversationId: $i, body: "Room 2 is free", clientId: "s") { body } }'


def manifest(**facts: Any) -> Callable[[], Manifest]:
    """The copy's hook `manifest`, with some facts changed."""
    return lambda: dataclasses.replace(vitals.manifest(), **facts)


def raising() -> Any:
    raise RuntimeError("boom")


def hanging() -> Any:
    time.sleep(3600)


def with_other_arguments(database: Any) -> Any: ...


def living(run: Callable[[], AsyncGenerator[None, None]]) -> Callable[[], Any]:
    """A hook `lifespan` that gives this life."""
    return lambda: asynccontextmanager(run)()


async def raises_when_entered() -> AsyncGenerator[None, None]:
    raise RuntimeError("boom")
    yield


async def exits_when_entered() -> AsyncGenerator[None, None]:
    raise SystemExit(3)
    yield


async def cancels_when_entered() -> AsyncGenerator[None, None]:
    raise asyncio.CancelledError
    yield


async def hangs_when_entered() -> AsyncGenerator[None, None]:
    await asyncio.sleep(3600)
    yield


async def blocks_when_entered() -> AsyncGenerator[None, None]:
    while True:
        pass
    yield


def missing_module() -> Any:
    import bedside_vitals.no_such_module  # pyright: ignore  # noqa: F401


BROKEN: dict[str, tuple[Callable[[], Source], str]] = {
    "its import fails": (
        lambda: Source(name="vitals", load=missing_module, package="bedside_vitals", version="0.1.0"),
        "ModuleNotFoundError: No module named 'bedside_vitals.no_such_module'",
    ),
    "a hook raises": (lambda: copy_of_vitals(jobs=raising), "jobs() raised RuntimeError: boom"),
    "a hook hangs": (lambda: copy_of_vitals(services=hanging), "services() took longer than 2 s"),
    "it has an unknown hook": (lambda: copy_of_vitals(graphq=raising), "implements unknown hooks: graphq"),
    "a hook has a wrong signature": (
        lambda: copy_of_vitals(routes=with_other_arguments),
        "hook routes asks for database; it is called with platform",
    ),
    "a published hook has a wrong signature": (
        lambda: copy_of_vitals(graphql=with_other_arguments),
        "hook graphql asks for database; it is called with platform",
    ),
    "its api range is another": (
        lambda: copy_of_vitals(manifest=manifest(api=">=2,<3")),
        "works with plugin API >=2,<3, this is 1.0",
    ),
    "a requirement is missing": (
        lambda: copy_of_vitals(manifest=manifest(requires=("graphql", "laboratory"))),
        "requires laboratory, which is not active",
    ),
    "a hook returns nonsense": (lambda: copy_of_vitals(graphql=lambda: 7), "graphql() returned int, not a GraphQLPart"),
    "its lifespan raises": (
        lambda: copy_of_vitals(lifespan=living(raises_when_entered)),
        "lifespan() raised RuntimeError: boom",
    ),
    "its lifespan exits": (
        lambda: copy_of_vitals(lifespan=living(exits_when_entered)),
        "lifespan() raised SystemExit: 3",
    ),
    "its lifespan cancels": (
        lambda: copy_of_vitals(lifespan=living(cancels_when_entered)),
        "lifespan() raised CancelledError: ",
    ),
    "its lifespan hangs": (
        lambda: copy_of_vitals(lifespan=living(hangs_when_entered)),
        "lifespan() took longer than 0.5 s",
    ),
}


class Rest:
    """What has to go on working: two people of a premium practice, and their chat."""

    def __init__(self, deployment: Deployment, ada: Person, ben: Person) -> None:
        self.deployment, self.ada, self.ben = deployment, ada, ben

    @classmethod
    async def of(cls, deployment: Deployment) -> Rest:
        practice = await deployment.practice()
        return cls(deployment, await deployment.person(practice), await deployment.person(practice))

    async def works(self) -> None:
        """Show that the other plugins serve."""
        begun = await self.deployment.data(START, self.ada.token, m=self.ben.id, c="start")
        sent = await self.deployment.data(SEND, self.ada.token, i=begun["startConversation"]["id"])
        assert sent == {"sendMessage": {"body": "Room 2 is free"}}

    async def told(self) -> dict[str, tuple[str, str | None]]:
        """How each plugin fares, as a signed-in person is told."""
        shown = await self.deployment.data("{ plugins { name status reason } }", self.ada.token)
        return {plugin["name"]: (plugin["status"], plugin["reason"]) for plugin in shown["plugins"]}


async def assert_disabled_alone(deployment: Deployment, reason: str) -> None:
    """Show that vitals is out by name and reason wherever one looks, that nothing of it is left, and the rest works."""
    rest = await Rest.of(deployment)
    await rest.works()
    assert await rest.told() == {"vitals": ("FAILED", reason), **dict.fromkeys(FIRST_PARTY, ("ACTIVE", None))}
    platform = deployment.platform
    [report] = [report for report in platform.plugins.report() if report.name == "vitals"]
    assert (report.status, report.reason) == ("FAILED", reason)
    assert report.outline is not None
    assert reason.startswith(report.outline)
    ready = await deployment.http.get("/health/ready")
    assert (ready.status_code, ready.json()["ready"], ready.json()["failed"]) == (200, True, {"vitals": report.outline})

    assert "itals" not in (await deployment.http.get("/graphql/schema.graphql")).text
    assert (await deployment.http.get("/vitals/export.csv")).status_code == 404
    assert [name for name in platform.jobs.entries if name.startswith("vitals")] == []
    assert [key for key in (*platform.access.permissions, *platform.access.features) if key.startswith("vitals")] == []
    assert [protocol for protocol, (name, _) in platform.providers.items() if name == "vitals"] == []


@pytest.mark.parametrize("broken", BROKEN)
async def test_it_is_disabled_alone_when(
    broken: str, fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifespans, "LIFESPAN_SECONDS", 0.5)
    made, reason = BROKEN[broken]
    async with served(
        fresh_database, sources=with_vitals(made()), plugins=ENABLED, hook_seconds=HOOK_SECONDS
    ) as deployment:
        await assert_disabled_alone(deployment, reason)


async def test_a_lifespan_that_blocks_the_start_is_interrupted(fresh_database: Database) -> None:
    """The frames are of this test's module, so it is the package that the watchdog is told."""
    source = dataclasses.replace(copy_of_vitals(lifespan=living(blocks_when_entered)), package=__name__.split(".")[0])
    async with served(fresh_database, sources=with_vitals(source), plugins=ENABLED, blocked_seconds=0.4) as deployment:
        [report] = [report for report in deployment.platform.plugins.report() if report.name == "vitals"]
        assert report.reason is not None
        assert report.reason.startswith("lifespan() raised Blocked: ")
        assert report.reason.endswith(" blocked the event loop for more than 0.4 s")
        assert deployment.platform.faults()["vitals"] >= 1
        await assert_disabled_alone(deployment, report.reason)


async def test_a_strict_start_is_refused(fresh_database: Database) -> None:
    config = Config(database_url=fresh_database.dsn, plugins=ENABLED, strict=True, testing=True)
    sources = with_vitals(copy_of_vitals(lifespan=living(raises_when_entered)))
    with pytest.raises(PluginError, match=r"^plugin vitals: lifespan\(\) raised RuntimeError: boom$"):
        async with assembled(config, sources=sources, bus=LocalBus()):
            pytest.fail("it started")


class TestTables:
    """Copies whose tables can't be made, on a database that has none of them."""

    @pytest.fixture
    def database_apps(self) -> tuple[str, ...]:
        return APPS

    @pytest.fixture
    def copy(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Source]:
        """Make a copy whose Piccolo app has this one migration."""
        monkeypatch.syspath_prepend(tmp_path)

        def made(migration: str) -> Source:
            folder = tmp_path / "brokenvitals" / "migrations"
            folder.mkdir(parents=True)
            (folder.parent / "__init__.py").touch()
            (folder.parent / "piccolo_app.py").write_text(
                "from pathlib import Path\nfrom piccolo.conf.apps import AppConfig\n"
                "APP_CONFIG = AppConfig('vitals', str(Path(__file__).parent / 'migrations'))\n"
            )
            (folder / "vitals_2026_11_24t00_00.py").write_text(textwrap.dedent(migration))
            for name in [name for name in sys.modules if name.startswith("brokenvitals")]:
                del sys.modules[name]
            return copy_of_vitals(manifest=manifest(piccolo_app="brokenvitals.piccolo_app"))

        return made

    FAILING = """
        from bedside_core.api import sql_migration
        ID = "vitals_2026_11_24t00_00"

        async def forwards():
            return sql_migration("vitals", ID, "", ["CREATE TABLE vitals (id uuid)", "SELECT 1 / 0"])
    """

    @pytest.mark.parametrize(
        ("migration", "reason"),
        [
            (FAILING, "its migrations failed: DivisionByZeroError: division by zero"),
            ("raise SystemExit(5)", "its migrations failed: SystemExit: 5"),
        ],
        ids=["a statement fails", "its module exits"],
    )
    async def test_a_migration_that_fails_disables_its_plugin(
        self, migration: str, reason: str, copy: Callable[[str], Source], fresh_database: Database
    ) -> None:
        sources = with_vitals(copy(migration))
        plugins = Plugins(ENABLED, sources=sources)
        await migrate_all(fresh_database.owner_dsn, plugins)
        [report] = [report for report in plugins.report() if report.name == "vitals"]
        assert report.reason == reason
        with pytest.raises(PluginError, match=r"^plugin vitals: its migrations failed: "):
            await migrate_all(fresh_database.owner_dsn, Plugins(ENABLED, sources=sources, strict=True))

    async def test_a_server_serves_without_the_plugin_whose_migration_failed(
        self, copy: Callable[[str], Source], fresh_database: Database
    ) -> None:
        sources = with_vitals(copy(self.FAILING))
        async with served(fresh_database, sources=sources, plugins=ENABLED) as deployment:
            reason = "its migrations are to be run first, `bedside migrate`: vitals_2026_11_24t00_00"
            await assert_disabled_alone(deployment, reason)

    async def test_a_server_serves_without_the_plugin_whose_migrations_cannot_be_read(
        self, copy: Callable[[str], Source], fresh_database: Database
    ) -> None:
        sources = with_vitals(copy("raise SystemExit(5)"))
        async with served(fresh_database, sources=sources, plugins=ENABLED) as deployment:
            await assert_disabled_alone(deployment, "its migrations can't be read: SystemExit: 5")
