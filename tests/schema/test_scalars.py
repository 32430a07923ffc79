"""What each scalar takes from a client, and what it refuses."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from graphql import GraphQLError

from bedside_graphql.types import SCALARS, Phone, Zone

pytestmark = pytest.mark.rule("G10")

DEFINITIONS: Any = SCALARS
EAST = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("kind", "given", "meant"),
    [
        (datetime, "2026-01-31T09:30:00Z", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        (datetime, "2026-01-31t09:30:00.25+02:00", datetime(2026, 1, 31, 9, 30, 0, 250_000, tzinfo=EAST)),
        (date, "2028-02-29", date(2028, 2, 29)),
        (Phone, "+12025550143", "+12025550143"),
        (Zone, "America/New_York", "America/New_York"),
    ],
)
def test_what_is_right_is_taken(kind: Any, given: str, meant: object) -> None:
    assert DEFINITIONS[kind].parse_value(given) == meant


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        *(
            (datetime, text)
            for text in ("2026-01-31", "2026-01-31T09:30:00", "2026-02-30T09:30:00Z", "now", "", 5, None)
        ),
        *(
            (date, text)
            for text in ("2026-02-29", "31.01.2026", "2026-1-1", "0001-01-01", "9999-12-31", 20260131, None)
        ),
        *((Phone, text) for text in ("2025550143", "+1 202 555 0143", "+0123456789", "+1", "phone", 12025550143, None)),
        *((Zone, text) for text in ("Mars/Olympus", "EST5EDT4", "america/new_york", "../etc/passwd", "", 1, None)),
    ],
)
def test_what_is_wrong_is_refused(kind: Any, given: object) -> None:
    with pytest.raises(GraphQLError, match="This is not"):
        DEFINITIONS[kind].parse_value(given)


def test_an_instant_is_told_with_its_offset() -> None:
    told = DEFINITIONS[datetime].serialize
    assert told(datetime(2026, 1, 31, 9, 30, tzinfo=UTC)) == "2026-01-31T09:30:00Z"
    assert told(datetime(2026, 1, 31, 9, 30, tzinfo=EAST)) == "2026-01-31T09:30:00+02:00"
