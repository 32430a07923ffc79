"""Members and patients do everything at random: what each sees is what a small model says, by queries and by events."""

from __future__ import annotations

import base64
import itertools
import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from deployment import Deployment, Held, Person, served
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedside_core.auth import Role
from bedside_core.database import DB, acting
from bedside_core.people import Practice
from bedside_core.testing import Database
from rulebook import size

FIELDS = """id name description private unread urgent cursor participants { nodes { id readUpTo } }
  messages(first: 100) { nodes { id body urgent deletedAt sender { id } reactions { emoji personIds }
    acknowledgements { personId acknowledgedAt } } }"""
SEE = f"query($i: ID!) {{ conversation(id: $i) {{ {FIELDS} }} }}"
LIST = "{ conversations(first: 100) { nodes { id } } }"
MESSAGE = """id body urgent deletedAt cursor sender { id } reactions { emoji personIds }
  acknowledgements { personId acknowledgedAt }"""
EVENTS = f"""subscription($i: ID!, $a: String) {{ conversationEvents(conversationId: $i, after: $a) {{
  ... on MessageChanged {{ __typename cursor message {{ {MESSAGE} }} added }}
  ... on ParticipantChanged {{ __typename cursor participant {{ id leftAt readUpTo }} }}
  ... on ConversationChanged {{ __typename cursor conversation {{ name description private }} }} }} }}"""
ACTS = {
    "direct": "mutation($o: ID!, $c: String!) { made: startConversation(memberId: $o, clientId: $c) { id } }",
    "patient": "mutation($o: ID!, $c: String!) { made: startPatientConversation(patientId: $o, clientId: $c) { id } }",
    "care": "mutation($o: ID!, $c: String!) { made: startPractitionerConversation(memberId: $o, clientId: $c) { id } }",
    "group": """mutation($p: Boolean!, $c: String!) {
        made: createGroup(name: "G", private: $p, clientId: $c) { id } }""",
    "send": """mutation($i: ID!, $b: String!, $u: Boolean!, $c: String!) {
        made: sendMessage(conversationId: $i, body: $b, urgent: $u, clientId: $c) { id } }""",
    "read": "mutation($i: ID!, $u: String!) { markConversationRead(conversationId: $i, upTo: $u) { unread } }",
    "react": 'mutation($m: ID!, $on: Boolean!) { reactToMessage(messageId: $m, emoji: "👍", on: $on) { id } }',
    "acknowledge": "mutation($m: ID!) { acknowledgeMessage(messageId: $m) { id } }",
    "delete": "mutation($m: ID!) { deleteMessage(messageId: $m) { id } }",
    "leave": "mutation($i: ID!) { leaveConversation(conversationId: $i, lastMemberConfirmed: true) }",
    "add": "mutation($i: ID!, $o: ID!) { addParticipants(conversationId: $i, personIds: [$o]) { id } }",
    "join": "mutation($i: ID!) { joinConversation(conversationId: $i) { id } }",
    "rename": "mutation($i: ID!, $n: String!) { changeGroup(conversationId: $i, name: $n) { id } }",
}
NOTHING = "NOTHING"
"""There is no message to do it to, so it is not asked."""
_numbers = itertools.count()


@dataclass
class Said:
    """A message of the model."""

    id: str
    sender: str
    body: str
    urgent: bool
    deleted: bool = False
    reactions: list[str] = field(default_factory=list[str])
    waiting: dict[str, bool] = field(default_factory=dict[str, bool])


@dataclass
class Talk:
    """A conversation of the model; who is in it, with the number of the last message they have read."""

    id: str
    kind: str
    maker: str
    people: dict[str, int]
    name: str | None = None
    private: bool = False
    gone: set[str] = field(default_factory=set[str])
    said: list[Said] = field(default_factory=list[Said])

    def seen(self, person: str) -> dict[str, Any]:
        """What the person has to see of it."""
        unread = sum(not each.deleted for each in self.said[self.people[person] :])
        urgent = sum(each.waiting.get(person) is False for each in self.said)
        return {
            "name": self.name, "private": self.private, "unread": unread, "urgent": urgent, "people": set(self.people),
            "said": [
                (each.id, each.body, each.urgent, each.deleted, each.sender, tuple(each.reactions),
                 frozenset(each.waiting.items())) for each in self.said
            ],
        }  # fmt: skip


