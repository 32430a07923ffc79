"""Sessions: drafted, created once, found, changed, shared, ended; their lists and roles (T1, T5, T6, T9, T10)."""

from __future__ import annotations

import asyncio

import pytest
from plugins.telehealth.consulting import (
    ADD,
    CHANGE,
    CREATE,
    DRAFT,
    END,
    HOST,
    LINKS,
    REMOVE,
    RENEW,
    ROLE,
    SESSION,
    SESSIONS,
    Consulting,
    client_id,
    of,
)

from bedside_core.testing import statements


@pytest.mark.rule("T5")
@pytest.mark.rule("T9")
@pytest.mark.rule("T10")
async def test_a_session_is_created_with_its_list_and_its_creator_is_chair(house: Consulting) -> None:
    cleo, pat = house.colleague, house.patient
    made = await house.create(
        name="  Round   of the ward ",
        aboutPatientId=pat.id,
        participants=[{"personId": cleo.id, "role": "VIEWER"}, {"personId": pat.id}],
    )
    assert (made["name"], made["access"], made["inside"], made["waiting"]) == ("Round of the ward", "INVITATION", 0, 0)
    assert made["aboutPatientId"] == pat.id
    assert [(each["name"], each["role"], each["label"]) for each in made["participants"]["nodes"]] == [
        (house.host.member.name, "CHAIR", None),
        (cleo.member.name, "VIEWER", None),
        (pat.patient.name, "BROADCASTER", "Patient"),
    ]
    assert {each["place"] for each in made["participants"]["nodes"]} == {"LISTED"}
    assert made["own"]["role"] == "CHAIR"
    assert await house.seen(made["id"]) == made
    assert (await house.seen(made["id"], cleo))["waiting"] is None
    assert (await house.seen(made["id"], pat))["aboutPatientId"] is None


@pytest.mark.rule("T1")
async def test_only_telehealth_hosts_create_sessions_and_nothing_is_left_otherwise(house: Consulting) -> None:
    given = {"i": {"name": "Round"}, "c": client_id()}
    for token in (house.colleague.token, house.owner.token):
        assert await house.deployment.code(CREATE, token, **given) == "FORBIDDEN"
        assert await house.deployment.code(DRAFT, token) == "FORBIDDEN"
    assert await house.deployment.code(CREATE, house.patient.token, **given) == "FORBIDDEN"
    assert (await house.count("video_session"), await house.count("video_participant")) == (0, 0)
    await house.deployment.data(HOST, house.owner.token, m=house.owner.id, e=True)  # a solo practitioner sets their own
    await house.deployment.data(CREATE, house.owner.token, **given)
    assert await house.count("video_session") == 1


@pytest.mark.rule("T6")
async def test_a_session_by_invitation_is_confirmed_first(house: Consulting) -> None:
    asked = {"i": {"name": "Round"}, "k": False}
    code = await house.deployment.code(CREATE, house.host.token, c=client_id(), **asked)
    assert (code, await house.count("video_session")) == ("LINK_CONFIRMATION_NEEDED", 0)
    for access in ("PRIVATE", "INTERNAL"):
        given = {"i": {"name": "Round", "access": access}, "k": False}
        made = (await house.deployment.data(CREATE, house.host.token, c=client_id(), **given))["createVideoSession"]
        before = await house.rows(made["id"])
        change = {"i": made["id"], "p": {"access": "INVITATION"}}
        assert await house.deployment.code(CHANGE, house.host.token, **change) == "LINK_CONFIRMATION_NEEDED"
        assert await house.rows(made["id"]) == before
        told = await house.deployment.data(CHANGE, house.host.token, **change, k=True)
        assert told["changeVideoSession"]["access"] == "INVITATION"


@pytest.mark.rule("T6")
@pytest.mark.promise("A6")
async def test_links_are_shown_before_and_work_from_then_on(house: Consulting) -> None:
    drafted = (await house.deployment.data(DRAFT, house.host.token))["videoSessionDraft"]
    secret = drafted["links"]["guest"].partition("#")[2]
    assert len(secret) == 54  # an id, and 192 bits
    early = await house.exchange(secret, "Vic")
    assert (early.status_code, early.json()["code"]) == (410, "LINK_OVER")
    made = await house.create(draft=drafted["draft"])
    links = (await house.deployment.data(LINKS, house.host.token, i=made["id"]))["videoSessionLinks"]
    assert links == drafted["links"]
    assert links["participant"].endswith(f"/telehealth/visit/{made['id']}")
    assert (await house.exchange(secret, "Vic")).status_code == 200
    again = {"i": {"name": "Round", "draft": drafted["draft"]}}
    assert await house.deployment.code(CREATE, house.host.token, c=client_id(), **again) == "CONFLICT"
    await house.make_host(house.colleague)
    other = (await house.deployment.data(DRAFT, house.colleague.token))["videoSessionDraft"]["draft"]
    for draft in (other, "x", "Ü", made["id"]):
        refused = {"i": {"name": "Round", "draft": draft}, "c": client_id()}
        assert await house.deployment.code(CREATE, house.host.token, **refused) == "INVALID_INPUT"
    assert await house.count("video_session") == 1


