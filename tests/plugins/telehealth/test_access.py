"""Access: who may come, by either link, and who is put out at once when it changes (T8, T10)."""

from __future__ import annotations

import pytest
from plugins.telehealth.consulting import CHANGE, JOIN, PLACE, SESSION, Consulting, of

from bedside_core.auth import Role


@pytest.mark.rule("T10")
@pytest.mark.rule("T8")
@pytest.mark.parametrize(
    ("access", "codes", "by_link"),
    [
        ("PRIVATE", ["NOT_FOUND", "NOT_FOUND"], ["FORBIDDEN", "FORBIDDEN", "SIGN_IN_NEEDED"]),
        ("INTERNAL", [None, "NOT_FOUND"], [None, "FORBIDDEN", "SIGN_IN_NEEDED"]),
        ("INVITATION", [None, None], [None, None, None]),
    ],
)
async def test_access_says_who_comes_by_either_link(
    house: Consulting, access: str, codes: list[str | None], by_link: list[str | None]
) -> None:
    made = await house.create(access=access)
    secret, before = await house.secret(made["id"]), await house.rows(made["id"])
    told = [
        (await house.exchange(secret, "Vic", **given)).json().get("code")
        for given in ({"token": house.colleague.token}, {"token": house.patient.token}, {})
    ]
    assert told == by_link
    if access == "PRIVATE":
        assert await house.rows(made["id"]) == before
    for person, code in zip((house.colleague, house.patient), codes, strict=True):
        body = await house.deployment.ask(JOIN, person.token, i=made["id"])
        assert ([each["extensions"]["code"] for each in body.get("errors", [])] or [None]) == [code]
    inside = (await house.seen(made["id"]))["inside"]
    assert inside == codes.count(None)


@pytest.mark.rule("T8")
async def test_a_colleague_on_the_guest_link_is_recognised_and_joins_as_themselves(house: Consulting) -> None:
    made = await house.create()
    before = await house.rows(made["id"])
    told = (await house.exchange(await house.secret(made["id"]), "Somebody Else", token=house.colleague.token)).json()
    assert told == {"sessionId": made["id"], "recognised": True}
    assert await house.rows(made["id"]) == before
    joined = await house.join(made["id"], house.colleague)
    assert (joined["place"]["participant"]["name"], joined["place"]["participant"]["place"]) == (
        house.colleague.member.name, "IN",
    )  # fmt: skip
    stranger = await house.deployment.person(await house.deployment.practice("Elsewhere"))
    assert await house.deployment.code(JOIN, stranger.token, i=made["id"]) == "NOT_FOUND"
    told = (await house.exchange(await house.secret(made["id"]), "Stan Ger", token=stranger.token)).json()
    assert told["recognised"] is False  # anyone with the link: under the name they give
    assert (await house.join(made["id"], _Token(told["token"])))["place"]["participant"]["name"] == "Stan Ger"


@pytest.mark.rule("T10")
@pytest.mark.promise("A4")
async def test_who_no_longer_qualifies_is_put_out_at_once(house: Consulting) -> None:
    made = await house.create(participants=[{"personId": house.colleague.id}, {"personId": house.patient.id}])
    visitor = await house.visitor(made["id"])
    for person in (house.host, house.colleague, house.owner, house.patient, visitor):
        await house.join(made["id"], person)
    assert (await house.seen(made["id"]))["inside"] == 5
    told = await house.deployment.data(CHANGE, house.host.token, i=made["id"], p={"access": "INTERNAL"})
    now = told["changeVideoSession"]
    places = {each["name"]: each["place"] for each in now["participants"]["nodes"]}
    assert places == {
        house.host.member.name: "IN", house.colleague.member.name: "IN", house.owner.member.name: "IN",
        house.patient.patient.name: "OUT", "Vic Guest": "OUT",
    }  # fmt: skip
    assert await house.deployment.code(PLACE, visitor.token, i=made["id"]) == "UNAUTHENTICATED"
    assert await house.deployment.code(JOIN, house.patient.token, i=made["id"]) == "NOT_ADMITTED"
    told = await house.deployment.data(CHANGE, house.host.token, i=made["id"], p={"access": "PRIVATE"})
    now = told["changeVideoSession"]
    assert (now["inside"], of(now, house.owner.id)["place"], of(now, house.colleague.id)["place"]) == (2, "OUT", "IN")
    before = await house.rows(made["id"])
    assert await house.deployment.code(JOIN, house.owner.token, i=made["id"]) == "NOT_ADMITTED"
    assert await house.rows(made["id"]) == before
    back = {"i": made["id"], "p": {"access": "INVITATION"}, "k": True}
    await house.deployment.data(CHANGE, house.host.token, **back)
    assert (await house.join(made["id"], house.patient))["place"]["participant"]["place"] == "IN"


@pytest.mark.rule("A12")
@pytest.mark.rule("T10")
async def test_leaders_see_no_session_that_they_are_not_in(house: Consulting) -> None:
    made = await house.create(access="PRIVATE", participants=[{"personId": house.colleague.id}])
    manager = await house.deployment.person(house.practice, Role.MANAGER)
    for person in (house.owner, manager):
        for document in (SESSION, PLACE, JOIN):
            assert await house.deployment.code(document, person.token, i=made["id"]) == "NOT_FOUND"


class _Token:
    """Whoever has a token."""

    def __init__(self, token: str) -> None:
        self.token = token
