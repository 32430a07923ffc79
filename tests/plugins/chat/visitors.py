"""People without an account in chat's random test: their links, and what they are let see by them (C6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from deployment import Deployment


@dataclass
class Pass:
    """What a visitor has for one conversation.

    Args:
        secret: of the link that they were sent last.
        good: whether it leads in.
        token: of when they came by it last.
    """

    secret: str
    good: bool = True
    token: str | None = None


@dataclass
class Visitor:
    """A contact, or a patient without a portal account.

    Args:
        id: the contact's or patient's.
        born: a patient's date of birth, which their links ask for.
        passes: conversation -> what they have for it.
        over: secrets and tokens whose place newer ones have taken.
    """

    id: str
    born: str | None = None
    passes: dict[str, Pass] = field(default_factory=dict[str, Pass])
    over: list[Pass] = field(default_factory=list[Pass])

    def sent(self, talk: str, secret: str) -> None:
        """Note a link that they were sent: an older one is not good any more."""
        if talk in self.passes:
            self.passes[talk].good = False
            self.over = [self.passes[talk]]
        self.passes[talk] = Pass(secret)

    def put_out(self, talk: str) -> None:
        """Note that their link to a conversation is not good any more."""
        self.passes[talk].good = False

    def using(self, talk: str | None = None) -> Pass | None:
        """With what they try something in a conversation: their token for it, else one for another."""
        own = self.passes.get(talk) if talk else None
        if own is not None and own.token is not None:
            return own
        return next((each for each in self.passes.values() if each.token is not None), None)

    def inside(self, talk: str) -> bool:
        """Whether they have come by a good link to a conversation."""
        own = self.passes.get(talk)
        return own is not None and own.good and own.token is not None

    async def enter(self, deployment: Deployment, talk: str) -> None:
        """Exchange their secret for a token, or see that it is good for nothing."""
        own = self.passes[talk]
        told = await self._exchange(deployment, own.secret)
        if own.good:
            assert told["conversationId"] == talk, told
            own.token = told["token"]
        else:
            assert told["code"] == "LINK_OVER", told

    async def see_nothing(self, deployment: Deployment, query: str) -> None:
        """See that with what is over there is nothing to be had."""
        for each in [*self.over, *self.passes.values()]:
            if not each.good:
                assert (await self._exchange(deployment, each.secret))["code"] == "LINK_OVER"
                assert each.token is None or await deployment.code(query, each.token) == "UNAUTHENTICATED"

    async def _exchange(self, deployment: Deployment, secret: str) -> dict[str, Any]:
        given = {"secret": secret} | ({"dateOfBirth": self.born} if self.born else {})
        return (await deployment.http.post("/chat/guest/exchange", json=given)).json()
