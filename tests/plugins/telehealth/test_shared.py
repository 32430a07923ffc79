"""Sessions with members of a connected practice, who end with the connection; and who is invited is told (P2, T12)."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest
from plugins.chat.connecting import connect, part
from plugins.telehealth.consulting import (
    ADD,
    CHANGE,
    CREATE,
    EVENTS,
    JOIN,
    LEAVE,
    REMOVE,
    ROLE,
    SESSIONS,
    Consulting,
    client_id,
    of,
)

from bedside_core.auth import Role
from bedside_core.database import acting
from bedside_core.events import Event
from bedside_core.people import ConnectionEnded, MemberDeactivated
from bedside_telehealth.listeners import connection_ended, member_deactivated


async def told(house: Consulting) -> list[tuple[str, Any]]:
    """Return who is to be notified of what, and whether it was called off."""
    owner = await asyncpg.connect(house.database.owner_dsn)
    try:
        rows = await owner.fetch("SELECT * FROM notification WHERE kind = 'telehealth.invited' ORDER BY id")
    finally:
        await owner.close()
    return [(str(row["recipient_id"]), row["state"]) for row in rows]


@pytest.mark.rule("P2")
@pytest.mark.rule("T10")
async def test_members_of_a_connected_practice_come_where_they_are_listed(house: Consulting) -> None:
    away = await house.deployment.practice("Elsewhere")
    boss = await house.deployment.person(away, Role.OWNER)
    await connect(house.deployment, house.owner, boss, away)
    made = await house.create()
    assert await house.deployment.code(JOIN, boss.token, i=made["id"]) == "NOT_FOUND"  # the id is no invitation
    for access in ("PRIVATE", "INTERNAL"):
        given = {"i": {"name": "Own", "access": access, "participants": [{"personId": boss.id}]}, "c": client_id()}
        assert await house.deployment.code(CREATE, house.host.token, **given) == "INVALID_INPUT"
    asked = {"i": made["id"], "p": [{"personId": boss.id, "role": "CHAIR"}]}
    assert await house.deployment.code(ADD, house.host.token, **asked) == "INVALID_INPUT"
    told = await house.deployment.data(ADD, house.host.token, i=made["id"], p=[{"personId": boss.id}])
    participant = of(told["addVideoParticipants"], boss.id)
    assert (participant["name"], participant["label"]) == (boss.member.name, "Elsewhere")
    assert (await house.join(made["id"], boss))["place"]["participant"]["place"] == "IN"
    seen = await house.seen(made["id"], boss)
    assert [(each["personId"], each["label"]) for each in seen["participants"]["nodes"]] == [
        (house.host.id, "Bay View"), (boss.id, None),
    ]  # fmt: skip
    role = {"i": made["id"], "p": participant["id"], "r": "VIEWER"}
    await house.deployment.data(ROLE, house.host.token, **role)
    nodes = (await house.deployment.data(SESSIONS, boss.token))["videoSessions"]["nodes"]
    assert [(each["id"], each["inside"], each["own"]["role"]) for each in nodes] == [(made["id"], 1, "VIEWER")]
    await house.deployment.data(LEAVE, boss.token, i=made["id"])
    await house.join(made["id"], boss)
    async with house.deployment.socket(boss.token) as socket:
        key = await socket.subscribe(EVENTS, i=made["id"])
        await house.deployment.data(CHANGE, house.host.token, i=made["id"], p={"access": "INTERNAL"})
        events = [(await socket.next(key))["videoSessionEvents"]["__typename"] for _ in range(2)]
        assert events == ["VideoSessionChanged", "VideoParticipantChanged"]
    assert (await house.seen(made["id"]))["inside"] == 0
    assert await house.deployment.code(JOIN, boss.token, i=made["id"]) == "NOT_ADMITTED"


@pytest.mark.rule("P2")
async def test_shared_sessions_end_with_the_connection_and_others_go_on(house: Consulting) -> None:
    away = await house.deployment.practice("Elsewhere")
    boss = await house.deployment.person(away, Role.OWNER)
    await connect(house.deployment, house.owner, boss, away)
    shared = await house.create(participants=[{"personId": boss.id}])
    own = await house.create(name="Own", participants=[{"personId": house.colleague.id}])
    await house.join(shared["id"], boss)
    await part(house.deployment, house.owner)
    ended = connection_ended(house.deployment.platform)
    for practice, other in ((house.practice, away), (away, house.practice)):
        event: Event = ConnectionEnded(practice_id=practice.id, connection_id=away.id, other_practice_id=other.id)
        with acting(practice.id):
            await ended(event)  # type: ignore[arg-type]
    assert (await house.seen(shared["id"]))["endedAt"] is not None
    assert (await house.seen(own["id"]))["endedAt"] is None
    assert await house.deployment.code(JOIN, boss.token, i=shared["id"]) == "SESSION_ENDED"


@pytest.mark.rule("T12")
@pytest.mark.rule("N4")
async def test_who_is_put_on_a_list_is_told_and_not_once_they_are_removed(house: Consulting) -> None:
    made = await house.create(name="Secret name", participants=[{"personId": house.colleague.id}])
    assert await told(house) == [(house.colleague.id, "waiting")]
    for _ in range(2):  # who is on it already is not told again
        await house.deployment.data(ADD, house.host.token, i=made["id"], p=[{"personId": house.patient.id}])
    assert [each[0] for each in await told(house)] == [house.colleague.id, house.patient.id]
    participant = of(await house.seen(made["id"]), house.patient.id)["id"]
    await house.deployment.data(REMOVE, house.host.token, i=made["id"], p=participant)
    assert [state for _, state in await told(house)] == ["waiting", "cancelled"]
    owner = await asyncpg.connect(house.database.owner_dsn)
    try:
        rows = await owner.fetch("SELECT to_jsonb(n)::text AS row FROM notification n")
        assert not any("Secret name" in row["row"] for row in rows)
    finally:
        await owner.close()


@pytest.mark.rule("A10")
async def test_a_deactivated_member_is_out_of_every_session_also_another_practice_s(house: Consulting) -> None:
    away = await house.deployment.practice("Elsewhere")
    boss = await house.deployment.person(away, Role.OWNER)
    await connect(house.deployment, house.owner, boss, away)
    made = [await house.create(participants=[{"personId": boss.id}]) for _ in range(2)]
    for session in made:
        for person in (house.host, boss, house.colleague):
            await house.join(session["id"], person)
    out = member_deactivated(house.deployment.platform)
    for practice, person in ((house.practice, house.colleague), (away, boss)):
        with acting(practice.id):
            await out(MemberDeactivated(practice_id=practice.id, member_id=person.member.id))
    for session in made:
        seen = await house.seen(session["id"])
        places = [of(seen, person.id)["place"] for person in (house.host, boss, house.colleague)]
        assert places == ["IN", "OUT", "OUT"]
