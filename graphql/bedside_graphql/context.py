"""What every resolver is given: who asks, through which platform, and one DataLoader per batch function."""

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import strawberry
from strawberry.dataloader import DataLoader

from bedside_core import errors
from bedside_core.auth import Actor
from bedside_core.platform import Platform
from bedside_graphql.errors import contained

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Context:
    """One operation's context; for a subscription, that of all its events.

    Args:
        platform: the assembled platform.
        actor: who asks; None is somebody who is not signed in.
        request_id: names the operation in answers and logs (G3).
        client_address: the caller's network address, for limits of those who are not signed in.
        live: whether it is a subscription's, whose loaders must not remember from one event to the next.
        over_http: whether there is an HTTP answer, which alone can set cookies.
    """

    def __init__(
        self,
        platform: Platform,
        actor: Actor | None,
        *,
        request_id: str,
        client_address: str = "",
        live: bool = False,
        over_http: bool = True,
    ) -> None:
        self.platform = platform
        self.actor = actor
        self.request_id = request_id
        self.client_address = client_address
        self.set_cookies: list[str] = []
        """Values of `Set-Cookie` headers of the answer, where there is an HTTP answer."""
        self.over_http = over_http
        """Whether there is."""
        self._live = live
        self._loaders: dict[object, DataLoader[Any, Any]] = {}

    def signed_in(self) -> Actor:
        """Return who asks.

        Raises:
            errors.Unauthenticated: nobody is signed in.
        """
        if self.actor is None:
            raise errors.Unauthenticated("You are not signed in.", way_on="Sign in and send the token.")
        return self.actor

    def loader(self, batch: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]) -> DataLoader[K, V | None]:
        """Return this operation's DataLoader for a batch function, so that a list costs one statement.

        Args:
            batch: given ids, returns those that exist and may be seen, by id; a bound method or a module's function.
        """
        if batch not in self._loaders:

            async def load(keys: list[K]) -> list[V | None]:
                with contained:  # a plugin's batch function may raise anything
                    found = await batch(list(dict.fromkeys(keys)))
                return [found.get(key) for key in keys]

            self._loaders[batch] = DataLoader(load, cache=not self._live)
        return self._loaders[batch]


Info: TypeAlias = strawberry.Info[Context, None]
"""Type of the `info` argument of resolvers."""
