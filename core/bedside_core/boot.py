"""Assembles a platform: database, plugins, services and everything that runs while it runs, without an entrance."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, cast

import structlog
from litestar import Litestar

from bedside_core import parts
from bedside_core.access import Access, Entitlements
from bedside_core.accounts import Links
from bedside_core.accounts.service import Accounts
from bedside_core.applications import Applications, registered_origin
from bedside_core.audit.anchor import Anchor
from bedside_core.audit.operation import use
from bedside_core.audit.sealer import Sealer
from bedside_core.auth import SESSION_STREAM, Auth, PatientPersonas
from bedside_core.clock import Clock, clock_positions
from bedside_core.config import Config
from bedside_core.database import (
    DB,
    EmbeddedServer,
    Pending,
    check_role,
    migrate,
    pending_by_app,
    prepare_roles,
    set_outlet,
)
from bedside_core.database.migrate import CORE
from bedside_core.events import Events, Listener, event_name
from bedside_core.files.service import Files
from bedside_core.guard import guarded
from bedside_core.imports.service import KIND as IMPORT_STREAM
from bedside_core.inbox import INBOX_STREAM, Inbox
from bedside_core.inbox.service import positions as inbox_positions
from bedside_core.jobs import Job, Jobs
from bedside_core.lifespans import LIFESPAN_SECONDS, Lifespans
from bedside_core.live import Live, LiveBus, LocalBus, PostgresBus, Presence, StreamKind
from bedside_core.live.postgres import LARGEST_POSITION
from bedside_core.notify import Notify
from bedside_core.notify.shown import STREAM as NOTIFICATION_STREAM
from bedside_core.notify.shown import positions as notification_positions
from bedside_core.notify.ways import ways
from bedside_core.origins import Origins
from bedside_core.people import PRACTICE_STREAM, People
from bedside_core.piccolo_conf import register_apps
from bedside_core.platform import Platform, PlatformOutlet, Step
from bedside_core.plugins import PluginError, Plugins, Source, listing
from bedside_core.records.expiring import expire_containing
from bedside_core.routes import Route, mounted, ungated
from bedside_core.settings import Settings
from bedside_core.watchdog import Watchdog
from bedside_core.watching import tracing
from bedside_core.webhooks import Webhooks

log = structlog.get_logger("bedside.boot")


class NotReady(RuntimeError):
    """The deployment can't start as it is; the message tells the operator what to do."""


@asynccontextmanager
async def assembled(
    config: Config, *, sources: Mapping[str, Source] | None = None, bus: LiveBus | None = None, worker: bool = False
) -> AsyncGenerator[Platform, None]:
    """Give a running platform without an HTTP entrance; commands, workers and tests use it so.

    Args:
        config: the deployment's configuration.
        sources: where plugins come from; by default what is installed.
        bus: between processes; by default PostgreSQL's NOTIFY.
        worker: whether to run background jobs as well.

    Raises:
        NotReady: the database is not fit or not migrated.
        PluginError: a plugin failed, where strict.
    """
    async with AsyncExitStack() as stack:
        plugins = Plugins(config.plugins, hook_seconds=config.hook_seconds, strict=config.strict, sources=sources)
        stack.enter_context(tracing(config.traces_url, share=config.traces_share))
        dsn = await stack.enter_async_context(_database(config, plugins))
        platform = _collected(config, plugins, bus or PostgresBus(dsn))
        set_outlet(PlatformOutlet(platform))
        stack.callback(set_outlet, None)
        await platform.clock.load()
        use(platform.clock)
        stack.callback(use, Clock())
        platform.watchdog = Watchdog(plugins.packages(), seconds=config.blocked_seconds, now=platform.clock.now)
        await stack.enter_async_context(platform.watchdog.running())
        lifespans = Lifespans(plugins)
        stack.push_async_callback(lifespans.leave)
        await lifespans.enter()
        await _take_steps(platform)
        _assemble(platform)
        await lifespans.leave_failed()
        await stack.enter_async_context(platform.live.running())
        await stack.enter_async_context(platform.presence.running())
        await stack.enter_async_context(platform.events.running())
        if config.clock_moves:
            stack.enter_context(platform.clock.follow(platform.live))
        if worker:
            await stack.enter_async_context(Sealer(Anchor(config.anchor)).running())
            await stack.enter_async_context(platform.jobs.running(dsn))
        yield platform


def outlined(config: Config, *, sources: Mapping[str, Source] | None = None) -> Platform:
    """Return a platform whose plugins were asked for what they contribute, without a database and without life.

    For commands that list, print or check: its services must not be called.

    Args:
        config: the deployment's configuration.
        sources: where plugins come from; by default what is installed.

    Raises:
        PluginError: a plugin failed, where strict.
    """
    plugins = Plugins(config.plugins, hook_seconds=config.hook_seconds, strict=config.strict, sources=sources)
    return _collected(config, plugins, LocalBus())


