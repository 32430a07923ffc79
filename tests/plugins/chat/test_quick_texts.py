"""Quick texts: a practice's and a member's own, with placeholders that the server fills in."""

from __future__ import annotations

import asyncio
import html
import re
from typing import Any

import pytest
from deployment import Person
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from plugins.chat.ward import Ward

from bedside_chat.markdown import html_of
from bedside_chat.placeholders import PLACEHOLDERS, fault_of, filled, names_in
from bedside_chat.quick_texts import MOST
from bedside_core.auth import Role
from bedside_core.database import DB, acting
from bedside_core.testing import statements

CREATE = """mutation($t: String!, $b: String!, $c: String!, $o: Boolean!) {
    createQuickText(title: $t, body: $b, clientId: $c, own: $o) { id title body own } }"""
CHANGE = """mutation($i: ID!, $t: String, $b: String) {
    changeQuickText(id: $i, title: $t, body: $b) { title body } }"""
REMOVE = "mutation($i: ID!) { deleteQuickText(id: $i) }"
LIST = "query($f: Int, $a: String) { quickTexts(first: $f, after: $a) { nodes { title own } pageInfo { endCursor } } }"
RENAME = "mutation($i: ID!, $n: String!) { updatePatient(id: $i, patch: { firstName: $n }) { firstName } }"
RENDER = "query($i: ID!, $c: ID!) { renderQuickText(id: $i, conversationId: $c) }"


async def create(ward: Ward, by: Person, title: str, body: str = "hello", *, own: bool = True) -> dict[str, Any]:
    values = {"t": title, "b": body, "c": f"{title}-{own}", "o": own}
    return (await ward.deployment.data(CREATE, by.token, **values))["createQuickText"]


async def titles(ward: Ward, by: Person) -> list[str]:
    data = await ward.deployment.data(LIST, by.token, f=100)
    return [each["title"] for each in data["quickTexts"]["nodes"]]


@pytest.mark.rule("C18")
async def test_own_ones_are_one_s_own_and_the_practice_s_are_everybody_s(ward: Ward) -> None:
    owner = await ward.deployment.person(ward.practice, Role.OWNER, "Olga")
    other = await ward.deployment.person(await ward.deployment.practice("Hill"), Role.OWNER, "Eve")
    mine = await create(ward, ward.ada, "Bravo")
    shared = await create(ward, owner, "alpha", own=False)
    assert (mine["own"], shared["own"]) == (True, False)
    assert await titles(ward, ward.ada) == ["alpha", "Bravo"]
    assert await titles(ward, ward.ben) == await titles(ward, owner) == ["alpha"]
    assert await titles(ward, other) == []
    for person in (ward.ben, owner, other):
        for query, values in ((CHANGE, {"t": "x"}), (REMOVE, {}), (RENDER, {"c": ward.conversation})):
            assert await ward.deployment.code(query, person.token, i=mine["id"], **values) == "NOT_FOUND"
    assert await titles(ward, ward.ada) == ["alpha", "Bravo"]


@pytest.mark.rule("C18")
async def test_the_practice_s_are_kept_by_who_may_and_used_by_all(ward: Ward) -> None:
    owner = await ward.deployment.person(ward.practice, Role.OWNER, "Olga")
    values = {"t": "Hours", "b": "We open at nine.", "c": "k", "o": False}
    assert await ward.deployment.code(CREATE, ward.ada.token, **values) == "FORBIDDEN"
    shared = (await ward.deployment.data(CREATE, owner.token, **values))["createQuickText"]
    assert await ward.deployment.code(CHANGE, ward.ada.token, i=shared["id"], b="Never.") == "FORBIDDEN"
    assert await ward.deployment.code(REMOVE, ward.ada.token, i=shared["id"]) == "FORBIDDEN"
    rendered = await ward.deployment.data(RENDER, ward.ada.token, i=shared["id"], c=ward.conversation)
    assert rendered == {"renderQuickText": "We open at nine."}
    changed = await ward.deployment.data(CHANGE, owner.token, i=shared["id"], t="Opening")
    assert changed["changeQuickText"] == {"title": "Opening", "body": "We open at nine."}
    assert await ward.deployment.data(REMOVE, owner.token, i=shared["id"]) == {"deleteQuickText": True}
    assert await titles(ward, ward.ada) == []


