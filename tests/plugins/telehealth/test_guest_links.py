"""Guests of sessions: by a link and a name, bound to that session, known again by their browser (T8, T16, A6)."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLObjectType
from plugins.telehealth.consulting import (
    ADMIT,
    END,
    JOIN,
    LEAVE,
    PLACE,
    PLACES,
    REMOVE,
    RENEW,
    SESSION,
    SESSIONS,
    Consulting,
    Visitor,
)

from bedside_graphql.endpoint import schema_of
from contract import operations, policy

UPLOAD = """mutation { createUpload(name: "a.txt", size: 3, sha256: "x", clientId: "u") { id } }"""


@pytest.mark.rule("T8")
@pytest.mark.promise("A6")
async def test_a_guest_gives_a_name_and_get_changes_nothing(house: Consulting) -> None:
    made = await house.create()
    secret, before = await house.secret(made["id"]), await house.rows(made["id"])
    for path in ("/telehealth/visit", f"/telehealth/visit/{made['id']}", "/telehealth/visit/exchange"):
        answer = await house.deployment.http.get(path)
        assert answer.status_code in {302, 307, 405} and secret not in answer.text
    for name in (None, "", "  ", "x" * 81, "a‮b"):
        answer = await house.exchange(secret, name)
        assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_INPUT")
    for body in (b"", b"[]", b"{", b'{"secret": 1}', b'{"secret": ""}', b'{"secret": "\\ud800"}', b"x" * 3000):
        headers = {"content-type": "application/json"}
        answer = await house.deployment.http.post("/telehealth/visit/exchange", content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_INPUT")
    assert await house.rows(made["id"]) == before
    answer = await house.exchange(secret, "  Vic   Guest ")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    visitor = Visitor(answer.json()["participantId"], made["id"], answer.json()["token"], answer.json()["rejoin"])
    joined = await house.join(made["id"], visitor)
    assert joined["place"]["participant"] == {
        "id": visitor.id, "name": "Vic Guest", "role": "BROADCASTER", "place": "IN", "listed": False,
    }  # fmt: skip
    [shown] = [each for each in (await house.seen(made["id"]))["participants"]["nodes"] if each["id"] == visitor.id]
    assert (shown["kind"], shown["label"], shown["personId"]) == ("GUEST", "(External)", None)


@pytest.mark.rule("T8")
@pytest.mark.rule("A6")
@pytest.mark.promise("A6")
async def test_attempts_are_limited_and_links_of_others_open_nothing(house: Consulting) -> None:
    made, other = await house.create(), await house.create(name="Another")
    secret = await house.secret(made["id"])
    mixed = (await house.secret(other["id"]))[:22] + secret[22:]
    for wrong in (mixed, secret[:-1], secret + "A", "x", "Ü"):
        assert (await house.exchange(wrong, "Vic")).json()["code"] == "LINK_OVER"
    assert (await house.exchange(mixed, "Vic")).json()["code"] == "SIGN_IN_LOCKED"
    assert (await house.exchange(secret, "Vic")).json()["code"] == "SIGN_IN_LOCKED"
    assert await house.count("video_participant") == 2


@pytest.mark.rule("T8")
@pytest.mark.promise("A6")
@pytest.mark.promise("A1")
@pytest.mark.timeout(120)
async def test_a_guest_reaches_that_session_and_nothing_else(house: Consulting) -> None:
    made = await house.create(aboutPatientId=house.patient.id, participants=[{"personId": house.patient.id}])
    other = await house.create(name="Another")
    visitor = await house.visitor(made["id"])
    assert await house.deployment.code(SESSION, visitor.token, i=other["id"]) == "NOT_FOUND"
    assert await house.deployment.code(JOIN, visitor.token, i=other["id"]) == "NOT_FOUND"
    assert await house.deployment.code(LEAVE, visitor.token, i=other["id"]) == "NOT_FOUND"
    await house.join(made["id"], visitor)
    nodes = (await house.deployment.data(SESSIONS, visitor.token))["videoSessions"]["nodes"]
    assert [each["id"] for each in nodes] == [made["id"]]
    await house.join(made["id"], house.patient)
    seen = await house.seen(made["id"], visitor)
    assert seen["aboutPatientId"] is None
    assert [(each["name"], each["personId"]) for each in seen["participants"]["nodes"]] == [
        (house.host.member.name, None), (house.patient.patient.name, None), ("Vic Guest", None),
    ]  # fmt: skip
    # Whatever field has a gate that is none of telehealth's two for guests is refused, though guests of conversations
    # may use it.
    schema, rows = schema_of(house.deployment.platform)._schema, policy.policy()
    asked = 0
    for root in ("Query", "Mutation"):
        kind = schema.get_type(root)
        assert isinstance(kind, GraphQLObjectType)
        for name, built in kind.fields.items():
            row: dict[str, Any] = rows[f"{root}.{name}"]
            if row.get("public") or row["permission"] in {"telehealth.read", "telehealth.join"}:
                continue
            given = operations.values(built, {}, row.get("given", {}))
            body = await house.deployment.ask(operations.document(schema, root, name, given), visitor.token, **given)
            codes = [each["extensions"]["code"] for each in body["errors"]]
            assert codes == ["FORBIDDEN"], (name, body)
            asked += 1
    assert asked > 100


@pytest.mark.rule("T16")
async def test_a_guest_is_known_again_by_a_token_that_rotates(house: Consulting) -> None:
    await house.waiting_room()
    made = await house.create()
    secret, first = await house.secret(made["id"]), await house.visitor(made["id"])
    await house.join(made["id"], first)
    await house.deployment.data(ADMIT, house.host.token, i=made["id"])

    async def back(rejoin: str) -> dict[str, Any]:
        return (await house.exchange(secret, "Another Name", rejoin=rejoin)).json()

    again = await back(first.rejoin)
    assert again["participantId"] == first.id and again["rejoin"] != first.rejoin
    second = Visitor(first.id, made["id"], again["token"], again["rejoin"])
    place = (await house.join(made["id"], second))["place"]["participant"]
    assert (place["id"], place["name"], place["place"]) == (first.id, "Vic Guest", "IN")  # and not admitted twice
    repeated = await back(first.rejoin)  # the answer was lost
    assert repeated["participantId"] == first.id
    newest = await back(repeated["rejoin"])
    assert newest["participantId"] == first.id
    for old in (first.rejoin, again["rejoin"], "x"):  # spent: somebody new
        assert (await back(old))["participantId"] != first.id
    assert (await house.seen(made["id"]))["inside"] == 1
    renewed = (await house.deployment.data(RENEW, house.host.token, i=made["id"]))["renewVideoLink"]["guest"]
    assert (await back(newest["rejoin"]))["participantId"] == first.id  # who is in it stays, with the older link
    assert (await house.exchange(secret, "Vic")).json()["code"] == "LINK_OVER"
    assert (await house.exchange(renewed.partition("#")[2], "Vic")).status_code == 200


@pytest.mark.rule("T15")
@pytest.mark.promise("A4")
async def test_a_removed_guest_is_out_at_once_and_comes_back_as_nobody_new_unseen(house: Consulting) -> None:
    made = await house.create()
    secret, visitor = await house.secret(made["id"]), await house.visitor(made["id"])
    await house.join(made["id"], visitor)
    known = await house.visitor(made["id"], "Vic Known")
    await house.join(made["id"], known)
    async with house.deployment.socket(visitor.token) as socket:
        key = await socket.subscribe(PLACES, i=made["id"])
        assert (await socket.next(key))["videoPlaceChanged"]["participant"]["place"] == "IN"
        await house.deployment.data(REMOVE, house.host.token, i=made["id"], p=visitor.id)
        assert (await socket.closed())[0] == 4403
    assert await house.deployment.code(PLACE, visitor.token, i=made["id"]) == "UNAUTHENTICATED"
    told = (await house.exchange(secret, "Vic", rejoin=visitor.rejoin)).json()
    assert told["participantId"] == visitor.id
    back = Visitor(visitor.id, made["id"], told["token"], told["rejoin"])
    assert await house.deployment.code(JOIN, back.token, i=made["id"]) == "NOT_ADMITTED"
    # With another browser they would be somebody new, who waits then though there is no waiting room.
    disguised = await house.visitor(made["id"], "Somebody Else")
    assert (await house.join(made["id"], disguised))["place"]["participant"]["place"] == "WAITING"
    assert (await house.join(made["id"], known))["place"]["participant"]["place"] == "IN"


@pytest.mark.rule("T9")
@pytest.mark.promise("A4")
async def test_an_end_puts_every_guest_out(house: Consulting) -> None:
    made = await house.create()
    visitor = await house.visitor(made["id"])
    await house.join(made["id"], visitor)
    async with house.deployment.socket(visitor.token) as socket:
        await house.deployment.data(END, house.host.token, i=made["id"])
        assert (await socket.closed())[0] == 4403
    assert await house.deployment.code(PLACE, visitor.token, i=made["id"]) == "UNAUTHENTICATED"


@pytest.mark.rule("T8")
async def test_guests_who_never_join_are_forgotten(house: Consulting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bedside_telehealth.guests.MOST_UNSEEN", 2)
    made = await house.create()
    came = [await house.visitor(made["id"], f"Vic {number}") for number in range(4)]
    assert await house.count("video_participant") == 3  # the chair, and the two newest
    assert await house.deployment.code(JOIN, came[0].token, i=made["id"]) == "UNAUTHENTICATED"
    await house.join(made["id"], came[3])