@asynccontextmanager
async def _database(config: Config, plugins: Plugins) -> AsyncGenerator[str, None]:
    """Start or find the database, see that it is migrated, and connect as the application role."""
    async with AsyncExitStack() as stack:
        if config.database_url is None:
            server = await EmbeddedServer.start(config.data / "postgres")
            stack.push_async_callback(server.stop)
            dsn = server.application_dsn()
            await prepare_roles(server.owner_dsn(), dsn)
            await migrate_all(server.owner_dsn(), plugins)
        else:
            dsn = config.database_url
            _without_pending(plugins, await pending_by_app(dsn, apps_of(plugins)))
            register_apps([CORE, *apps_of(plugins)])
        await DB.open(dsn, max_size=config.pool_size)
        stack.push_async_callback(DB.close)
        if unfit := await check_role():
            raise NotReady("BEDSIDE_DATABASE_URL must name the application role: " + "; ".join(unfit))
        yield dsn


def _without_pending(plugins: Plugins, found: Pending) -> None:
    """Disable the plugins whose tables are not there.

    Raises:
        NotReady: core's are not.
    """
    if CORE in found.missing:
        names = [name for names in found.missing.values() for name in names]
        raise NotReady(f"{len(names)} migrations are to be run first, `bedside migrate`: {', '.join(names)}")
    for app, error in found.unreadable.items():
        _fail_app(plugins, app, "its migrations can't be read", error)
    for app, names in found.missing.items():
        _fail_app(plugins, app, f"its migrations are to be run first, `bedside migrate`: {', '.join(names)}")


def _fail_app(plugins: Plugins, app: str, reason: str, said: str | None = None) -> None:
    for name in [name for name, manifest in plugins.manifests.items() if manifest.piccolo_app == app]:
        plugins.fail(name, reason, said)


def apps_of(plugins: Plugins) -> list[str]:
    """Return the Piccolo apps of the active plugins, in order."""
    return [manifest.piccolo_app for manifest in plugins.manifests.values() if manifest.piccolo_app]


async def migrate_all(owner_dsn: str, plugins: Plugins) -> Mapping[str, tuple[str, ...]]:
    """Run the migrations of core and of the active plugins; a plugin whose migrations fail is disabled.

    Returns:
        App -> the migrations that were applied now.
    """
    migrated = await migrate(owner_dsn, apps_of(plugins))
    for app, error in migrated.failed.items():
        _fail_app(plugins, app, "its migrations failed", error)
    return migrated.applied


def _collected(config: Config, plugins: Plugins, bus: LiveBus) -> Platform:
    """Make the platform and call the hooks that need nothing but it."""
    clock, settings = Clock(movable=config.clock_moves), Settings()
    platform = Platform(
        config=config,
        plugins=plugins,
        clock=clock,
        auth=Auth(clock, config),
        people=People(clock, settings),
        settings=settings,
        live=Live(bus),
        links=Links(clock, config.support_contact),
    )

    platform.files = Files(platform, parts.FILE_OWNERS, expire_containing)
    platform.applications = Applications(config, clock, platform.auth)
    platform.origins = Origins(config, registered_origin)
    platform.accounts = Accounts(platform)
    platform.inbox = Inbox(platform)
    platform.presence = Presence(platform.live)

    async def sessions(ids: Any) -> Mapping[Any, int]:
        rows = await DB.fetch(
            "SELECT * FROM session_positions($1, $2) UNION ALL SELECT * FROM guest_positions($1, $2)",
            list(ids),
            clock.now(),
        )
        # One whose row is gone, with a patient or a practice that was erased, has ended as well.
        return {**dict.fromkeys(ids, LARGEST_POSITION), **{row["id"]: row["position"] for row in rows}}

    async def practices(ids: Any) -> Mapping[Any, int]:
        rows = await DB.fetch("SELECT * FROM practice_positions($1)", list(ids))
        return {row["id"]: row["position"] for row in rows}

    platform.live.add_kind(
        StreamKind(SESSION_STREAM, sessions, "A sign-in, key or guest: grows when it becomes another actor's or ends.")
    )
    platform.live.add_kind(
        StreamKind(PRACTICE_STREAM, practices, "A practice's plan, its people's rights and its connections.")
    )
    platform.live.add_kind(StreamKind(NOTIFICATION_STREAM, notification_positions, "A person's notifications."))
    platform.live.add_kind(StreamKind(INBOX_STREAM, inbox_positions, "What concerns a person."))
    platform.live.add_kind(IMPORT_STREAM)
    platform.live.add_kind(StreamKind("clock", clock_positions, "The movable clock of demo and tests."))
    for name, declared in parts.SETTINGS.items():
        platform.settings.add(name, declared)
    for name, manifest in plugins.manifests.items():
        if manifest.settings is not None:
            platform.settings.add(name, manifest.settings)

    def providers(plugin: str, value: Any) -> Mapping[type[Any], object]:
        if not isinstance(value, Mapping):
            raise PluginError(f"services() returned {type(value).__name__}, not Protocol -> provider")
        provided = cast("Mapping[type[Any], object]", value)
        for protocol in provided:
            if protocol in platform.providers:
                other = platform.providers[protocol][0]
                raise PluginError(f"{plugin} and {other} both provide {getattr(protocol, '__name__', protocol)}")
        platform.providers.update({protocol: (plugin, provider) for protocol, provider in provided.items()})
        return provided

    def listeners(plugin: str, value: Any) -> list[Listener]:
        found = list(listing(Listener, "listeners")(plugin, value))
        if twice := _twice(event_name(plugin, listener.event) for listener in found if listener.durable):
            raise PluginError(f"several durable listeners of one event: {', '.join(twice)}")
        return found

    def routes(plugin: str, value: Any) -> list[Route]:
        handlers = list(listing(Route, "routes")(plugin, value))
        if open_paths := ungated(handlers):
            raise PluginError(f"routes without a gate or public_route: {', '.join(open_paths)}")
        return handlers

    def jobs(plugin: str, value: Any) -> list[Job]:
        found = list(listing(Job, "jobs")(plugin, value))
        if twice := _twice(job.name for job in found):
            raise PluginError(f"several jobs of one name: {', '.join(twice)}")
        return found

    plugins.collect("services", providers, platform=platform)
    plugins.collect("listeners", listeners, platform=platform)
    plugins.collect("jobs", jobs, platform=platform)
    plugins.collect("routes", routes, platform=platform)
    _without_unservable(plugins)
    plugins.collect("lifespan", _manager, platform=platform)
    _assemble(platform)
    return platform


