"""Forty plugins, each wrong in its own way, in one deployment: each is named with its reason, and the rest serves."""

# No postponed annotations: the types of the schema are made here.

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any, Protocol

import pytest
import pytest_asyncio
import strawberry
from core_stage import plugin
from deployment import APPS, Deployment, Person, served
from litestar import get

from bedside_core.api import Event, Feature, Job, JobRun, Manifest, Permission, hookspec, on, public_route
from bedside_core.config import FIRST_PARTY
from bedside_core.plugins import Source, installed
from bedside_core.testing import Database, Templates
from bedside_graphql.api import GraphQLPart, gate, public

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.promise("P1")]

HOOK_SECONDS = 2  # enough for the healthy ones on a busy machine
HOOKS = ("hookspecs", "services", "listeners", "jobs", "routes", "lifespan", "graphql")


class Wards(Protocol):
    """A Protocol that two plugins provide."""


class Menus:
    """Hooks that a healthy plugin publishes."""

    @hookspec
    def dishes(self) -> list[str]:
        """Return what you cook."""
        return []


def raises() -> Any:
    raise RuntimeError("boom")


def exits() -> Any:
    raise SystemExit(3)


def cancels() -> Any:
    raise asyncio.CancelledError


def sleeps() -> Any:
    time.sleep(3600)


def loops() -> Any:
    while True:
        pass


async def nothing(run: JobRun) -> None: ...


async def deaf(event: Event) -> None: ...


def night(name: str = "night") -> Job:
    return Job(name=name, function=nothing, doc="Does nothing.", public=True)


@get("/open")
async def ungated() -> str:
    return "for everybody"


@get("/{bed}", guards=[public_route])
async def untyped(bed: str) -> str:
    return bed


def field(package: str, target: str, name: str, returns: Any = str | None, *guards: Any) -> type:
    """A type of a package that adds one field to another type, or is the whole of one."""

    async def resolve() -> Any:
        return name

    resolve.__annotations__["return"] = returns
    made = strawberry.field(resolver=resolve, description="A field.", extensions=list(guards))
    kind = strawberry.type(type("Made", (), {name: made}), name=target)
    kind.__module__ = f"{package}.schema"
    return kind


READ = gate("patients.read")


def part(**parts: Any) -> Callable[[], GraphQLPart]:
    return lambda: GraphQLPart(**parts)


def unresolvable() -> GraphQLPart:
    async def resolve() -> "NoSuchType":  # noqa: F821  # pyright: ignore
        ...

    made = strawberry.field(resolver=resolve, description="A field.", extensions=[READ])
    return GraphQLPart(query=strawberry.type(type("Made", (), {"lost": made})))


def wrong(name: str, **hooks: Any) -> tuple[Source, str]:
    """Take a hook's reason out of the hooks, and make the plugin."""
    reason = hooks.pop("reason")
    manifest = hooks.pop("facts", {})
    facts = Manifest(**{"name": name, "title": name, "api": ">=1.0,<2", "requires": ("graphql",), **manifest})
    source = plugin(name, facts, **hooks)
    return Source(name=name, load=source.load, package=name, version="0"), reason


