"""Texts: what may stand in them, the practice's own in place of ours, and previews."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from jinja2 import Environment, meta
from notify_stage import ALARM, INVITATION, MESSAGE, ROUND, Ward, until
from notify_stage import ward as ward_

from bedside_core import parts
from bedside_core.boot import outlined
from bedside_core.config import Config
from bedside_core.manifest import Manifest
from bedside_core.notify import Channel, Fact, Language, NotificationKind, Part
from bedside_core.notify.kinds import PARTS_OF, TYPES
from bedside_core.notify.service import facts_of
from bedside_core.notify.texts import LONGEST_TEMPLATE, faults_of, rendered, sample
from bedside_core.testing import Database

TEMPLATES = "{ notificationTemplates { kind placeholders templates { language part template own } } }"
PREVIEW = """query($k: String!, $l: NotificationLanguage!, $c: NotificationChannel!, $p: NotificationPart, $t: String) {
    notificationPreview(kind: $k, language: $l, channel: $c, part: $p, template: $t) { subject text html } }"""
SET = """mutation($k: String!, $l: NotificationLanguage!, $p: NotificationPart!, $t: String!) {
    setNotificationTemplate(kind: $k, language: $l, part: $p, template: $t) { kind } }"""
RESET = """mutation($k: String!, $l: NotificationLanguage!, $p: NotificationPart) {
    resetNotificationTemplate(kind: $k, language: $l, part: $p) { templates { own } } }"""


@pytest_asyncio.fixture
async def ward(fresh_database: Database) -> AsyncGenerator[Ward]:
    async with ward_(fresh_database) as ward:
        yield ward


def every_kind() -> list[NotificationKind]:
    """The kinds of core and of all plugins that are installed."""
    manifests = outlined(Config(strict=True)).plugins.manifests.values()
    return [*parts.NOTIFICATIONS, *(kind for manifest in manifests for kind in manifest.notifications)]


@pytest.mark.rule("N4")
def test_no_kind_can_tell_more_than_practice_sender_time_and_link() -> None:
    """The facts are a closed list, their types too, and no template names anything else."""
    assert {fact.value: kind for fact, kind in TYPES.items()} == {
        "practice": str, "sender": str, "time": datetime, "link": str,
    }  # fmt: skip
    assert {field.name for field in dataclasses.fields(NotificationKind)} == {
        "key", "doc", "facts", "channels", "instead", "required", "urgent", "secret", "of_account", "calendar",
        "texts",
    }  # fmt: skip
    kinds = every_kind()
    assert len(kinds) >= 1
    for kind in kinds:
        assert set(kind.facts) <= set(Fact)
        for texts in kind.texts.values():
            for template in texts.values():
                named = meta.find_undeclared_variables(Environment(autoescape=True).parse(template))
                assert named <= {fact.value for fact in Fact}, kind.key


@pytest.mark.rule("N8")
def test_every_kind_says_something_in_both_languages_on_each_of_its_channels() -> None:
    for kind in [*every_kind(), MESSAGE, ROUND, ALARM, INVITATION]:
        for language in Language:
            for part, template in kind.texts[language].items():
                assert faults_of(kind, part, template) == [], (kind.key, part)
            for channel in kind.every_channel:
                said = rendered(kind, channel, {}, sample(kind), language=language)
                assert said.text.strip()
                if Part.SUBJECT in PARTS_OF[channel]:
                    assert said.subject


@pytest.mark.rule("N4")
@pytest.mark.parametrize(
    "facts",
    [
        {},
        {Fact.SENDER: "Ada Moss", Fact.LINK: "/chat", Fact.TIME: datetime.now()},
        {Fact.SENDER: "Ada Moss", Fact.LINK: "/chat", "body": "the lump is benign"},
        {Fact.SENDER: 7, Fact.LINK: "/chat"},
        {Fact.SENDER: "Ada Moss", Fact.LINK: "/chat?about=the lump"},
    ],
)
def test_facts_that_are_none_are_refused(facts: dict[Any, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        facts_of(MESSAGE, facts)


@pytest.mark.rule("N4")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Ada Moss\r\nYour results:\u2028", "Ada Moss Your results:"),
        ("Zo\u00eb\u00a0A\u200db\u202e Moss\x1b", "Zo\u00eb Ab Moss"),
        ("x" * 119 + " y", "x" * 119),
        (f"{'A' * 100} {'B' * 100}", f"{'A' * 100} {'B' * 19}"),
        ("\u200d", "?"),
        ("", "?"),
    ],
)
def test_a_sender_is_told_of_by_a_short_name_in_one_line(name: str, told: str) -> None:
    assert facts_of(MESSAGE, {Fact.SENDER: name, Fact.LINK: "/chat"}) == {"sender": told, "link": "/chat"}


def test_a_kind_that_can_not_be_right_is_refused_with_a_reason() -> None:
    def made(**wrong: Any) -> NotificationKind:
        return dataclasses.replace(MESSAGE, **wrong)

    with pytest.raises(ValueError, match="not <plugin>"):
        made(key="Message")
    with pytest.raises(ValueError, match="takes no channel"):
        made(channels=())
    with pytest.raises(ValueError, match="can't be shown"):
        made(secret=True)
    with pytest.raises(ValueError, match="no fact"):
        made(facts=("diagnosis",))
    with pytest.raises(ValueError, match="the es text has no"):
        made(texts={Language.ENGLISH: MESSAGE.texts[Language.ENGLISH]})
    with pytest.raises(ValueError, match="does not begin with 'chat'"):
        Manifest(name="chat", title="Chat", api=">=1.0,<2", notifications=(MESSAGE,))
    with pytest.raises(ValueError, match="the same key"):
        Manifest(name="ward", title="Ward", api=">=1.0,<2", notifications=(MESSAGE, MESSAGE))


@pytest.mark.rule("N8", "N4")
@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{{ body }}", "no placeholder 'body'"),
        ("{{ sender.__class__ }}", "text, conditions and placeholders alone"),
        ("{{ sender|upper }}", "text, conditions and placeholders alone"),
        ("{% for x in sender %}{{ x }}{% endfor %}", "text, conditions and placeholders alone"),
        ("{{ 'a' * 1000000000 }}", "text, conditions and placeholders alone"),
        ("{{ range(10) }}", "text, conditions and placeholders alone"),
        ("{% include 'x' %}", "text, conditions and placeholders alone"),
        ("{{ sender", "can't be read"),
        ("  ", "empty"),
        ("x" * (LONGEST_TEMPLATE + 1), "longer than"),
        ("{% if sender > 3 %}x{% endif %}", "does not work"),
        ("{{ " + "(" * 2000 + "practice" + ")" * 2000 + " }}", "can't be read"),
        ("{{ " + "9" * 4900 + " }}", "can't be read"),
        ("{% if practice %}" * 140 + "x" + "{% endif %}" * 140, "pieces at most"),
        ("{{ " + "'a' if practice else " * 230 + "'b' }}", "pieces at most"),
        ("{{ x }}" * 600, "pieces at most"),
    ],
)
def test_templates_hold_text_conditions_and_placeholders_alone(template: str, told: str) -> None:
    [fault] = faults_of(MESSAGE, Part.BODY, template)
    assert told in fault


def test_names_can_not_bring_markup_into_a_mail() -> None:
    facts = {**sample(MESSAGE), "sender": "<script>alert(1)</script>", "practice": "A & B"}
    html = rendered(MESSAGE, Channel.EMAIL, {}, facts, language=Language.ENGLISH).html or ""
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "A &amp; B" in html


@pytest.mark.rule("N8")
async def test_a_practice_s_own_text_is_used_until_it_is_taken_back(ward: Ward) -> None:
    told = {"k": "ward.alarm", "l": "ENGLISH", "p": "SUBJECT", "t": "Hurry to {{ practice }}!"}
    preview = await ward.deployment.data(
        PREVIEW, ward.owner.token, k="ward.alarm", l="ENGLISH", c="EMAIL", p="SUBJECT", t=told["t"]
    )
    assert preview["notificationPreview"]["subject"] == "Hurry to Bay View!"
    assert "Hurry to Bay View!" in preview["notificationPreview"]["html"]
    await ward.deployment.data(SET, ward.owner.token, **told)
    other = await ward.deployment.practice("Elsewhere", tier=None)
    from bedside_core.auth import Role

    boss = await ward.deployment.person(other, Role.OWNER, name="Eve")
    for person, own in ((ward.owner, True), (boss, False)):
        data = await ward.deployment.data(TEMPLATES, person.token)
        [kind] = [kind for kind in data["notificationTemplates"] if kind["kind"] == "ward.alarm"]
        assert kind["placeholders"] == ["practice"]
        assert any(template["own"] for template in kind["templates"]) is own
    await ward.send("ward.alarm")
    await until(lambda: len(ward.mail.mails) == 1, "the mail")
    assert ward.mail.mails[0].subject == "Hurry to Bay View!"
    await ward.deployment.data(RESET, ward.owner.token, k="ward.alarm", l="ENGLISH")
    await ward.send("ward.alarm")
    await until(lambda: len(ward.mail.mails) == 2, "the next mail")
    assert ward.mail.mails[1].subject == "You are needed at Bay View"


@pytest.mark.rule("N8")
async def test_texts_are_changed_by_who_leads_and_never_to_what_can_not_be_sent(ward: Ward) -> None:
    told = {"k": "ward.alarm", "l": "ENGLISH", "p": "SMS", "t": "Come"}
    assert await ward.deployment.code(SET, ward.ada.token, **told) == "FORBIDDEN"
    assert await ward.deployment.code(SET, ward.owner.token, **{**told, "t": "{{ sender }}"}) == "INVALID_INPUT"
    assert await ward.deployment.code(SET, ward.owner.token, **{**told, "k": "ward.nothing"}) == "NOT_FOUND"
    for odd in ("{{ " + "(" * 2000, "{% if practice %}" * 140 + "x" + "{% endif %}" * 140, "{{ " + "9" * 4900 + " }}"):
        assert await ward.deployment.code(SET, ward.owner.token, **{**told, "t": odd}) == "INVALID_INPUT"
        preview = {"k": "ward.alarm", "l": "ENGLISH", "c": "SMS", "p": "SMS", "t": odd}
        assert await ward.deployment.code(PREVIEW, ward.owner.token, **preview) == "INVALID_INPUT"
    asked = {"k": "ward.invitation", "l": "SPANISH", "c": "VOICE"}
    assert await ward.deployment.code(PREVIEW, ward.owner.token, **asked) == "INVALID_INPUT"
    data = await ward.deployment.data(TEMPLATES, ward.owner.token)
    assert [t for kind in data["notificationTemplates"] for t in kind["templates"] if t["own"]] == []


async def test_a_text_that_the_kind_has_outgrown_gives_way_to_ours(ward: Ward) -> None:
    from bedside_core.database import DB, acting

    with acting(ward.practice.id):
        await DB.execute(
            "INSERT INTO notification_text VALUES ($1, 'ward.alarm', 'en', 'subject', '{{ gone }}')", ward.practice.id
        )
    await ward.send("ward.alarm", after=timedelta())
    await until(lambda: len(ward.mail.mails) == 1, "the mail")
    assert ward.mail.mails[0].subject == "You are needed at Bay View"


@pytest.mark.rule("N8")
async def test_an_outgrown_text_breaks_neither_the_list_nor_a_preview(ward: Ward) -> None:
    from bedside_core.database import DB, acting

    with acting(ward.practice.id):
        await DB.execute(
            "INSERT INTO notification_text VALUES ($1, 'ward.alarm', 'en', 'in_app', '{{ gone }}')", ward.practice.id
        )
    await ward.send("ward.alarm")
    await until(lambda: len(ward.mail.mails) == 1, "the mail")
    data = await ward.deployment.data("{ notifications { nodes { text } } }", ward.ada.token)
    assert data["notifications"]["nodes"] == [{"text": "You are needed at Bay View"}]
    asked = {"k": "ward.alarm", "l": "ENGLISH", "c": "IN_APP"}
    data = await ward.deployment.data(PREVIEW, ward.owner.token, **asked)
    assert data["notificationPreview"]["text"] == "You are needed at Bay View"
    data = await ward.deployment.data(PREVIEW, ward.owner.token, **asked, p="SUBJECT", t="Come to {{ practice }}")
    told = data["notificationPreview"]
    assert (told["subject"], told["text"]) == ("Come to Bay View", "You are needed at Bay View")


@pytest.mark.rule("N8")
async def test_texts_about_an_account_are_nobody_s_to_change_and_come_in_the_practice_s_language(ward: Ward) -> None:
    told = {"k": "core.password_reset", "l": "ENGLISH", "p": "SUBJECT", "t": "OUR OWN"}
    assert await ward.deployment.code(SET, ward.owner.token, **told) == "INVALID_INPUT"
    data = await ward.deployment.data("{ notificationTemplates { kind overridable } }", ward.owner.token)
    kinds = {each["kind"]: each["overridable"] for each in data["notificationTemplates"]}
    assert {kind for kind, overridable in kinds.items() if not overridable} == {
        "core.account_locked", "core.email_changed", "core.email_confirm", "core.factors_removed",
        "core.password_changed", "core.password_reset",
    }  # fmt: skip
    assert kinds["ward.alarm"] is True
    ask = "mutation($e: String!) { requestPasswordReset(email: $e) }"
    await ward.deployment.data(ask, e=ward.ada.email)
    await until(lambda: len(ward.mail.mails) == 1, "the mail")
    assert ward.mail.mails[0].subject == "Choose a new password"
    spanish = "mutation { updateNotificationsSettings(patch: { spanish: true }) { spanish } }"
    await ward.deployment.data(spanish, ward.owner.token)
    await ward.deployment.data(ask, e=ward.owner.email)
    await until(lambda: len(ward.mail.mails) == 2, "the owner's mail")
    assert ward.mail.mails[1].subject == "Elija una nueva contraseña"
