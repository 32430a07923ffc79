"""GraphQL: table of contents. It publishes the hook `graphql` and mounts `/graphql`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from bedside_core.hookspecs import hookimpl
from bedside_core.manifest import Manifest
from bedside_core.platform import MessageLimit, Platform
from bedside_core.routes import Route
from bedside_graphql.endpoint import Endpoint
from bedside_graphql.hookspecs import GraphQLHooks
from bedside_graphql.preferences import GraphQLSettings


@hookimpl
def manifest() -> Manifest:
    """Say who the GraphQL plugin is."""
    return Manifest(name="graphql", title="GraphQL", api=">=1.0,<2", settings=GraphQLSettings)


@hookimpl
def hookspecs() -> type:
    """Publish the hook `graphql`."""
    return GraphQLHooks


@hookimpl
def services(platform: Platform) -> Mapping[type[Any], object]:
    """Provide the endpoint, and tell the server how long a message may be."""
    endpoint = Endpoint(platform)
    return {Endpoint: endpoint, MessageLimit: endpoint.config}


@hookimpl
def routes(platform: Platform) -> list[Route]:
    """Mount `/graphql`."""
    return platform.service(Endpoint).routes()


@hookimpl
def lifespan(platform: Platform) -> AbstractAsyncContextManager[None]:
    """Compose the schema."""
    return platform.service(Endpoint).running()
