"""The one object that holds what was assembled at start; services, fields, routes and jobs are given it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from bedside_core import errors
from bedside_core.audit.trail import Trail
from bedside_core.database import DB, Announcement, Connection, current_scope
from bedside_core.events import Event, Events, encode
from bedside_core.watching.figures import Figures

if TYPE_CHECKING:
    from bedside_core.access import Access
    from bedside_core.accounts import Links
    from bedside_core.accounts.service import Accounts
    from bedside_core.applications import Applications
    from bedside_core.auth import Auth
    from bedside_core.clock import Clock
    from bedside_core.config import Config
    from bedside_core.files.service import Files
    from bedside_core.inbox import Inbox
    from bedside_core.jobs import Jobs
    from bedside_core.live import Live, Presence
    from bedside_core.notify import Notify
    from bedside_core.origins import Origins
    from bedside_core.people import People
    from bedside_core.plugins import Plugins
    from bedside_core.settings import Settings
    from bedside_core.watchdog import Watchdog
    from bedside_core.webhooks import Webhooks

S = TypeVar("S")
Step = Callable[[], Awaitable[None]]
"""What a plugin has done at the end of the start."""


class MessageLimit(Protocol):
    """How long a message on a socket may be; provided by the plugin that serves sockets."""

    @property
    def max_message_bytes(self) -> int:
        """The longest message, in bytes."""
        ...


class ServiceMissing(errors.Unavailable):
    """The plugin that answers is not active."""

    code = "SERVICE_MISSING"
    meaning = "The plugin that would answer is not active in this deployment; `plugins` says why."
    retryable = False


@dataclass(kw_only=True)
class Platform:
    """What was assembled: configuration, plugins, and the parts of core."""

    config: Config
    plugins: Plugins
    clock: Clock
    auth: Auth
    people: People
    settings: Settings
    live: Live
    links: Links
    audit: Trail = field(default_factory=Trail)
    figures: Figures = field(default_factory=Figures)
    gauges: dict[str, tuple[str, Callable[[], float]]] = field(
        default_factory=dict[str, "tuple[str, Callable[[], float]]"]
    )
    """Name -> what it is, and how to read it: what a part wants monitored of this process, as `bedside_<name>`."""
    access: Access = field(init=False)
    events: Events = field(init=False)
    jobs: Jobs = field(init=False)
    presence: Presence = field(init=False)
    inbox: Inbox = field(init=False)
    notify: Notify = field(init=False)
    files: Files = field(init=False)
    webhooks: Webhooks = field(init=False)
    applications: Applications = field(init=False)
    origins: Origins = field(init=False)
    accounts: Accounts = field(init=False)
    watchdog: Watchdog | None = None
    providers: dict[type[Any], tuple[str, object]] = field(default_factory=dict[type[Any], "tuple[str, object]"])
    steps: list[tuple[str, Step]] = field(default_factory=list["tuple[str, Step]"])
    """Plugin name and what it asked for by `when_assembled`."""
    closing: bool = False
    """True from the moment the process was told to stop."""

    def when_assembled(self, plugin: str, step: Step) -> None:
        """Have something done at start once every lifespan was entered, for what is made out of all plugins' parts.

        Args:
            plugin: who asks, in its lifespan; it is disabled if the step raises.
            step: awaited once, before anything is served, for `LIFESPAN_SECONDS` at most. Plugins that failed until
                then are no longer active.
        """
        self.steps.append((plugin, step))

    def service(self, protocol: type[S]) -> S:
        """Return the one provider of a published Protocol.

        Raises:
            ServiceMissing: no active plugin provides it.
        """
        if protocol not in self.providers:
            raise ServiceMissing(f"{protocol.__name__} is not available in this deployment.")
        return cast(S, self.providers[protocol][1])

    def faults(self) -> dict[str, int]:
        """Return how often each plugin's listeners, jobs or blocking code failed since the start."""
        total: Counter[str] = Counter(self.events.faults)
        total.update(self.jobs.faults)
        if self.watchdog is not None:
            total.update(self.watchdog.counts)
        return dict(total)

    def provides(self, protocol: type[Any]) -> bool:
        """Tell whether an active plugin provides a Protocol."""
        return protocol in self.providers


class PlatformOutlet:
    """Carries a unit of work's events to listeners, jobs and live streams."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def enqueue(self, connection: Connection, name: str, payload: Mapping[str, Any]) -> None:
        """Write a job of the acting practice, inside the caller's transaction."""
        practice_id = current_scope().practice_id
        if practice_id is None:
            raise RuntimeError("a job belongs to a practice: enqueue it within acting(…)")
        await self._platform.jobs.enqueue(connection, name, payload, practice_id)

    async def durable(self, events: Sequence[object]) -> None:
        """Write a job for each durable listener, inside the emitter's transaction; one statement, however many."""
        told = [event for event in events if isinstance(event, Event)]
        await self._platform.webhooks.emitted(told)
        wanted = [
            (name, encode(event), event.practice_id)
            for event in told
            for name in self._platform.events.durable_for(event)
        ]
        if wanted:
            async with DB.connection() as connection:
                await self._platform.jobs.enqueue_all(connection, wanted)

    def after_commit(self, events: Sequence[object], announcements: Sequence[Announcement]) -> None:
        """Tell live streams and listeners what is now true."""
        for topic, position in announcements:
            self._platform.live.publish(topic, position)
        self._platform.events.deliver(event for event in events if isinstance(event, Event))
