"""Lets the demo's people talk, puts each practice on its plan and connects two, through the public API like any client.

So core needs to know neither plans nor chat. Everything carries a fixed clientId: a second time changes nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from bedside_core.access import Tier
from bedside_core.auth import Role
from bedside_core.demo.cast import CONNECTED, CONTACT, INVITED, OPERATOR, PASSWORD, PRACTICES, TALK, DemoPractice

_SECONDS = 30.0
_BUSY = 503

_SIGN_IN = "mutation ($email: String!, $password: String!) { signIn(email: $email, password: $password) { token } }"
_SIGN_OUT = "mutation { signOut }"
_WHERE = "query { practice { id } members(first: 100) { nodes { id role name } } }"
_PLAN = "mutation ($practice: ID!, $tier: PlanTier!) { changePlan(practiceId: $practice, tier: $tier) { tier } }"
_START = "mutation ($with: ID!, $id: String!) { startConversation(memberId: $with, clientId: $id) { id } }"
_SEND = """mutation ($in: ID!, $body: String!, $id: String!) {
  sendMessage(conversationId: $in, body: $body, clientId: $id) { id }
}"""
_HANDLE = "query { practice { handle } }"
_REQUEST = "mutation ($other: String!, $id: String!) { requestConnection(practice: $other, clientId: $id) { id } }"
_ACCEPT = "mutation ($id: ID!) { acceptConnection(id: $id) { state } }"
_HOST = "mutation ($member: ID!) { setVideoHost(memberId: $member, enabled: true) { videoHost } }"
_INVITE = "mutation ($who: InvitationInput!, $id: String!) { inviteMember(input: $who, clientId: $id) { id } }"
_UPLOAD = """mutation ($name: String!, $size: Int!, $sha256: String!, $id: String!) {
  createUpload(name: $name, size: $size, sha256: $sha256, clientId: $id) { id url }
}"""
_CONTACT = "mutation ($who: ContactInput!, $id: String!) { addContact(input: $who, clientId: $id) { id } }"


class StoryFailed(Exception):
    """The API refused a step; the message is the API's."""