@pytest.mark.rule("G9")
async def test_a_retry_returns_the_first_session_also_at_once(house: Consulting) -> None:
    asked = {"i": {"name": "Round", "participants": [{"personId": house.colleague.id}]}, "c": client_id()}
    told = await asyncio.gather(*(house.deployment.data(CREATE, house.host.token, **asked) for _ in range(5)))
    assert len({each["createVideoSession"]["id"] for each in told}) == 1
    other = {"i": {"name": "Another"}, "c": asked["c"]}
    assert await house.deployment.code(CREATE, house.host.token, **other) == "CONFLICT"
    assert (await house.count("video_session"), await house.count("video_participant")) == (1, 2)


@pytest.mark.rule("T5")
@pytest.mark.rule("T12")
async def test_one_finds_one_s_own_sessions_by_name_in_pages(house: Consulting) -> None:
    names = ("Night shift", "Day shift", "Café")
    made = [await house.create(name=name, participants=[{"personId": house.colleague.id}]) for name in names]
    alone = await house.create(name="Alone")

    async def found(token: str, **given: object) -> list[str]:
        nodes = (await house.deployment.data(SESSIONS, token, **given))["videoSessions"]["nodes"]
        return [each["name"] for each in nodes]

    assert await found(house.colleague.token) == ["Café", "Day shift", "Night shift"]
    assert await found(house.host.token) == ["Alone", "Café", "Day shift", "Night shift"]
    assert await found(house.owner.token) == []  # no role reads a session it is not in (A12)
    assert await found(house.host.token, t=" SHIFT ") == ["Day shift", "Night shift"]
    assert await found(house.host.token, t="100%") == []
    await house.deployment.data(END, house.host.token, i=alone["id"])
    assert await found(house.host.token, n=1) == ["Café"]
    page = (await house.deployment.data(SESSIONS, house.host.token, n=2))["videoSessions"]
    assert page["pageInfo"]["hasNextPage"] is True
    assert await found(house.host.token, n=2, a=page["pageInfo"]["endCursor"]) == ["Night shift"]
    assert await found(house.host.token, e=True) == ["Alone", "Café", "Day shift", "Night shift"]
    assert await house.deployment.code(SESSIONS, house.host.token, t="x" * 201) == "INVALID_INPUT"
    with statements() as few:
        await found(house.host.token, n=1)
    with statements() as many:
        await found(house.host.token, n=3)
    assert len(few) == len(many)
    assert len(made) == 3


@pytest.mark.rule("T5")
@pytest.mark.rule("T9")
async def test_chairs_change_settings_and_nobody_else_does(house: Consulting) -> None:
    listed = [{"personId": house.colleague.id}, {"personId": house.patient.id}]
    made = await house.create(participants=listed)
    before, participant = await house.rows(made["id"]), of(made, house.patient.id)["id"]
    asked = {
        CHANGE: {"p": {"name": "Another"}},
        RENEW: {},
        END: {},
        ADD: {"p": [{"personId": house.owner.id}]},
        ROLE: {"p": participant, "r": "VIEWER"},
        REMOVE: {"p": participant},
        LINKS: {},
    }
    for document, given in asked.items():
        codes = {
            person: await house.deployment.code(document, token, i=made["id"], **given)
            for person, token in {
                "broadcaster": house.colleague.token,
                "stranger": house.owner.token,
                "patient": house.patient.token,
            }.items()
        }
        assert codes == {"broadcaster": "FORBIDDEN", "stranger": "NOT_FOUND", "patient": "FORBIDDEN"}, document
    assert await house.rows(made["id"]) == before
    changed = {"name": "Evening", "aboutPatientId": house.patient.id}
    told = (await house.deployment.data(CHANGE, house.host.token, i=made["id"], p=changed))["changeVideoSession"]
    assert (told["name"], told["aboutPatientId"]) == ("Evening", house.patient.id)
    told = await house.deployment.data(CHANGE, house.host.token, i=made["id"], p={"aboutPatientId": None})
    assert told["changeVideoSession"]["aboutPatientId"] is None
    assert told["changeVideoSession"]["name"] == "Evening"
    for patch in ({"name": " "}, {"name": "x" * 101}, {"name": "a\u202eb"}):
        assert await house.deployment.code(CHANGE, house.host.token, i=made["id"], p=patch) == "INVALID_INPUT"
    assert await house.deployment.code(SESSION, house.owner.token, i=made["id"]) == "NOT_FOUND"


