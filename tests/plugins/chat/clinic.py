"""A practice in which everybody does everything at random, and what each has to see of it by a small model."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from deployment import Deployment, Held, Person
from hypothesis import event
from plugins.chat.seeing import Seeing
from plugins.chat.talks import EVENTS, LIST, ONE, Said, Talk, cursor_of
from plugins.chat.visitors import Visitor

from bedside_core.auth import Role
from bedside_core.database import DB, acting
from bedside_core.people import Practice

ACTS = {
    "direct": "mutation($o: ID!, $c: String!) { made: startConversation(memberId: $o, clientId: $c) { id } }",
    "patient": """mutation($o: ID!, $l: Boolean!, $c: String!) {
        made: startPatientConversation(patientId: $o, byLink: $l, clientId: $c) { id } }""",
    "external": """mutation($o: ID!, $c: String!) {
        made: startExternalConversation(contactId: $o, clientId: $c) { id } }""",
    "care": "mutation($o: ID!, $c: String!) { made: startPractitionerConversation(memberId: $o, clientId: $c) { id } }",
    "group": """mutation($p: Boolean!, $c: String!) {
        made: createGroup(name: "G", private: $p, clientId: $c) { id } }""",
    "send": """mutation($i: ID!, $b: String!, $u: Boolean!, $c: String!, $r: ID) {
        made: sendMessage(conversationId: $i, body: $b, urgent: $u, clientId: $c, replyTo: $r) { id } }""",
    "read": "mutation($i: ID!, $u: String!) { markConversationRead(conversationId: $i, upTo: $u) { unread } }",
    "react": 'mutation($m: ID!, $on: Boolean!) { reactToMessage(messageId: $m, emoji: "👍", on: $on) { id } }',
    "acknowledge": "mutation($m: ID!) { acknowledgeMessage(messageId: $m) { id } }",
    "delete": "mutation($m: ID!) { deleteMessage(messageId: $m) { id } }",
    "leave": "mutation($i: ID!) { leaveConversation(conversationId: $i, lastMemberConfirmed: true) }",
    "add": "mutation($i: ID!, $o: ID!) { addParticipants(conversationId: $i, personIds: [$o]) { id } }",
    "remove": "mutation($i: ID!, $o: ID!) { removeParticipant(conversationId: $i, personId: $o) { id } }",
    "link": "mutation($i: ID!, $o: ID!) { sendGuestLink(conversationId: $i, personId: $o) { id } }",
    "revoke": "mutation($i: ID!, $o: ID!) { revokeGuestLink(conversationId: $i, personId: $o) { id } }",
    "join": "mutation($i: ID!) { joinConversation(conversationId: $i) { id } }",
    "rename": "mutation($i: ID!, $n: String!) { changeGroup(conversationId: $i, name: $n) { id } }",
}
STARTS = frozenset({"direct", "patient", "external", "care", "group"})
OF_PEOPLE = frozenset({"add", "remove", "link", "revoke"})
LINKS = frozenset({"link", "revoke"})
Step = tuple[str, int, int, int, bool]
"""What is done, by whom, in which conversation, with whom or which message, and a choice."""
NOTHING = "NOTHING"
"""There is no message to do it to, so it is not asked."""
_numbers = itertools.count()


def _of(choices: Sequence[Any], number: int) -> Any:
    return choices[number % len(choices)]


class Refused(Exception):
    """Something was refused."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Clinic:
    """A practice with three members, two patients and two guests, and what they see of each other's acts.

    Of patients only text is tried, and what they may not is refused; guests do what they do by the last of their links
    to a conversation, and where they have none by one to another, which is good for nothing there.
    """

    def __init__(
        self,
        deployment: Deployment,
        practice: Practice,
        members: list[Person],
        patients: list[Held],
        visitors: tuple[Visitor, Visitor],
    ) -> None:
        self.deployment, self.practice = deployment, practice
        self.people: list[Person | Held | Visitor] = [*members, *patients, *visitors]
        self.members = [person.id for person in members]
        self.patients = [person.id for person in patients]
        self.contact, self.by_link = (person.id for person in visitors)
        self.visitors = {person.id: person for person in visitors}
        self.talks: list[Talk] = []
        self.seeing = Seeing(deployment, practice, self.members)

    async def ask(self, who: Person | Held | Visitor, act: str, talk: Talk | None = None, **values: Any) -> str | None:
        """Do something; returns the id of what was made, and raises with the code of a refusal."""
        token = who.token if not isinstance(who, Visitor) else self._pass(who, talk)
        body = await self.deployment.ask(ACTS[act], token, **values)
        if "errors" in body:
            raise Refused(body["errors"][0]["extensions"]["code"])
        made = body["data"].get("made")
        return made["id"] if made else None

    def _pass(self, who: Visitor, talk: Talk | None) -> str:
        using = who.using(talk.id if talk else None)
        if using is None or using.token is None:
            raise Refused(NOTHING)
        return using.token

    def inside(self, person: Person | Held | Visitor, talk: Talk) -> bool:
        """Whether somebody takes part in a conversation and can get at it."""
        return person.id in talk.people and (not isinstance(person, Visitor) or person.inside(talk.id))

    async def act(self, step: Step) -> None:
        """Do a step where it is allowed, or see it refused where it is not, and have the model do the same."""
        verb, who, which, other, flag = step
        if verb in STARTS:
            return await self._start(verb, _of(self.people, who), _of(self.people, other), flag)
        talk = _of(self.talks, which)
        if verb == "enter":
            return await self._enter(_of([*self.visitors.values()], other), talk)
        # Every other time somebody who may, for what is refused would be most of it.
        inside = [each for each in self.people if self.inside(each, talk)]
        person = _of(inside if who % 2 and inside else self.people, who // 2)
        there = [
            each for each in self.people if each.id in talk.people and isinstance(each, Visitor) == (verb in LINKS)
        ]
        peer = _of(there if verb != "add" and other % 2 and there else self.people, other // 2)
        allowed = self._allowed(verb, person, peer, talk, other)
        try:
            async with self._ending(verb, person if verb == "leave" else peer, talk, allowed=allowed):
                await self._within(verb, person, peer, talk, other, flag)
        except Refused as refused:
            assert not allowed, (step, refused.code)
            self._check_refusal(step, person, talk, refused.code)
        else:
            assert allowed, step
            event(f"{type(person).__name__}: {verb}")
            await self._done(verb, person, peer, talk, other, flag)
        return None

    def _check_refusal(self, step: Step, person: Person | Held | Visitor, talk: Talk, code: str) -> None:
        if code == NOTHING:
            return
        if isinstance(person, Visitor):
            using = person.using(talk.id)
            assert (code == "UNAUTHENTICATED") is (using is None or not using.good), (step, code)
            if code == "UNAUTHENTICATED":
                return
        if step[0] == "send" and self.inside(person, talk):
            assert code == "NOT_REACHED", (step, code)
        if not self.inside(person, talk) and step[0] != "add":
            assert code in {"NOT_FOUND", "FORBIDDEN"}, (step, code)

    async def _enter(self, visitor: Visitor, talk: Talk) -> None:
        if talk.id in visitor.passes:
            await visitor.enter(self.deployment, talk.id)

    @asynccontextmanager
    async def _ending(
        self, verb: str, person: Person | Held | Visitor, talk: Talk, *, allowed: bool
    ) -> AsyncGenerator[None]:
        """See that a guest's socket, and so all that they follow, ends with what puts them out."""
        ends = allowed and verb in {"leave", "remove", "link", "revoke"}
        if not (ends and isinstance(person, Visitor) and person.inside(talk.id)):
            yield
            return
        async with self.deployment.socket(self._pass(person, talk)) as socket:
            await socket.next(await socket.subscribe(EVENTS, i=talk.id, a=cursor_of(0)))
            yield
            assert await socket.closed() == (4403, "Session ended")

    async def _start(
        self, verb: str, person: Person | Held | Visitor, peer: Person | Held | Visitor, flag: bool
    ) -> None:
        member = person.id in self.members
        allowed = {
            "direct": member and peer.id in self.members and person is not peer,
            "patient": member and (peer.id in self.patients or (flag and peer.id == self.by_link)),
            "external": member and peer.id == self.contact,
            "care": person.id in self.patients and peer.id in self.members,
            "group": member,
        }[verb]
        values: dict[str, Any] = {"p": flag} if verb == "group" else {"o": peer.id}
        if verb == "patient":
            values["l"] = flag
        try:
            made = await self.ask(person, verb, c=f"c{next(_numbers)}", **values)
        except Refused:
            assert not allowed, verb
            return
        assert allowed, verb
        assert made is not None
        talk = next((each for each in self.talks if each.id == made), None)
        if talk is None:
            pair = () if verb == "group" else (person.id, peer.id)
            talk = Talk(
                made, {"care": "patient"}.get(verb, verb), person.id, dict.fromkeys(pair or (person.id,), 0), pair
            )
            talk.name, talk.private = ("G", flag) if verb == "group" else (None, False)
            self.talks.append(talk)
        talk.come_back(person.id)
        if isinstance(peer, Visitor) and verb != "group" and not (made in peer.passes and peer.passes[made].good):
            await self._linked(peer, talk)

    async def _linked(self, visitor: Visitor, talk: Talk) -> None:
        """Note that somebody was sent a link, which brings back who left."""
        talk.come_back(visitor.id)
        with acting(self.practice.id):
            letter = await DB.fetchval(
                "SELECT facts->>'link' FROM notification WHERE kind = 'chat.guest_link' ORDER BY id DESC LIMIT 1"
            )
        visitor.sent(talk.id, letter.partition("#")[2])

    def _message(self, talk: Talk, other: int) -> Said | None:
        return talk.said[other % len(talk.said)] if talk.said else None

    async def _within(
        self,
        verb: str,
        person: Person | Held | Visitor,
        peer: Person | Held | Visitor,
        talk: Talk,
        other: int,
        flag: bool,
    ) -> None:
        said = self._message(talk, other)
        match verb:
            case "send":
                client = f"m{next(_numbers)}"
                reply = said.id if said and other % 3 == 0 else None
                made = await self.ask(person, verb, talk, i=talk.id, b=client, u=flag, c=client, r=reply)
                self._made = made, client, reply
            case "read":
                await self.ask(person, verb, talk, i=talk.id, u=await self._cursor(said))
            case "react" | "acknowledge" | "delete":
                if said is None:
                    raise Refused(NOTHING)
                await self.ask(person, verb, talk, m=said.id, **({"on": flag} if verb == "react" else {}))
            case "rename":
                await self.ask(person, verb, talk, i=talk.id, n=f"N{other}")
            case _:
                await self.ask(person, verb, talk, i=talk.id, **({"o": peer.id} if verb in OF_PEOPLE else {}))

    def _reached(self, person: Person | Held | Visitor, talk: Talk) -> bool:
        """Whether what somebody writes reaches the guest whom the conversation is with: members need them a link."""
        guest = next((self.visitors[each] for each in talk.pair if each in self.visitors), None)
        if guest is None or person.id not in self.members:
            return True
        return talk.id in guest.passes and guest.passes[talk.id].good

    def _allowed(
        self, verb: str, person: Person | Held | Visitor, peer: Person | Held | Visitor, talk: Talk, other: int
    ) -> bool:
        inside, said = self.inside(person, talk), self._message(talk, other)
        member = person.id in self.members
        leader = isinstance(person, Person) and person.member.role is Role.OWNER
        match verb:
            case "react":
                return inside and said is not None and not said.deleted and self._reached(person, talk)
            case "acknowledge":
                return inside and said is not None and person.id in said.waiting
            case "send":
                return inside and self._reached(person, talk)
            case "delete":
                return said is not None and ((said.sender == person.id and (inside or member)) or leader)
            case "add":
                contact = talk.kind == "group" and peer.id == self.contact
                return inside and member and talk.kind != "direct" and (peer.id in self.members or contact)
            case "remove":
                theirs = person is not peer and (leader or person.id == talk.maker or peer.id not in self.members)
                there = peer.id in talk.people and peer.id not in talk.pair
                return inside and member and talk.kind != "direct" and there and theirs
            case "link" | "revoke":
                there = peer.id in talk.people or peer.id in talk.gone
                return inside and member and isinstance(peer, Visitor) and there
            case "join":
                return member and (inside or (talk.kind == "group" and not talk.private))
            case "rename":
                return inside and talk.kind == "group" and (talk.maker == person.id or leader)
            case _:
                return inside

    async def _done(
        self,
        verb: str,
        person: Person | Held | Visitor,
        peer: Person | Held | Visitor,
        talk: Talk,
        other: int,
        flag: bool,
    ) -> None:
        said = self._message(talk, other)
        match verb:
            case "send":
                made, body, reply = self._made
                for each in sorted(talk.gone) if talk.kind != "group" else ():
                    talk.come_back(each)
                waiting = {each: False for each in talk.people if each != person.id} if flag else {}
                talk.said.append(Said(str(made), person.id, body, flag, reply, waiting=waiting))
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
                talk.leave(person.id)
                self._put_out(person, talk)
            case "remove":
                del talk.people[peer.id]
                self._put_out(peer, talk)
            case "revoke":
                self._put_out(peer, talk)
            case "link" if isinstance(peer, Visitor):
                await self._linked(peer, talk)
            case "add" if peer.id not in talk.people:
                talk.join(peer.id)
                if isinstance(peer, Visitor):
                    await self._linked(peer, talk)
            case "join":
                talk.join(person.id)
            case "rename":
                talk.name = f"N{other}"
            case _:
                pass

    def _put_out(self, person: Person | Held | Visitor, talk: Talk) -> None:
        if isinstance(person, Visitor):
            person.put_out(talk.id)

    _made: tuple[str | None, str, str | None]

    async def _cursor(self, said: Said | None) -> str:
        if said is None:
            return cursor_of(1)
        with acting(self.practice.id):
            return cursor_of(await DB.fetchval('SELECT "position" FROM message WHERE id = $1', UUID(said.id)))

    async def check(self) -> None:
        """See that everybody sees what the model says, asked afresh and by what they had and what has changed since."""
        for person in self.people:
            if isinstance(person, Visitor):
                await self._check_visitor(person)
                continue
            mine = [talk for talk in self.talks if person.id in talk.people]
            await self.seeing.check(person.id, person.token, mine)
            await self.seeing.check_inbox(person.id, person.token, mine)

    async def _check_visitor(self, visitor: Visitor) -> None:
        """See that each of a guest's tokens shows exactly the conversation of its link, or nothing at all."""
        await visitor.see_nothing(self.deployment, LIST)
        for talk in self.talks:
            if visitor.inside(talk.id):
                token = self._pass(visitor, talk)
                await self.seeing.check(visitor.id, token, [talk])
                for other in self.talks:
                    if other is not talk:
                        assert await self.deployment.code(ONE, token, i=other.id) == "NOT_FOUND"