class Client:
    """One signed-in person at the public API.

    Args:
        address: URL of the server.
        token: of a sign-in that is there already.
    """

    # The demo's own server must never be asked through a proxy that the environment names.
    _opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def __init__(self, address: str, token: str | None = None) -> None:
        self._url = f"{address}/graphql"
        self._token = token

    def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """Return the data of an operation.

        Raises:
            StoryFailed: it was refused.
        """
        body = json.dumps({"query": document, "variables": variables}).encode()
        answer = self._sent("POST", self._url, body, "application/json")
        if errors := answer.get("errors"):
            raise StoryFailed(errors[0]["message"])
        return answer["data"]

    def upload(self, name: str, content: bytes, client_id: str) -> str:
        """Send a file and return its upload's id.

        Raises:
            StoryFailed: it was refused.
        """
        digest = hashlib.sha256(content).hexdigest()
        made = self.ask(_UPLOAD, name=name, size=len(content), sha256=digest, id=client_id)["createUpload"]
        url = urllib.parse.urljoin(self._url, made["url"])
        self._sent("PUT", url, content, "application/octet-stream")
        return made["id"]

    def _sent(self, method: str, url: str, body: bytes, kind: str, tries: int = 3) -> dict[str, Any]:
        headers = {"content-type": kind, "accept": "application/json"}
        if self._token is not None:
            headers["authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310 - our own address
        try:
            with self._opener.open(request, timeout=_SECONDS) as response:
                return json.load(response)
        except (OSError, ValueError) as error:
            if tries > 1 and isinstance(error, urllib.error.HTTPError) and error.code == _BUSY:
                return self._sent(method, url, body, kind, tries - 1)  # a slow machine takes longer than it may
            raise StoryFailed(f"{type(error).__name__}: {error}") from error

    def get(self, path: str) -> Any:
        """Return the JSON at one of the server's paths.

        Raises:
            StoryFailed: there is none.
        """
        try:
            with self._opener.open(self._url.removesuffix("/graphql") + path, timeout=_SECONDS) as response:
                return json.load(response)
        except (OSError, ValueError) as error:
            raise StoryFailed(f"{type(error).__name__}: {error}") from error

    def sign_in(self, email: str) -> None:
        """Become somebody."""
        self._token = self.ask(_SIGN_IN, email=email, password=PASSWORD)["signIn"]["token"]


class Cast:
    """The demo's people at a server, each of whom signs in when first called: a password's slow hash once for each.

    Args:
        address: URL of the server, which answers already.
        tokens: sign-ins that are there already, by e-mail address.
    """

    def __init__(self, address: str, tokens: Mapping[str, str] = MappingProxyType({})) -> None:
        self.stranger = Client(address)
        """Somebody who is not signed in."""
        self._address = address
        self._here = {email: Client(address, token) for email, token in tokens.items()}

    def __getitem__(self, email: str) -> Client:
        """Return somebody, signed in."""
        if email not in self._here:
            client = Client(self._address)
            client.sign_in(email)
            self._here[email] = client
        return self._here[email]

    def leave(self) -> None:
        """Sign everybody out."""
        for client in self._here.values():
            client.ask(_SIGN_OUT)
        self._here.clear()


async def tell(cast: Cast) -> None:
    """Put each practice on its plan, with a conversation in it, and connect two of them.

    Args:
        cast: the people.

    Raises:
        StoryFailed: the API refused a step, as it does where plans or chat are not enabled.
    """
    await asyncio.to_thread(cast.__getitem__, OPERATOR)
    await together(*(partial(_practice, cast, practice) for practice in PRACTICES))
    await together(partial(_connect, cast))


async def together(*parts: Callable[[], object]) -> None:
    """Have parts done at once, each in a thread; where one fails, the others come to their end all the same.

    Raises:
        StoryFailed: of the first that failed, or did not find what it builds on.
    """
    for failure in await asyncio.gather(*(asyncio.to_thread(_done, part) for part in parts), return_exceptions=True):
        if isinstance(failure, BaseException):
            raise failure


def _done(part: Callable[[], object]) -> None:
    try:
        part()
    except (LookupError, StopIteration) as error:
        raise StoryFailed("what it builds on is missing") from error


def _connect(cast: Cast) -> None:
    """Connect two practices; the first gets a contact, one who may host video, and somebody invited."""
    asks, accepts = (cast[practice.member(Role.OWNER).email] for practice in CONNECTED)
    handle = accepts.ask(_HANDLE)["practice"]["handle"]
    asked = asks.ask(_REQUEST, other=handle, id="demo-connect")
    accepts.ask(_ACCEPT, id=asked["requestConnection"]["id"])
    host = CONNECTED[0].member(Role.PRACTITIONER)
    nodes = asks.ask(_WHERE)["members"]["nodes"]
    asks.ask(_HOST, member=next(node["id"] for node in nodes if node["name"].endswith(host.last_name)))
    asks.ask(_CONTACT, who=CONTACT, id="demo-contact")
    asks.ask(_INVITE, who=INVITED, id="demo-invite")


def _practice(cast: Cast, practice: DemoPractice) -> None:
    operator = cast[OPERATOR]
    people = {role: cast[practice.member(role).email] for role in dict.fromkeys(role for role, _ in TALK)}
    where = people[Role.OWNER].ask(_WHERE)
    practice_id = where["practice"]["id"]
    other = practice.member(Role.PRACTITIONER)
    member_id = next(node["id"] for node in where["members"]["nodes"] if node["name"].endswith(other.last_name))
    # Team chat comes with the highest tier; what was said there stays readable below it (L5).
    operator.ask(_PLAN, practice=practice_id, tier=Tier.PREMIUM)
    started = people[Role.OWNER].ask(_START, **{"with": member_id, "id": "demo-start"})
    for number, (role, body) in enumerate(TALK):
        people[role].ask(_SEND, **{"in": started["startConversation"]["id"], "body": body, "id": f"demo-{number}"})
    operator.ask(_PLAN, practice=practice_id, tier=practice.tier)
