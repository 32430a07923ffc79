"""Composes the schema when the platform starts, and serves `/graphql` from it."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast
from uuid import UUID

import strawberry
from litestar import MediaType, Request, Response, asgi, get
from litestar.types import Receive, Scope, Send

from bedside_core import parts as core_parts
from bedside_core.auth import Actor, Client
from bedside_core.errors import Conflict, Unavailable
from bedside_core.platform import Platform
from bedside_core.plugins import PluginError
from bedside_core.routes import Route, actor_of, public_route
from bedside_graphql.config import GraphQLConfig, configured
from bedside_graphql.context import Context, Info
from bedside_graphql.errors import quiet
from bedside_graphql.execute import Executor
from bedside_graphql.gate import gates_of
from bedside_graphql.http import GraphQLHTTP
from bedside_graphql.lockout import UNDOING, has_a_way_back
from bedside_graphql.part import GraphQLPart
from bedside_graphql.persisted import PersistedDocuments
from bedside_graphql.platform import PARTS
from bedside_graphql.preferences import GraphQLSettings
from bedside_graphql.problems import IntrospectionOff
from bedside_graphql.ratelimit import RateLimits
from bedside_graphql.schema import Schema, compose
from bedside_graphql.settings import Guard, settings_part
from bedside_graphql.sockets import GraphQLSockets

NAME = "graphql"


def _keep_a_way_back(info: Info, changes: Mapping[str, Any]) -> None:
    """Refuse to let a practice lock itself out."""
    if changes.get("persisted_only") and not info.context.platform.service(Endpoint).way_back:
        raise Conflict(
            "No document on the deployment's allow-list turns this off again: your practice would be locked out.",
            way_on=f"Have the operator add a mutation with {UNDOING}(patch: {{ persistedOnly: false }}) to the list.",
            field=("patch", "persisted_only"),
        )


GUARDS: Mapping[type, Guard] = {GraphQLSettings: _keep_a_way_back}
"""What looks at changes of settings, by the settings' class."""


def accepted(plugin: str, value: Any) -> GraphQLPart:
    """Return what the hook `graphql` gave, if it is a part."""
    if not isinstance(value, GraphQLPart):
        raise PluginError(f"graphql() returned {type(value).__name__}, not a GraphQLPart")
    return value


def composed(platform: Platform) -> Schema:
    """Return the schema of core's part, the active plugins' parts and their settings; what does not fit is disabled."""
    return compose(_collected(platform), platform.plugins.fail, platform.plugins.active)


def _collected(platform: Platform) -> Mapping[str, Sequence[GraphQLPart]]:
    """Return plugin name -> its parts, in plugin order."""
    plugins = platform.plugins
    parts: dict[str, tuple[GraphQLPart, ...]] = {
        NAME: (*PARTS, *(settings_part(name, declared) for name, declared in core_parts.SETTINGS.items()))
    }
    for name, part in plugins.collect("graphql", accepted, platform=platform).items():
        parts[name] = (*parts.get(name, ()), part)
    for name, manifest in plugins.manifests.items():
        if manifest.settings is not None:
            parts[name] = (*parts.get(name, ()), settings_part(name, manifest.settings, GUARDS.get(manifest.settings)))
    return {name: parts[name] for name in (NAME, *plugins.manifests) if name in parts}


class Endpoint:
    """What answers at `/graphql`, once the schema is composed.

    Args:
        platform: the platform, still being assembled.
        config: the endpoint's limits and policies; by default read from the environment.
    """

    def __init__(self, platform: Platform, config: GraphQLConfig | None = None) -> None:
        self._platform = platform
        self.config = config or configured()
        """Limits and policies."""
        self._limits = RateLimits(self.config)
        self._http: GraphQLHTTP | None = None
        self._sockets: GraphQLSockets | None = None
        self.schema: strawberry.Schema | None = None
        """The composed schema, from the start on."""
        self.way_back = False
        """Whether a listed document can have a practice accept others again."""

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Compose the schema once it is known which plugins are active, and serve it."""
        self._platform.when_assembled(NAME, self._compose)
        asyncio.get_running_loop().set_exception_handler(quiet)
        try:
            yield
        finally:
            if self._sockets is not None:
                await self._sockets.shutdown()

    async def _compose(self) -> None:
        plugins, parts = self._platform.plugins, _collected(self._platform)  # hooks are bounded on this thread only
        # It takes a second on a slow machine, in which the event loop is not to count as blocked.
        self.schema = await asyncio.to_thread(compose, parts, plugins.fail, plugins.active)
        persisted = PersistedDocuments.load(
            self.config.persisted_documents, only=self.config.persisted_only, practice_only=self._practice_only
        )
        schema = self.schema._schema  # pyright: ignore[reportPrivateUsage]
        executor = Executor(schema, self.config, persisted, limits=self._limits, figures=self._platform.figures)
        self.way_back = has_a_way_back(persisted, executor.documents)
        platform = self._platform
        self._http = GraphQLHTTP(executor, self._context, self._seen)
        self._sockets = GraphQLSockets(
            executor,
            platform.config,
            self._context,
            platform.auth.authenticate,
            attach=platform.live.attach,
            presence=platform.presence,
            gates_of=gates_of,
            seen=self._seen,
        )
        platform.gauges |= {
            "sockets": ("Open sockets.", partial(len, self._sockets)),
            "socket_operations": ("Operations open on sockets.", partial(getattr, self._sockets, "running")),
        }

    def routes(self) -> list[Route]:
        """Return the endpoint and the schema to download (G7)."""

        @asgi("/", guards=[public_route], copy_scope=False)
        async def graphql(scope: Scope, receive: Receive, send: Send) -> None:
            await self._serve(scope, receive, send)

        @get("/schema.graphql", guards=[public_route], sync_to_thread=False, media_type=MediaType.TEXT)
        def sdl(request: Request[Any, Any, Any]) -> Response[str]:
            return self._sdl(request)

        return [graphql, sdl]

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        served = self._sockets if scope["type"] == "websocket" else self._http
        if served is None:
            raise Unavailable("The schema is not composed yet.")
        await served(scope, receive, send)

    def _sdl(self, request: Request[Any, Any, Any]) -> Response[str]:
        actor = actor_of(request)
        policy = self.config.introspection
        if self.schema is None or policy == "nobody" or (policy == "signed_in" and (actor is None or actor.pending)):
            raise IntrospectionOff("This deployment does not tell its schema.")
        return Response(self.schema.as_str(), media_type="text/plain")

    def _context(
        self,
        actor: Actor | None,
        *,
        request_id: str,
        client_address: str,
        client: Client,
        live: bool,
        over_http: bool,
    ) -> Context:
        return Context(
            self._platform,
            actor,
            request_id=request_id,
            client_address=client_address,
            live=live,
            over_http=over_http,
            client=client,
            limits=self._limits,
        )

    async def _seen(self, actor: Actor) -> None:
        if actor.key_id is None:
            await self._platform.auth.seen(actor.session_id)

    async def _practice_only(self, practice_id: UUID) -> bool:
        return (await self._platform.settings.read(GraphQLSettings)).persisted_only


def schema_of(platform: Platform) -> strawberry.Schema:
    """Return the composed schema of a running platform."""
    return cast(strawberry.Schema, platform.service(Endpoint).schema)
