"""Connected practices over HTTP and sockets: asked for, accepted, declined, ended; and what each side sees (P1, P2)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from deployment import APPS, served
from schema.people.stage import (
    ACCEPT,
    CONNECTIONS,
    CONTACT,
    CREATE,
    DEACTIVATE,
    DECLINE,
    END,
    MEMBER,
    PATIENT,
    REQUEST,
    connected,
    count,
    names,
    refused,
    value,
)

from bedside_core.auth import Role
from bedside_core.events import Event
from bedside_core.people import ConnectionEnded, ConnectionRequested, PracticesConnected
from bedside_core.testing import Database

FOLLOW = "subscription { planChanged { name } }"
STATES = "SELECT string_agg(state, ',' ORDER BY state) FROM connection"


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest.mark.rule("P1")
@pytest.mark.rule("P2")
async def test_practices_are_connected_by_asking_and_accepting_and_then_members_find_each_other(
    fresh_database: Database,
) -> None:
    async with served(fresh_database) as deployment:
        home, near = await deployment.practice("Home"), await deployment.practice("Near")
        ada = await deployment.person(home, Role.OWNER, "Ada")
        bea = await deployment.person(near, Role.OWNER, "Bea")
        told: list[Event] = []
        deliver = deployment.platform.events.deliver

        def heard(events: Any) -> None:
            listed = list(events)
            told.extend(listed)
            deliver(listed)

        deployment.platform.events.deliver = heard  # type: ignore[method-assign]
        handle = (await deployment.data("{ practice { handle } }", bea.token))["practice"]["handle"]
        assert handle.startswith("near-") and len(handle) == len("near-") + 8
        assert await names(deployment, ada.token, "bea") == []
        asked = (await deployment.data(REQUEST, ada.token, p=handle.upper(), c="one"))["requestConnection"]
        # nothing of the other practice before it has accepted: not even its name
        assert asked == {
            "id": asked["id"], "practiceId": None, "practiceName": handle, "state": "ASKED", "incoming": False,
        }  # fmt: skip
        assert (await deployment.data(REQUEST, ada.token, p=handle, c="one"))["requestConnection"] == asked
        assert (await deployment.data(REQUEST, ada.token, p=str(near.id), c="two"))["requestConnection"] == asked
        assert await count(fresh_database, "connection") == 1
        assert await names(deployment, ada.token, "bea") == []
        assert (await refused(deployment, ACCEPT, ada.token, i=asked["id"]))[0] == "NOT_FOUND"
        assert await value(fresh_database, STATES) == "asked"
        seen = (await deployment.data(CONNECTIONS, bea.token))["connections"]["nodes"]
        incoming = {
            "id": asked["id"], "practiceId": str(home.id), "practiceName": "Home", "state": "ASKED", "incoming": True,
        }  # fmt: skip
        assert seen == [incoming]
        for _ in range(2):  # repeating it changes nothing
            accepted = (await deployment.data(ACCEPT, bea.token, i=asked["id"]))["acceptConnection"]
            assert accepted == {**incoming, "state": "ACCEPTED"}
        [link] = (await deployment.data(CONNECTIONS, ada.token))["connections"]["nodes"]
        assert (link["practiceName"], link["practiceId"], link["state"]) == ("Near", str(near.id), "ACCEPTED")
        assert await names(deployment, ada.token, "bea") == [(bea.member.name, "Near")]
        assert await names(deployment, bea.token, "ada") == [(ada.member.name, "Home")]
        assert (await deployment.data(END, ada.token, i=link["id"]))["endConnection"]["state"] == "ENDED"
        assert await names(deployment, ada.token, "bea") == []
        assert (await refused(deployment, MEMBER, ada.token, id=bea.id))[0] == "NOT_FOUND"
        assert (await deployment.data(CONNECTIONS, bea.token))["connections"]["nodes"] == []
        kinds = (ConnectionRequested, PracticesConnected, ConnectionEnded)
        of = [(type(event), event.practice_id) for event in told if isinstance(event, kinds)]
        assert of[0] == (ConnectionRequested, near.id)
        assert set(of[1:3]) == {(PracticesConnected, home.id), (PracticesConnected, near.id)}
        assert set(of[3:]) == {(ConnectionEnded, home.id), (ConnectionEnded, near.id)}


@pytest.mark.rule("P2")
async def test_who_may_not_ask_answer_or_end_is_refused_and_nothing_changes(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        home, near, far = [await deployment.practice(name) for name in ("Home", "Near", "Far")]
        ada, bea, eve = [await deployment.person(practice, Role.MANAGER) for practice in (home, near, far)]
        staff = await deployment.person(near, Role.STAFF)
        for wanted in ("nobody-here", "", "home", str(home.id)):
            assert await refused(deployment, REQUEST, ada.token, p=wanted, c="x") == ("NOT_FOUND", ["practice"])
        assert (await refused(deployment, REQUEST, staff.token, p=str(far.id), c="x"))[0] == "FORBIDDEN"
        assert await count(fresh_database, "connection") == 0
        id = (await deployment.data(REQUEST, ada.token, p=str(near.id), c="one"))["requestConnection"]["id"]
        assert await refused(deployment, REQUEST, ada.token, p=str(far.id), c="one") == ("CONFLICT", ["clientId"])
        for query in (ACCEPT, DECLINE, END):
            assert (await refused(deployment, query, eve.token, i=id))[0] == "NOT_FOUND"
            assert (await refused(deployment, query, staff.token, i=id))[0] == "FORBIDDEN"
        assert (await refused(deployment, END, bea.token, i=id))[0] == "NOT_FOUND"  # it declines instead
        assert await value(fresh_database, STATES) == "asked"
        assert (await deployment.data(DECLINE, bea.token, i=id))["declineConnection"]["state"] == "DECLINED"
        assert (await refused(deployment, ACCEPT, bea.token, i=id))[0] == "NOT_FOUND"
        assert (await refused(deployment, END, ada.token, i=id))[0] == "NOT_FOUND"
        assert await value(fresh_database, STATES) == "declined"
        again = (await deployment.data(REQUEST, ada.token, p=str(near.id), c="two"))["requestConnection"]
        assert again["id"] != id
        assert (await deployment.data(END, ada.token, i=again["id"]))["endConnection"]["state"] == "ENDED"
        assert (await deployment.data(CONNECTIONS, bea.token))["connections"]["nodes"] == []


@pytest.mark.rule("P2")
async def test_two_that_ask_each_other_at_once_have_one_connection(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        for number in range(5):
            home, near = await deployment.practice(f"H{number}"), await deployment.practice(f"N{number}")
            ada, bea = await deployment.person(home, Role.OWNER), await deployment.person(near, Role.OWNER)
            await asyncio.gather(
                deployment.ask(REQUEST, ada.token, p=str(near.id), c="one"),
                deployment.ask(REQUEST, bea.token, p=str(home.id), c="one"),
            )
            assert await count(fresh_database, "connection") == number + 1


@pytest.mark.rule("P2")
@pytest.mark.promise("A4")
async def test_open_subscriptions_of_both_practices_are_woken_by_the_connection_and_its_end(
    fresh_database: Database,
) -> None:
    async with served(fresh_database) as deployment:
        home, near = await deployment.practice("Home"), await deployment.practice("Near")
        ada, bea = await deployment.person(home, Role.OWNER), await deployment.person(near, Role.OWNER)
        async with deployment.socket(ada.token) as one, deployment.socket(bea.token) as other:
            keys = [(socket, await socket.subscribe(FOLLOW)) for socket in (one, other)]
            for socket, key in keys:
                await socket.next(key)
            positions = "SELECT sum(position) FROM practice"
            for step in ("ask", "accept", "end"):
                before = await value(fresh_database, positions)
                if step == "ask":
                    asked = await deployment.data(REQUEST, ada.token, p=str(near.id), c="one")
                else:
                    query = ACCEPT if step == "accept" else END
                    await deployment.data(query, bea.token, i=asked["requestConnection"]["id"])
                for socket, key in keys:
                    assert (await socket.next(key))["planChanged"]["name"] in {"Home", "Near"}
                assert await value(fresh_database, positions) == before + 2


@pytest.mark.rule("P1")
@pytest.mark.rule("P2")
async def test_a_connected_practice_s_patients_contacts_and_inactive_members_stay_its_own(
    fresh_database: Database,
) -> None:
    async with served(fresh_database) as deployment:
        home, near = await deployment.practice("Home"), await deployment.practice("Near")
        ada, bea = await deployment.person(home, Role.OWNER), await deployment.person(near, Role.OWNER, "Bea")
        gone = await deployment.person(near, name="Beatrix")
        await deployment.data(DEACTIVATE, bea.token, m=gone.id)
        patient = {**PATIENT, "firstName": "Beate"}
        made = (await deployment.data(CREATE, bea.token, i=patient, c="p"))["createPatient"]["id"]
        outside = {"firstName": "Beau", "lastName": "Out", "email": "beau@example.org"}
        await deployment.data(CONTACT, bea.token, i=outside, c="c")
        await connected(deployment, ada, bea, near)
        assert await names(deployment, ada.token, "be") == [(bea.member.name, "Near")]
        patient_of = "query($id: ID!) { patient(id: $id) { id } }"
        assert (await refused(deployment, patient_of, ada.token, id=made))[0] == "NOT_FOUND"
        assert (await refused(deployment, MEMBER, ada.token, id=gone.id))[0] == "NOT_FOUND"
        assert (await refused(deployment, DEACTIVATE, ada.token, m=bea.id))[0] == "NOT_FOUND"
        assert (await deployment.data("{ members { nodes { id } } }", ada.token))["members"]["nodes"] == [
            {"id": ada.id}
        ]
        assert await value(fresh_database, "SELECT active FROM member WHERE id = $1", bea.member.id) is True
