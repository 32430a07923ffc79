"""Makes sessions and who is in them, for `world.KINDS`, and guests of sessions."""

from __future__ import annotations

from typing import Any

from deployment import Deployment, Guest, Held, Person

from bedside_core.auth import Role
from bedside_core.ids import uuid7
from bedside_core.people import Practice

HOST = "mutation($m: ID!) { setVideoHost(memberId: $m, enabled: true) { id } }"
CREATE = """mutation($i: VideoSessionInput!, $c: String!) { createVideoSession(input: $i, confirmAnyoneWithLink: true,
    clientId: $c) { id participants { nodes { id personId } } } }"""
LINKS = "query($i: ID!) { videoSessionLinks(sessionId: $i) { guest } }"
JOIN = "mutation($i: ID!) { joinVideoSession(sessionId: $i) { seat } }"


async def session(deployment: Deployment, practice: Practice, person: Person | Held | Guest) -> str:
    """One that the person is in: a member as its chair."""
    return (await _session(deployment, practice, person))[0]


async def other_session(deployment: Deployment, practice: Practice, person: Person | Held | Guest) -> str:
    """One by invitation, of somebody else of the practice; a guest's own."""
    if isinstance(person, Guest):
        return person.conversation_id
    return (await _session(deployment, practice, await host(deployment, practice)))[0]


async def participant(deployment: Deployment, practice: Practice, person: Person) -> str:
    """Another participant of the person's own, newest session, who waits."""
    return (await _session(deployment, practice, person))[1]


async def guest(deployment: Deployment, practice: Practice) -> Guest:
    """Somebody who came to a session by its guest link, and is in it."""
    chair = await host(deployment, practice)
    made, _ = await _session(deployment, practice, chair)
    link = (await deployment.data(LINKS, chair.token, i=made))["videoSessionLinks"]["guest"]
    asked = {"secret": link.partition("#")[2], "name": "Vic Guest"}
    told = (await deployment.http.post("/telehealth/visit/exchange", json=asked)).json()
    await deployment.data(JOIN, told["token"], i=made)
    return Guest(told["participantId"], made, chair, told["token"])


async def host(deployment: Deployment, practice: Practice) -> Person:
    """Somebody of the practice who may host video."""
    owner = await deployment.person(practice, Role.OWNER)
    await deployment.data(HOST, owner.token, m=owner.id)
    return owner


async def _session(deployment: Deployment, practice: Practice, person: Person | Held | Guest) -> tuple[str, str]:
    if isinstance(person, Guest):
        return person.conversation_id, person.id
    owner = await host(deployment, practice)
    chair = person if isinstance(person, Person) else owner
    await deployment.data(HOST, owner.token, m=chair.id)
    listed = person.id if isinstance(person, Held) else (await deployment.held(practice)).id
    given: dict[str, Any] = {"name": "Round", "participants": [{"personId": listed}], "aboutPatientId": listed}
    made = (await deployment.data(CREATE, chair.token, i=given, c=uuid7().hex))["createVideoSession"]
    [other] = [each["id"] for each in made["participants"]["nodes"] if each["personId"] == listed]
    return made["id"], other