def plugins() -> Iterator[tuple[Source, str]]:
    """Every wrong plugin with the reason that has to be told."""
    for hook in HOOKS:
        yield wrong(f"raises_{hook}", **{hook: raises}, reason=f"{hook}() raised RuntimeError: boom")
        yield wrong(f"exits_{hook}", **{hook: exits}, reason=f"{hook}() raised SystemExit: 3")
        yield wrong(f"cancels_{hook}", **{hook: cancels}, reason=f"{hook}() raised CancelledError: ")
    # A hang costs the start its whole time; tests/core/test_plugins.py shows it of every other hook.
    for hook, hang in (("listeners", sleeps), ("graphql", loops)):
        yield wrong(f"{hang.__name__}_{hook}", **{hook: hang}, reason=f"{hook}() took longer than {HOOK_SECONDS} s")

    nonsense = {
        "hookspecs": "hookspecs() returned int, not a class",
        "services": "services() returned int, not Protocol -> provider",
        "listeners": "listeners() returned int, not several of Listener",
        "jobs": "jobs() returned int, not several of Job",
        "routes": "routes() returned int, not several of BaseRouteHandler",
        "lifespan": "lifespan() returned int, not an asynchronous context manager",
        "graphql": "graphql() returned int, not a GraphQLPart",
    }
    for hook, reason in nonsense.items():
        yield wrong(f"nonsense_{hook}", **{hook: lambda: 7}, reason=reason)

    yield wrong("unknown_hook", dish=lambda: ["soup"], reason="implements unknown hooks: dish")
    yield wrong(
        "wrong_published_hook",
        dishes=lambda guests: [],
        reason="hook dishes asks for guests; it is called with nothing",
    )
    yield wrong("no_graphql_part", graphql=lambda: None, reason="")  # nothing to contribute is no fault
    yield wrong("requires_failed", facts={"requires": ("raises_jobs",)}, reason="requires raises_jobs, which failed")
    yield wrong(
        "foreign_permission",
        facts={"permissions": (Permission(key="chat.read", doc="Read."),)},
        reason="permission 'chat.read' does not start with 'foreign_permission.'",
    )
    yield wrong(
        "same_feature",
        facts={"features": (Feature(key="team_chat", title="Chat", doc="Chat."),)},
        reason="same_feature and chat both declare the feature team_chat",
    )
    yield wrong("provides", services=lambda: {Wards: 1}, reason="")
    yield wrong("provides_too", services=lambda: {Wards: 2}, reason="provides_too and provides both provide Wards")

    yield wrong("jobs_of_one_name", jobs=lambda: [night(), night()], reason="several jobs of one name: night")
    yield wrong(
        "durable_twice",
        listeners=lambda: [on(Event, deaf, durable=True), on(Event, deaf, durable=True)],
        reason="several durable listeners of one event: listener.durable_twice.Event",
    )
    yield wrong("ungated_route", routes=lambda: [ungated], reason="routes without a gate or public_route: /open")
    yield wrong(
        "untyped_route",
        routes=lambda: [untyped],
        reason="its routes can't be served: ImproperlyConfiguredException: 500: Path parameters should be declared "
        "with a type using the following pattern: '{parameter_name:type}', e.g. '/my-path/{my_param:int}' in path: "
        "'/untyped_route/{bed}'",
    )
    yield wrong(
        "ungated_field",
        graphql=part(query=field("ungated_field", "Q", "open_door")),
        reason="Query.openDoor has neither a gate nor says public",
    )
    yield wrong(
        "ungated_addition",
        graphql=part(extend=(field("ungated_addition", "Patient", "open_door"),)),
        reason="Patient.openDoor has neither a gate nor says public",
    )
    yield wrong(
        "never_null",
        graphql=part(query=field("never_null", "Q", "sure", str, READ)),
        reason="Query.sure can be refused, so it has to be nullable",
    )
    yield wrong(
        "never_null_addition",
        graphql=part(extend=(field("never_null_addition", "Patient", "sure", str, public),)),
        reason="Patient.sure can be refused, so it has to be nullable",
    )
    yield wrong(
        "cores_field",
        graphql=part(extend=(field("cores_field", "Patient", "mrn", str | None, READ),)),
        reason="cores_field and graphql both define Patient.mrn",
    )
    yield wrong(
        "cores_root",
        graphql=part(query=field("cores_root", "Q", "patients", str | None, READ)),
        reason="cores_root and graphql both define Query.patients",
    )
    yield wrong("adds", graphql=part(extend=(field("adds", "Patient", "allergies", str | None, READ),)), reason="")
    yield wrong(
        "adds_too",
        graphql=part(extend=(field("adds_too", "Patient", "allergies", str | None, READ),)),
        reason="adds_too and adds both define Patient.allergies",
    )
    bed, bed_too = (field(name, "Bed", "number", str | None) for name in ("names", "names_too"))
    yield wrong(
        "names",
        graphql=part(query=field("names", "Q", "beds", bed | None, READ)),
        reason="",  # pyright: ignore
    )
    yield wrong(
        "names_too",
        graphql=part(query=field("names_too", "Q", "more_beds", bed_too | None, READ)),  # pyright: ignore
        reason="names_too and names: Type Bed is defined multiple times in the schema",
    )
    yield wrong(
        "unresolvable",
        graphql=unresolvable,
        reason="its part of the schema can't be built: UnresolvedFieldTypeError: Could not resolve the type of 'lost'. "
        "Check that the class is accessible from the global module scope.",
    )
    yield wrong("no_type", graphql=part(query=int), reason="int is not a Strawberry type")