@pytest.mark.rule("C18", "S6")
async def test_the_server_fills_in_whom_it_is_for_who_writes_where_and_when(ward: Ward) -> None:
    patient = await ward.deployment.patient(ward.practice)
    start = 'mutation($p: ID!) { startPatientConversation(patientId: $p, clientId: "s", byLink: true) { id } }'
    talk = (await ward.deployment.data(start, ward.ada.token, p=str(patient.id)))["startPatientConversation"]["id"]
    body = "Dear {{patient.firstName}} {{ patient.lastName }}, {{date}}: {{practice.name}}, {{member.name}} ({patient})"
    made = await create(ward, ward.ada, "Letter", body)
    assert made["body"] == body
    now = ward.deployment.platform.clock.now()
    from zoneinfo import ZoneInfo

    day = now.astimezone(ZoneInfo(ward.practice.zone)).date().isoformat()
    with statements() as ran:
        rendered = await ward.deployment.data(RENDER, ward.ada.token, i=made["id"], c=talk)
    assert rendered["renderQuickText"] == (
        f"Dear {patient.first_name} {patient.last_name}, {day}: Bay View, {ward.ada.member.name} ({{patient}})"
    )
    # who asks, the text, where they stand, the patient, the member, the practice; the trail
    assert len(ran) <= 9, ran
    assert await ward.deployment.code(RENDER, ward.ada.token, i=made["id"], c=ward.conversation) == "INVALID_INPUT"
    theirs = await create(ward, ward.ben, "Plain")
    assert await ward.deployment.code(RENDER, ward.ben.token, i=theirs["id"], c=talk) == "NOT_FOUND"


@pytest.mark.rule("C18")
@pytest.mark.parametrize(
    ("title", "body", "field"),
    [
        ("", "x", "title"),
        ("x" * 81, "x", "title"),
        ("T", "  ", "body"),
        ("T", "x" * 5001, "body"),
        ("T", "{{patient.mrn}}", "body"),
        ("T", "{{patient.firstName", "body"),
        ("T", "{{ {{date}} }}", "body"),
        ("T", "{{}}", "body"),
    ],
)
async def test_a_text_that_can_not_be_is_refused_when_it_is_kept(ward: Ward, title: str, body: str, field: str) -> None:
    made = await create(ward, ward.ada, "Good")
    values = {"t": title, "b": body}
    for query, more in ((CREATE, {"c": "k", "o": True}), (CHANGE, {"i": made["id"]})):
        [error] = (await ward.deployment.ask(query, ward.ada.token, **values, **more))["errors"]
        assert (error["extensions"]["code"], error["extensions"]["field"]) == ("INVALID_INPUT", [field])
    with acting(ward.practice.id):
        assert [tuple(row) for row in await DB.fetch("SELECT title, body FROM quick_text")] == [("Good", "hello")]


