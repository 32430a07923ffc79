"""What every resolver is given: who asks, through which platform, and one DataLoader per batch function."""

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

import strawberry
from strawberry.dataloader import DataLoader

from bedside_core import errors
from bedside_core.auth import Actor, Client, known_device
from bedside_core.platform import Platform
from bedside_core.proxies import network
from bedside_graphql.errors import contained
from bedside_graphql.ratelimit import ACCOUNT, ADDRESS, RateLimits

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
        client: the program that asks.
        limits: counts sign-ins of addresses and accounts.
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
        client: Client | None = None,
        limits: RateLimits | None = None,
    ) -> None:
        self.platform = platform
        self.actor = actor
        self.request_id = request_id
        self.client_address = client_address
        self.set_cookies: list[str] = []
        """Values of `Set-Cookie` headers of the answer, where there is an HTTP answer."""
        self.over_http = over_http
        """Whether there is."""
        self.client = client or Client()
        """The program that asks, and the device it is known as."""
        self._live = live
        self._limits = limits
        self._loaders: dict[object, DataLoader[Any, Any]] = {}

    def signed_in(self) -> Actor:
        """Return who asks, once their sign-in is complete.

        Raises:
            errors.Unauthenticated: nobody is signed in.
            errors.Forbidden: a guest asks, who came by a link; what is open to guests asks `acting`.
            bedside_core.auth.SecondFactorNeeded: the sign-in waits for the second factor.
        """
        return self.signing_in().complete()

    def acting(self) -> Actor:
        """Return who asks, a guest too, once their sign-in is complete; for fields that are open to guests (C6).

        Raises:
            errors.Unauthenticated: nobody is signed in.
            bedside_core.auth.SecondFactorNeeded: the sign-in waits for the second factor.
        """
        return self._somebody().complete()

    def signing_in(self) -> Actor:
        """Return who asks, though their second factor may be missing yet; for what completes a sign-in.

        Raises:
            errors.Unauthenticated: nobody is signed in.
            errors.Forbidden: a guest asks.
        """
        return self._somebody().with_account()

    def _somebody(self) -> Actor:
        if self.actor is None:
            raise errors.Unauthenticated("You are not signed in.", way_on="Sign in and send the token.")
        return self.actor

    async def count_sign_in(
        self, named: str | UUID = "", client: Client | None = None, *, policy: str = ACCOUNT
    ) -> None:
        """Count a sign-in, or what asks for a password or a code, for the caller's address and for an account (G4).

        A device that the account knows has a budget of its own: others can't use it up and lock the owner out (A5).

        Args:
            named: the address that is signed in with, anybody's or nobody's, or an account's id.
            client: what asks, where that is told by an argument.
            policy: RESET for mails with links to a new password, which take nothing from signing in.

        Raises:
            errors.RateLimited: there were too many within a minute.
        """
        if self._limits is not None:
            await self._limits.spend(ADDRESS, network(self.client_address), 1)
            if named:
                named = named if isinstance(named, UUID) else named.strip()[:320]
                device = await known_device(named, client or self.client) if policy == ACCOUNT else None
                await self._limits.spend(policy, f"device {device}" if device else str(named).lower(), 1)

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
