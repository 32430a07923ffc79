"""Makes texts out of templates: sandboxed, with nothing in them but the facts a kind has declared (N4, N8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import StrictUndefined, Template, TemplateError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bedside_core.notify.kinds import Channel, Fact, Language, NotificationKind, Part

LONGEST_TEMPLATE = 5000
"""Characters of one template."""
MOST_PIECES = 500
DEEPEST = 20
"""Pieces of one template, and how deep they may be nested: what takes the compiler long is refused before."""
_LONGEST_SMS = 480
"""Characters of an SMS, three of them joined; the rest is cut off."""

_TEXT = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
_HTML = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=True)

_FRAME = """<!doctype html>
<html lang="{{ language }}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{ subject }}</title></head>
<body style="margin:0;padding:24px;background:#f4f6f8;font-family:system-ui,sans-serif;color:#1d2733">
<div style="max-width:34rem;margin:0 auto;padding:24px;background:#fff;border-radius:8px">
<h1 style="margin:0 0 16px;font-size:20px">{{ subject }}</h1>
{% for paragraph in paragraphs %}<p style="margin:0 0 16px;line-height:1.5">{{ paragraph }}</p>
{% endfor %}{% if link %}<p style="margin:24px 0"><a href="{{ link }}" \
style="padding:12px 20px;background:#14558f;color:#fff;border-radius:6px;text-decoration:none">{{ button }}</a></p>
<p style="margin:0;font-size:13px;color:#52606d;word-break:break-all">{{ link }}</p>
{% endif %}</div></body></html>
"""
_BUTTON = {Language.ENGLISH: "Open", Language.SPANISH: "Abrir"}
_MONTHS = {
    Language.ENGLISH: (
        "January", "February", "March", "April", "May", "June",
        "July", "August", "September", "October", "November", "December",
    ),
    Language.SPANISH: (
        "enero", "febrero", "marzo", "abril", "mayo", "junio",
        "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre",
    ),
}  # fmt: skip


_ALLOWED = frozenset(
    {
        nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.If, nodes.CondExpr,
        nodes.Compare, nodes.Operand, nodes.Not, nodes.And, nodes.Or,
    }
)  # fmt: skip
"""All that a practice's template may be made of: neither calls nor arithmetic, with which memory could be filled."""


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """A text with its facts in it.

    Args:
        subject: title, one line.
        text: what is said on this channel.
        html: the same as HTML, of a mail.
        link: where it leads to.
    """

    subject: str
    text: str
    html: str | None = None
    link: str | None = None


@lru_cache(maxsize=1000)
def _compiled(source: str, html: bool) -> Template:
    return (_HTML if html else _TEXT).from_string(source)


def faults_of(kind: NotificationKind, part: Part, source: str) -> list[str]:
    """Return what is wrong with a template, in words for whoever wrote it.

    Nothing but text, conditions and the kind's placeholders can be in it: no calls, attributes, loops or macros.
    """
    if not source.strip():
        return ["The text is empty."]
    if len(source) > LONGEST_TEMPLATE:
        return [f"The text is longer than {LONGEST_TEMPLATE} characters."]
    try:
        tree = _TEXT.parse(source)
        if fault := _tree_fault(tree):
            return [fault]
        _compiled(source, part is Part.HTML)  # not before: Jinja works out what is constant, such as 'a' * 1000000000
    except TemplateError as error:
        return [f"The template can't be read: {error.message}"]
    except (SyntaxError, ValueError, RecursionError) as error:  # of brackets or digits beyond number
        return [f"The template can't be read: {type(error).__name__}"]
    if unknown := sorted(meta.find_undeclared_variables(tree) - kind.placeholders):
        names = ", ".join(sorted(kind.placeholders))
        return [f"There is no placeholder {unknown[0]!r} in this notification, only {names}."]
    try:
        rendered(kind, Channel.EMAIL, {part: source}, sample(kind), language=Language.ENGLISH, only=part)
    except Exception as error:  # whatever a template does, such as arithmetic with names
        return [f"The template does not work: {type(error).__name__}."]
    return []


