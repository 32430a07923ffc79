"""The schema grows by addition: what rule G7 forbids between two versions, and what the changelog is told."""

from __future__ import annotations

from datetime import date

import pytest
from graphql import build_schema

from bedside_graphql import evolution

TODAY = date(2026, 8, 31)

OLD = """
type Query {
  a(x: Int, y: Int @deprecated(reason: "No use. Removed after 2026-08-30")): String
  gone: Thing @deprecated(reason: "Use a. Removed after 2026-08-30")
  staying: Int @deprecated(reason: "Use a. Removed after 2026-08-31")
  vague: Int @deprecated(reason: "Use a.")
  plain: Other
  filtered(by: Filter): Colour
}
type Thing { part: Part }
type Part { id: ID }
type Other { id: ID }
input Filter { wide: Int  old: Int @deprecated(reason: "Removed after 2026-01-01.") }
enum Colour { RED  GREY @deprecated(reason: "Removed after 2026-01-01") }
"""


def faults(before: str, after: str, *, today: date = TODAY) -> list[str]:
    return evolution.faults(build_schema(before), build_schema(after), today)


def without(*parts: str) -> str:
    text = OLD
    for part in parts:
        assert part in text
        text = text.replace(part, "")
    return text


ANNOUNCED = (
    ', y: Int @deprecated(reason: "No use. Removed after 2026-08-30")',
    'gone: Thing @deprecated(reason: "Use a. Removed after 2026-08-30")',
    "type Thing { part: Part }",
    "type Part { id: ID }",
    'old: Int @deprecated(reason: "Removed after 2026-01-01.")',
    'GREY @deprecated(reason: "Removed after 2026-01-01")',
)


@pytest.mark.rule("G7")
def test_what_was_announced_may_go_once_its_day_has_passed() -> None:
    kept = 'vague: Int @deprecated(reason: "Use a.")'
    assert faults(without(kept), without(kept, *ANNOUNCED)) == []


@pytest.mark.rule("G7")
@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("x: Int, ", "Argument Query.a(x:) was removed."),
        ('staying: Int @deprecated(reason: "Use a. Removed after 2026-08-31")', "Field Query.staying was removed."),
        ('vague: Int @deprecated(reason: "Use a.")', "Field Query.vague was removed."),
        ("plain: Other", "Field Query.plain was removed."),
        ("wide: Int", "Field Filter.wide was removed."),
        ("RED", "Enum value Colour.RED was removed."),
    ],
)
def test_nothing_else_may_go(part: str, told: str) -> None:
    assert told in faults(OLD, without(part))


@pytest.mark.rule("G7")
def test_a_type_may_not_go_while_something_that_stays_led_to_it() -> None:
    after = without("plain: Other", "type Other { id: ID }")
    assert "Other was removed." in faults(OLD, after)
    assert "Thing was removed." in faults(OLD, without(*ANNOUNCED), today=date(2026, 8, 30))


@pytest.mark.rule("G7")
def test_a_field_may_not_change_its_type() -> None:
    assert faults("type Query { a: Int }", "type Query { a: String }") == [
        "Field Query.a changed type from Int to String."
    ]


@pytest.mark.rule("G7")
@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("Use b. Removed after 2027-02-28", None),
        ("Use b. Removed after 2027-02-27", "may be removed after 2027-02-27; that has to be 2027-02-28 or later."),
        ("Use b.", "is deprecated, but its reason does not end with `Removed after YYYY-MM-DD`."),
        ("Removed after 2027-13-45", "is deprecated, but its reason does not end with `Removed after YYYY-MM-DD`."),
    ],
)
def test_what_is_deprecated_stays_for_six_months_at_least(reason: str, told: str | None) -> None:
    after = f'type Query {{ a: Int @deprecated(reason: "{reason}") b: Int }}'
    assert faults("type Query { a: Int }", after) == ([f"Query.a {told}"] if told else [])


@pytest.mark.rule("G7")
def test_a_removal_may_be_put_off_and_not_brought_forward() -> None:
    def dated(day: str) -> str:
        return f'type Query {{ a: Int @deprecated(reason: "Removed after {day}") }}'

    assert faults(dated("2026-10-01"), dated("2026-10-01")) == []
    assert faults(dated("2026-10-01"), dated("2026-11-01")) == []
    assert len(faults(dated("2026-11-01"), dated("2026-10-01"))) == 1


def test_the_changelog_is_told_of_every_change_the_breaking_ones_first() -> None:
    before = 'type Query { "One." a: Int  b: Int  c: Int } enum E { X }'
    after = (
        'type Query { "Two." a: Int  b: Int @deprecated(reason: "Removed after 2027-05-01")  d: Int } enum E { X Y }'
    )
    assert evolution.changes(build_schema(before), build_schema(after)) == [
        "breaking: Field Query.c was removed.",
        "dangerous: Enum value E.Y was added.",
        "safe: Field Query.d was added.",
        "described: Description of field Query.a has changed.",
        "deprecated: Query.b: Removed after 2027-05-01",
    ]
