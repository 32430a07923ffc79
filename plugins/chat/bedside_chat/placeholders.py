"""Placeholders in quick texts: which there are, what is wrong with a text, and the text with values in their place."""

from __future__ import annotations

import re
from collections.abc import Mapping

PLACEHOLDERS = (
    "patient.firstName",
    "patient.lastName",
    "patient.name",
    "member.firstName",
    "member.lastName",
    "member.name",
    "practice.name",
    "date",
)
"""All that can stand in a quick text. `patient` is whom the conversation is with, a patient or a contact; `member` is
who uses the text; `date` is today's in the practice's zone."""

_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_MARK = re.compile(r"[\\`*_~\[\]<>&#]")
_BEGINNING = re.compile(r"^(?=[-+=])|^\d{1,9}(?=[.)](?: |$))")
"""What makes a list or a heading, where a value begins a line."""


def names_in(body: str) -> list[str]:
    """Return the names of the placeholders in a text, in their order."""
    return _PLACEHOLDER.findall(body)


def fault_of(body: str) -> str | None:
    """Return what is wrong with a text's placeholders, in words for whoever wrote it; None where nothing is."""
    for name in names_in(body):
        if name not in PLACEHOLDERS:
            return f"There is no placeholder {name[:40]!r}, only {', '.join(PLACEHOLDERS)}."
    if re.search(r"\{\{|\}\}", _PLACEHOLDER.sub("", body)):
        return "A placeholder is written like this: {{patient.firstName}}."
    return None


def filled(body: str, values: Mapping[str, str]) -> str:
    """Return a text with values in the place of its placeholders; a value is never taken for one, nor for Markdown.

    Args:
        body: a text without faults.
        values: name -> value, of every placeholder in it.
    """
    return _PLACEHOLDER.sub(lambda match: _plain(values[match[1]]), body)


def _plain(value: str) -> str:
    """Return a value so that Markdown shows it as it is: no link, no list, no heading comes of somebody's name."""
    escaped = _MARK.sub(r"\\\g<0>", " ".join(value.split()))
    return _BEGINNING.sub(r"\g<0>\\", escaped)