def _without_unservable(plugins: Plugins) -> None:
    """Disable the plugins whose routes Litestar refuses, which would end the start."""
    routed = plugins.collected("routes")
    if _refusal(routed) is not None:
        for name, handlers in routed.items():
            if (refusal := _refusal({name: handlers})) is not None and plugins.active(name):
                plugins.fail(name, "its routes can't be served", refusal)


def _refusal(routed: Mapping[str, list[Route]]) -> str | None:
    try:
        routers = [mounted(name, handlers) for name, handlers in routed.items()]
        Litestar(route_handlers=routers, openapi_config=None, logging_config=None)  # its logging would replace ours
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def _twice(names: Iterable[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]


def _manager(plugin: str, value: Any) -> AbstractAsyncContextManager[None]:
    if not isinstance(value, AbstractAsyncContextManager):
        raise PluginError(f"lifespan() returned {type(value).__name__}, not an asynchronous context manager")
    return cast("AbstractAsyncContextManager[None]", value)


async def _take_steps(platform: Platform) -> None:
    """Do what plugins asked to have done once every lifespan was entered; what raises disables who asked."""
    for name, step in platform.steps:
        if not platform.plugins.active(name):
            continue
        _, failure = await guarded(_step(step), LIFESPAN_SECONDS)
        if failure and isinstance(failure.error, PluginError):
            raise failure.error
        if failure:
            platform.plugins.fail(name, type(failure.error).__name__, str(failure.error))


async def _step(step: Step) -> None:
    """Take a step: what it raises before there is anything to await is its failure too."""
    await step()


def _assemble(platform: Platform) -> None:
    """Make access, events and jobs out of what the plugins that are active now have contributed."""
    plugins, config = platform.plugins, platform.config
    platform.providers = {
        protocol: (name, provider) for protocol, (name, provider) in platform.providers.items() if plugins.active(name)
    }
    manifests = plugins.manifests.values()
    provider = platform.providers.get(Entitlements)
    patients = platform.providers.get(PatientPersonas)
    platform.auth.patients = cast("PatientPersonas", patients[1]) if patients else None
    platform.access = Access(
        platform,
        [feature for manifest in manifests for feature in manifest.features],
        [
            *parts.PERMISSIONS,
            *(item for manifest in manifests for item in manifest.permissions),
        ],
        cast("Entitlements", provider[1]) if provider else None,
        plans_expected=config.entitlements in config.plugins,
    )
    platform.events = Events(
        [
            *((parts.CORE, item) for item in parts.listeners(platform)),
            *((name, item) for name, items in plugins.collected("listeners").items() for item in items),
        ],
        config.listener_seconds,
    )
    try:
        platform.notify = Notify(
            config,
            platform.clock,
            [*parts.NOTIFICATIONS, *(item for manifest in manifests for item in manifest.notifications)],
            ways(config, platform.clock),
        )
        platform.webhooks = Webhooks(
            config,
            platform.clock,
            [*parts.PUBLIC_EVENTS, *(item for manifest in manifests for item in manifest.public_events)],
        )
    except ValueError as error:
        raise NotReady(str(error)) from error
    platform.jobs = Jobs(
        platform,
        [
            *((parts.CORE, job) for job in parts.JOBS),
            *((name, job) for name, items in plugins.collected("jobs").items() for job in items),
        ],
        platform.events.durable_jobs(),
        wakes=parts.WAKES,
    )