def _tree_fault(tree: nodes.Template) -> str | None:
    """Return what is wrong with what a template is made of."""
    found: list[tuple[nodes.Node, int]] = [(node, 1) for node in tree.iter_child_nodes()]
    for count, (node, depth) in enumerate(found, 1):  # grows meanwhile
        if type(node) not in _ALLOWED:
            return "A template has text, conditions and placeholders alone."
        if count > MOST_PIECES or depth > DEEPEST:
            return f"A template has {MOST_PIECES} pieces at most, one in the other up to {DEEPEST} times."
        found.extend((child, depth + 1) for child in node.iter_child_nodes())
    return None


def sample(kind: NotificationKind) -> dict[str, Any]:
    """Return made-up facts for a preview (N8)."""
    every: dict[str, Any] = {
        Fact.SENDER: "Ada Moss",
        Fact.TIME: datetime.fromisoformat("2026-03-14T15:30:00+00:00"),
        Fact.LINK: "https://clinic.example/sample",
    }
    given = {fact.value: every[fact] for fact in kind.facts if fact in every}
    return {**given, Fact.PRACTICE.value: "Bay View", "zone": "America/New_York"}


def rendered(
    kind: NotificationKind,
    channel: Channel,
    overrides: Mapping[Part, str],
    facts: Mapping[str, Any],
    *,
    language: Language,
    only: Part | None = None,
) -> Rendered:
    """Return what a notification says on a channel.

    Args:
        kind: its kind.
        channel: on which it goes.
        overrides: the practice's own templates.
        facts: value of each placeholder; `zone` is that of the times, an IANA name.
        language: the recipient's.
        only: one part to try, alone.
    """
    templates = {**kind.texts[language], **overrides}
    values = {name: facts[name] for name in kind.placeholders if name in facts}
    if isinstance(time := values.get(Fact.TIME), datetime):
        values[Fact.TIME.value] = _in_words(time, facts.get("zone", "UTC"), language)

    def part(name: Part) -> str:
        return _compiled(templates[name], name is Part.HTML).render(values)

    if only is not None:
        return Rendered(subject="", text=part(only))
    subject = _line(part(Part.SUBJECT)) if Part.SUBJECT in templates else ""
    link: str | None = values.get(Fact.LINK.value)
    match channel:
        case Channel.EMAIL:
            body = part(Part.BODY).strip()
            frame = {"language": language, "subject": subject, "link": link, "button": _BUTTON[language]}
            html = part(Part.HTML) if Part.HTML in templates else None
            html = html or _compiled(_FRAME, True).render(**frame, paragraphs=_paragraphs(body))
            text = f"{body}\n\n{link}\n" if link and link not in body else f"{body}\n"
            return Rendered(subject=subject, text=text, html=html, link=link)
        case Channel.SMS:
            return Rendered(subject=subject, text=_line(part(Part.SMS))[:_LONGEST_SMS], link=link)
        case Channel.VOICE:
            return Rendered(subject=subject, text=_line(part(Part.VOICE)))
        case Channel.PUSH:
            return Rendered(subject=subject, text=_line(part(Part.PUSH)), link=link)
        case Channel.IN_APP:
            return Rendered(subject=subject, text=_line(part(Part.IN_APP)), link=link)


def _line(text: str) -> str:
    return " ".join(text.split())


def _paragraphs(body: str) -> Sequence[str]:
    return [_line(paragraph) for paragraph in body.split("\n\n") if paragraph.strip()]


def _in_words(time: datetime, zone: str, language: Language) -> str:
    local = time.astimezone(ZoneInfo(zone))
    month = _MONTHS[language][local.month - 1]
    if language is Language.SPANISH:
        return f"{local.day} de {month} de {local.year}, {local:%H:%M} ({local:%Z})"
    hour = local.hour % 12 or 12
    return f"{month} {local.day}, {local.year}, {hour}:{local:%M} {'AM' if local.hour < 12 else 'PM'} ({local:%Z})"