class Clinic:
    """A practice with three members and two patients, and what they see of each other's acts.

    Of patients only text and files are tried, and what they may not is refused.
    """

    def __init__(self, deployment: Deployment, practice: Practice, members: list[Person], patients: list[Held]) -> None:
        self.deployment, self.practice = deployment, practice
        self.people: list[Person | Held] = [*members, *patients]
        self.members = [person.id for person in members]
        self.patients = [person.id for person in patients]
        self.talks: list[Talk] = []
        self.replicas: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {}

    async def ask(self, who: Person | Held, act: str, **values: Any) -> str | None:
        """Do something; returns the id of what was made, and raises with the code of a refusal."""
        body = await self.deployment.ask(ACTS[act], who.token, **values)
        if "errors" in body:
            raise Refused(body["errors"][0]["extensions"]["code"])
        made = body["data"].get("made")
        return made["id"] if made else None

    async def act(self, step: tuple[str, int, int, int, bool]) -> None:
        """Do a step where it is allowed, or see it refused where it is not, and have the model do the same."""
        verb, who, which, other, flag = step
        person = self.people[who % len(self.people)]
        peer = self.people[other % len(self.people)]
        if verb in {"direct", "patient", "care", "group"}:
            return await self._start(verb, person, peer, flag)
        if not self.talks:
            return None
        talk = self.talks[which % len(self.talks)]
        inside = person.id in talk.people
        try:
            await self._within(verb, person, peer, talk, other, flag)
        except Refused as refused:
            assert not self._allowed(verb, person, peer, talk, other), (step, refused.code)
            if not inside and verb != "add":
                assert refused.code in {"NOT_FOUND", "FORBIDDEN", NOTHING}, (step, refused.code)
        else:
            assert self._allowed(verb, person, peer, talk, other), step
            self._done(verb, person, peer, talk, other, flag)
        return None

    async def _start(self, verb: str, person: Person | Held, peer: Person | Held, private: bool) -> None:
        allowed = {
            "direct": person.id in self.members and peer.id in self.members and person is not peer,
            "patient": person.id in self.members and peer.id in self.patients,
            "care": person.id in self.patients and peer.id in self.members,
            "group": person.id in self.members,
        }[verb]
        client = f"c{next(_numbers)}"
        values = {"p": private, "c": client} if verb == "group" else {"o": peer.id, "c": client}
        try:
            made = await self.ask(person, verb, **values)
        except Refused:
            assert not allowed, verb
            return
        assert allowed, verb
        assert made is not None
        known = next((talk for talk in self.talks if talk.id == made), None)
        if known is None:
            people = {person.id: 0} if verb == "group" else {person.id: 0, peer.id: 0}
            kind = {"care": "patient"}.get(verb, verb)
            known = Talk(made, kind, person.id, people, "G" if verb == "group" else None, verb == "group" and private)
            self.talks.append(known)
        elif person.id not in known.people:
            known.gone.discard(person.id)
            known.people[person.id] = len(known.said)

    def _message(self, talk: Talk, other: int) -> Said | None:
        return talk.said[other % len(talk.said)] if talk.said else None

    async def _within(
        self, verb: str, person: Person | Held, peer: Person | Held, talk: Talk, other: int, flag: bool
    ) -> None:
        said = self._message(talk, other)
        match verb:
            case "send":
                client = f"m{next(_numbers)}"
                self._made = await self.ask(person, verb, i=talk.id, b=client, u=flag, c=client), client
            case "read":
                await self.ask(person, verb, i=talk.id, u=await self._cursor(talk, said))
            case "react" | "acknowledge" | "delete":
                if said is None:
                    raise Refused(NOTHING)
                await self.ask(person, verb, m=said.id, **({"on": flag} if verb == "react" else {}))
            case "add":
                await self.ask(person, verb, i=talk.id, o=peer.id)
            case "rename":
                await self.ask(person, verb, i=talk.id, n=f"N{other}")
            case _:
                await self.ask(person, verb, i=talk.id)

    def _allowed(self, verb: str, person: Person | Held, peer: Person | Held, talk: Talk, other: int) -> bool:
        inside, said = person.id in talk.people, self._message(talk, other)
        member = person.id in self.members
        match verb:
            case "react":
                return inside and said is not None and not said.deleted
            case "acknowledge":
                return inside and said is not None and person.id in said.waiting
            case "delete":
                leader = member and person.member.role is Role.OWNER if isinstance(person, Person) else False
                return said is not None and ((inside and said.sender == person.id) or leader)
            case "add":
                return inside and member and talk.kind != "direct" and peer.id in self.members
            case "join":
                return member and (inside or (talk.kind == "group" and not talk.private))
            case "rename":
                leader = isinstance(person, Person) and person.member.role is Role.OWNER
                return inside and talk.kind == "group" and (talk.maker == person.id or leader)
            case _:
                return inside

    def _done(self, verb: str, person: Person | Held, peer: Person | Held, talk: Talk, other: int, flag: bool) -> None:
        said = self._message(talk, other)
        match verb:
            case "send":
                made, body = self._made
                if talk.kind in {"direct", "patient"}:
                    for each in sorted(talk.gone):
                        talk.people[each] = talk.people.get(each, self._left[talk.id, each])
                    talk.gone.clear()
                waiting = {each: False for each in talk.people if each != person.id} if flag else {}
                talk.said.append(Said(str(made), person.id, body, flag, waiting=waiting))
                talk.people[person.id] = len(talk.said)
            case "read" if said is not None:
                talk.people[person.id] = max(talk.people[person.id], talk.said.index(said) + 1)
            case "react" if said is not None:
                if flag and person.id not in said.reactions:
                    said.reactions.append(person.id)
                elif not flag and person.id in said.reactions:
                    said.reactions.remove(person.id)
            case "acknowledge" if said is not None:
                said.waiting[person.id] = True
            case "delete" if said is not None:
                said.deleted, said.body, said.urgent, said.reactions, said.waiting = True, "", False, [], {}
            case "leave":
                talk.gone.add(person.id)
                del talk.people[person.id]
                self._left[talk.id, person.id] = len(talk.said)
            case "add" if peer.id not in talk.people:
                talk.gone.discard(peer.id)
                talk.people[peer.id] = len(talk.said)
            case "join" if person.id not in talk.people:
                talk.gone.discard(person.id)
                talk.people[person.id] = len(talk.said)
            case "rename":
                talk.name = f"N{other}"
            case _:
                pass

    _made: tuple[str | None, str]

    @property
    def _left(self) -> dict[tuple[str, str], int]:
        return self.__dict__.setdefault("left", {})

    async def _cursor(self, talk: Talk, said: Said | None) -> str:
        if said is None:
            return _cursor_of(1)
        with acting(self.practice.id):
            return _cursor_of(await DB.fetchval('SELECT "position" FROM message WHERE id = $1', UUID(said.id)))

    async def check(self) -> None:
        """See that everybody sees what the model says, asked afresh and by what they had and what has changed since."""
        for person in self.people:
            listed = (await self.deployment.data(LIST, person.token))["conversations"]["nodes"]
            mine = [talk for talk in self.talks if person.id in talk.people]
            assert {each["id"] for each in listed} == {talk.id for talk in mine}
            for talk in mine:
                fresh = (await self.deployment.data(SEE, person.token, i=talk.id))["conversation"]
                seen = _seen(fresh)
                assert seen == talk.seen(person.id)
                await self._replay(person, talk, fresh)

    async def _replay(self, person: Person | Held, talk: Talk, fresh: dict[str, Any]) -> None:
        key = person.id, talk.id
        if key in self.replicas:
            cursor, replica = self.replicas[key]
            newest = await self._newest(talk)
            async with self.deployment.socket(person.token) as socket:
                follow = await socket.subscribe(EVENTS, i=talk.id, a=cursor)
                at = _position(cursor)
                while at < newest:
                    event = (await socket.next(follow))["conversationEvents"]
                    _apply(replica, event)
                    at = _position(event["cursor"])
            assert _state(replica) == _state(_replica(fresh))
        self.replicas[key] = fresh["cursor"], _replica(fresh)

    async def _newest(self, talk: Talk) -> int:
        with acting(self.practice.id):
            return await DB.fetchval(
                """SELECT greatest((SELECT max(changed) FROM message WHERE conversation_id = $1),
                    (SELECT max(changed) FROM participant WHERE conversation_id = $1),
                    (SELECT changed FROM conversation WHERE id = $1))""",
                UUID(talk.id),
            )