KNOWN = {source.name: (source, reason) for source, reason in plugins()}
FAILING = {name: reason for name, (_, reason) in KNOWN.items() if reason}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def deployment(database_templates: Templates, database_core: str) -> AsyncGenerator[Deployment]:
    """The one deployment of them all."""
    server, name = database_templates.server, database_templates.fresh_name()
    await server.create_database(name, template=await database_templates.name(database_core, APPS))
    database = Database(name, server.application_dsn(name), server.owner_dsn(name))
    kitchen = plugin("kitchen", hookspecs=lambda: Menus, dishes=lambda: ["soup"])
    sources = {**installed(), "kitchen": kitchen, **{name: source for name, (source, _) in KNOWN.items()}}
    enabled = (*FIRST_PARTY, "kitchen", *KNOWN)
    async with served(database, sources=sources, plugins=enabled, hook_seconds=HOOK_SECONDS) as running:
        yield running
    await server.drop_database(name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ada(deployment: Deployment) -> Person:
    return await deployment.person(await deployment.practice())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def told(deployment: Deployment, ada: Person) -> dict[str, tuple[str, str | None]]:
    shown = await deployment.data("{ plugins { name status reason } }", ada.token)
    return {item["name"]: (item["status"], item["reason"]) for item in shown["plugins"]}


@pytest.mark.parametrize("name", FAILING)
async def test_it_is_named_with_its_reason(
    name: str, deployment: Deployment, told: dict[str, tuple[str, str | None]]
) -> None:
    [report] = [report for report in deployment.platform.plugins.report() if report.name == name]
    assert report.reason == FAILING[name]
    assert told[name] == ("FAILED", FAILING[name])


async def test_readiness_names_the_failed_ones_and_no_other(deployment: Deployment) -> None:
    ready = await deployment.http.get("/health/ready")
    assert ready.status_code == 200
    failed = ready.json()["failed"]
    assert failed.keys() == FAILING.keys()
    assert [name for name, reason in FAILING.items() if not reason.startswith(failed[name])] == []
    assert failed["raises_jobs"] == "jobs() raised RuntimeError"  # what it says is for the author and the operator


async def test_everything_else_is_active_and_serves(
    deployment: Deployment, ada: Person, told: dict[str, tuple[str, str | None]]
) -> None:
    assert {name for name, (status, _) in told.items() if status == "ACTIVE"} == {
        *FIRST_PARTY, "kitchen", *(name for name in KNOWN if name not in FAILING),
    }  # fmt: skip
    ben = await deployment.person(await deployment.practice())
    data = await deployment.data(
        "{ practice { name } conversations { nodes { id } } patients { nodes { mrn allergies } } beds { number } }",
        ben.token,
    )
    assert data == {
        "practice": {"name": "Bay View"},
        "conversations": {"nodes": []},
        "patients": {"nodes": []},
        "beds": {"number": "number"},
    }