@pytest.mark.rule("C18", "G9")
async def test_a_retry_returns_the_first_also_when_both_come_at_once_and_there_is_an_end_to_them(ward: Ward) -> None:
    first, *again = await asyncio.gather(*(create(ward, ward.ada, "One") for _ in range(4)))
    assert again == [first] * 3
    values = {"t": "One", "b": "other", "c": "One-True", "o": True}
    assert await ward.deployment.code(CREATE, ward.ada.token, **values) == "CONFLICT"
    with acting(ward.practice.id):
        await DB.execute(
            """INSERT INTO quick_text (id, practice_id, member_id, title, body, made_at)
            SELECT gen_random_uuid(), $1, $2, 'T' || n, 'x', now() FROM generate_series(1, $3) n""",
            ward.practice.id,
            ward.ada.member.id,
            MOST - 1,
        )
    values = {"t": "More", "b": "x", "c": "more", "o": True}
    assert await ward.deployment.code(CREATE, ward.ada.token, **values) == "CONFLICT"
    await create(ward, ward.ben, "Ben's")  # each has their own count
    with acting(ward.practice.id):
        assert await DB.fetchval("SELECT count(*) FROM quick_text") == MOST + 1
    page = (await ward.deployment.data(LIST, ward.ada.token, f=100))["quickTexts"]
    rest = (await ward.deployment.data(LIST, ward.ada.token, f=100, a=page["pageInfo"]["endCursor"]))["quickTexts"]
    assert len({each["title"] for each in page["nodes"] + rest["nodes"]}) == MOST


_values = {name: f"<{name}>" for name in PLACEHOLDERS}


@pytest.mark.rule("C18")
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault of the texts
@given(st.lists(st.one_of(st.sampled_from([f"{{{{{name}}}}}" for name in PLACEHOLDERS]), st.text(max_size=20))))
def test_a_text_without_faults_can_always_be_filled_in(parts: list[str]) -> None:
    body = "".join(parts)
    if fault_of(body) is None:
        assert set(names_in(body)) <= set(PLACEHOLDERS)
        assert "{{" not in filled(body, _values)


def test_a_value_is_never_taken_for_a_placeholder() -> None:
    values = {**_values, "member.name": "{{patient.name}}"}
    assert filled("{{member.name}} {{date}}", values) == r"{{patient.name}} \<date\>"


@pytest.mark.rule("C18")
@given(st.text(max_size=40), st.sampled_from(["{}", "Dear {},", "* {}", "a\n{}", "**{}**", "`{}`"]))
@example("[Pay](https://evil.example)", "Dear {},")
@example("1. one", "{}")
@example("# one", "a\n{}")
@example("- one", "* {}")
@example("<https://evil.example>", "{}")
@example("&lt;b&gt; `c` _d_ ~~e~~ \\", "{}")
@example("===", "a\n{}")
def test_a_value_is_shown_as_it_is_and_nothing_comes_of_it(value: str, around: str) -> None:
    """What stands around a value makes of it what it makes of a plain word, and nothing else does."""
    word, shown = "Word", " ".join(value.split())
    body = around.format("{{member.name}}")
    plain, found = (html_of(filled(body, {"member.name": each})) for each in (word, value))
    if shown:
        assert tags(found) <= tags(plain)
    if shown.isprintable() and shown and "`" not in around:
        assert found == plain.replace(word, html.escape(shown, quote=False))


def tags(shown: str) -> set[str]:
    return set(re.findall(r"<[a-z0-9]+", shown))


@pytest.mark.rule("C18")
async def test_a_name_makes_no_link_in_the_message_that_is_sent(ward: Ward) -> None:
    deployment, name = ward.deployment, "[Pay](https://evil.example)"
    owner = await deployment.person(ward.practice, Role.OWNER, "Olga")
    patient = await deployment.patient(ward.practice)
    await deployment.data(RENAME, owner.token, i=str(patient.id), n=name)
    start = 'mutation($p: ID!) { startPatientConversation(patientId: $p, clientId: "s", byLink: true) { id } }'
    talk = (await deployment.data(start, ward.ada.token, p=str(patient.id)))["startPatientConversation"]["id"]
    text = await create(ward, ward.ada, "Letter", "Dear {{patient.firstName}},")
    body = (await deployment.data(RENDER, ward.ada.token, i=text["id"], c=talk))["renderQuickText"]
    send = 'mutation($i: ID!, $b: String!) { sendMessage(conversationId: $i, body: $b, clientId: "q") { html } }'
    sent = await deployment.data(send, ward.ada.token, i=talk, b=body)
    assert sent["sendMessage"] == {"html": f"<p>Dear {name},</p>\n"}