@pytest.mark.rule("T9")
async def test_people_are_added_given_roles_and_removed_and_a_chair_stays(house: Consulting) -> None:
    made = await house.create()
    added = [{"personId": house.colleague.id, "role": "VIEWER"}, {"personId": house.patient.id}]
    told = (await house.deployment.data(ADD, house.host.token, i=made["id"], p=added))["addVideoParticipants"]
    assert [each["role"] for each in told["participants"]["nodes"]] == ["CHAIR", "VIEWER", "BROADCASTER"]
    cleo, pat = of(told, house.colleague.id)["id"], of(told, house.patient.id)["id"]
    once_more = await house.deployment.data(ADD, house.host.token, i=made["id"], p=[{"personId": house.colleague.id}])
    assert of(once_more["addVideoParticipants"], house.colleague.id)["role"] == "VIEWER"
    hal = made["own"]["id"]
    before = await house.rows(made["id"])
    for given, code in (
        ({"p": hal, "r": "VIEWER"}, "LAST_CHAIR"),
        ({"p": pat, "r": "CHAIR"}, "INVALID_INPUT"),
        ({"p": made["id"], "r": "VIEWER"}, "NOT_FOUND"),
    ):
        assert await house.deployment.code(ROLE, house.host.token, i=made["id"], **given) == code
    assert await house.deployment.code(REMOVE, house.host.token, i=made["id"], p=hal) == "INVALID_INPUT"
    assert await house.rows(made["id"]) == before
    await house.deployment.data(ROLE, house.host.token, i=made["id"], p=cleo, r="CHAIR")
    told = await house.deployment.data(ROLE, house.host.token, i=made["id"], p=hal, r="VIEWER")
    assert told["setVideoRole"]["own"]["role"] == "VIEWER"
    await house.deployment.data(REMOVE, house.colleague.token, i=made["id"], p=hal)
    assert await house.deployment.code(SESSION, house.host.token, i=made["id"]) == "NOT_FOUND"
    await house.deployment.data(ADD, house.colleague.token, i=made["id"], p=[{"personId": house.host.id}])
    assert (await house.seen(made["id"]))["own"]["place"] == "LISTED"


@pytest.mark.rule("T10")
@pytest.mark.rule("P2")
async def test_only_who_qualifies_is_put_on_a_list(house: Consulting) -> None:
    stranger = await house.deployment.person(await house.deployment.practice("Elsewhere"))
    for access in ("PRIVATE", "INTERNAL"):
        given = {"i": {"name": "Round", "access": access, "participants": [{"personId": house.patient.id}]}}
        assert await house.deployment.code(CREATE, house.host.token, c=client_id(), **given) == "INVALID_INPUT"
    given = {"i": {"name": "Round", "participants": [{"personId": stranger.id}]}, "c": client_id()}
    assert await house.deployment.code(CREATE, house.host.token, **given) == "NOT_FOUND"
    assert (await house.count("video_session"), await house.count("video_participant")) == (0, 0)


@pytest.mark.rule("T5")
async def test_a_renewed_link_voids_the_older_one_and_an_end_voids_both(house: Consulting) -> None:
    made = await house.create()
    old = await house.secret(made["id"])
    renewed = (await house.deployment.data(RENEW, house.host.token, i=made["id"]))["renewVideoLink"]["guest"]
    new = renewed.partition("#")[2]
    assert new != old and await house.secret(made["id"]) == new
    assert (await house.exchange(old, "Vic")).json()["code"] == "LINK_OVER"
    assert (await house.exchange(new, "Vic")).status_code == 200
    await house.deployment.data(END, house.host.token, i=made["id"])
    assert (await house.exchange(new, "Vic")).json()["code"] == "SESSION_ENDED"
    assert await house.deployment.code(RENEW, house.host.token, i=made["id"]) == "SESSION_ENDED"
    ended = (await house.seen(made["id"]))["endedAt"]
    assert (await house.deployment.data(END, house.host.token, i=made["id"]))["endVideoSession"]["endedAt"] == ended


@pytest.mark.rule("T5")
async def test_a_session_costs_a_constant_number_of_statements(house: Consulting) -> None:
    made = await house.create()
    with statements() as few:
        await house.seen(made["id"])
    people = [{"personId": (await house.deployment.person(house.practice)).id} for _ in range(5)]
    with statements() as one:
        await house.deployment.data(ADD, house.host.token, i=made["id"], p=people[:1])
    with statements() as four:
        await house.deployment.data(ADD, house.host.token, i=made["id"], p=people[1:])
    assert len(one) == len(four)
    with statements() as many:
        assert len((await house.seen(made["id"]))["participants"]["nodes"]) == 6
    assert len(few) == len(many)