class Refused(Exception):
    """Something was refused."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def _cursor_of(position: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([position]).encode()).decode().rstrip("=")


def _position(cursor: str) -> int:
    return json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))[0]


def _said(node: dict[str, Any]) -> tuple[Any, ...]:
    reactions = [person for each in node["reactions"] for person in each["personIds"]]
    waiting = {each["personId"]: each["acknowledgedAt"] is not None for each in node["acknowledgements"]}
    return (
        node["id"], node["body"], node["urgent"], node["deletedAt"] is not None, node["sender"]["id"],
        tuple(reactions), frozenset(waiting.items()),
    )  # fmt: skip


def _seen(fresh: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: fresh[name] for name in ("name", "private", "unread", "urgent")},
        "people": {each["id"] for each in fresh["participants"]["nodes"]},
        "said": [_said(node) for node in fresh["messages"]["nodes"]],
    }


def _replica(fresh: dict[str, Any]) -> dict[str, Any]:
    return {
        "about": {name: fresh[name] for name in ("name", "description", "private")},
        "people": {each["id"]: each["readUpTo"] for each in fresh["participants"]["nodes"]},
        "said": {node["id"]: _said(node) for node in fresh["messages"]["nodes"]},
    }


def _state(replica: dict[str, Any]) -> dict[str, Any]:
    return {**replica, "said": list(replica["said"].values())}


def _apply(replica: dict[str, Any], event: dict[str, Any]) -> None:
    """Do with an event what a client does."""
    match event["__typename"]:
        case "MessageChanged":
            message = event["message"]
            replica["said"][message["id"]] = _said(message)
            sender = message["sender"]["id"]
            if event["added"] and sender in replica["people"]:  # who sends has read up to there
                before = replica["people"][sender]
                if before is None or _position(before) < _position(message["cursor"]):
                    replica["people"][sender] = message["cursor"]
        case "ParticipantChanged":
            person = event["participant"]
            replica["people"].pop(person["id"], None)
            if person["leftAt"] is None:
                replica["people"][person["id"]] = person["readUpTo"]
        case _:
            replica["about"] = event["conversation"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clinics(database_templates: Any, database_core: str, database_apps: tuple[str, ...]) -> Any:
    """Serve one deployment for all examples; each has a practice of its own."""
    server, name = database_templates.server, database_templates.fresh_name()
    await server.create_database(name, template=await database_templates.name(database_core, database_apps))
    database = Database(name, server.application_dsn(name), server.owner_dsn(name))
    async with served(database, graphql_session_budget=10**9) as deployment:
        yield deployment
    await server.drop_database(name)


async def clinic(deployment: Deployment) -> Clinic:
    practice = await deployment.practice()
    owner = await deployment.person(practice, Role.OWNER, "Olga")
    members = [owner, await deployment.person(practice, name="Ada"), await deployment.person(practice, name="Ben")]
    patients = [await deployment.held(practice), await deployment.held(practice)]
    change = (
        "mutation { updateChatSettings(patch: { patientsInPortal: true, patientsDelete: true }) { patientsDelete } }"
    )
    await deployment.data(change, owner.token)
    return Clinic(deployment, practice, members, patients)


VERBS = (
    *("direct", "patient", "care", "group"),
    *("send",) * 6,
    *("read",) * 2,
    *("react", "acknowledge", "delete", "leave", "add", "join", "rename", "check"),
)
steps = st.lists(
    st.tuples(st.sampled_from(VERBS), st.integers(0, 4), st.integers(0, 5), st.integers(0, 9), st.booleans()),
    min_size=5,
    max_size=size(25, 60),
)


@pytest.mark.rule("C9")
@pytest.mark.rule("C10")
@pytest.mark.rule("C11")
@pytest.mark.rule("C16")
@pytest.mark.promise("D7")
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.timeout(1800)
@settings(
    max_examples=size(6, 120),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(steps=steps)
async def test_what_each_sees_is_what_the_model_says(
    clinics: Deployment, steps: list[tuple[str, int, int, int, bool]]
) -> None:
    acting_out = await clinic(clinics)
    for step in steps:
        if step[0] == "check":
            await acting_out.check()
        else:
            await acting_out.act(step)
    await acting_out.check()
