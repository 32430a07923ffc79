"""Pages and cursors."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedside_core import errors
from bedside_core.paging import LARGEST_PAGE, USUAL_PAGE, cursor_of, key_of, page_of, page_size


@pytest.mark.rule("G2")
@pytest.mark.parametrize(
    ("first", "size"), [(None, USUAL_PAGE), (1, 1), (100, 100), (101, 100), (2**31 - 1, LARGEST_PAGE)]
)
def test_first_is_clamped_to_a_hundred(first: int | None, size: int) -> None:
    assert page_size(first) == size


@pytest.mark.parametrize("first", [0, -1])
def test_first_below_one_is_refused(first: int) -> None:
    with pytest.raises(errors.InvalidInput):
        page_size(first)


BIGINT = st.integers(0, 2**63 - 1)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), BIGINT)
def test_a_cursor_gives_its_key_back(name: str, number: int) -> None:
    assert key_of(cursor_of(name, number), str, int) == (name, number)


@given(st.text())
def test_a_foreign_cursor_is_refused_and_never_an_exception(text: str) -> None:
    try:
        key = key_of(text, str, int)
    except errors.InvalidInput as refused:
        assert refused.field == ("after",)
    else:
        assert key is not None
        assert len(key) == 2


@pytest.mark.parametrize("key", [(2**63,), (-(2**63) - 1,), (True,), (1.0,), (1, 2), ("a\0",)])
def test_what_no_row_can_have_is_no_cursor(key: tuple[Any, ...]) -> None:
    forged = base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")
    with pytest.raises(errors.InvalidInput):
        key_of(forged, str if isinstance(key[0], str) else int)


@given(st.datetimes(timezones=st.timezones()))
def test_a_cursor_gives_its_instant_back_in_utc_or_is_refused(instant: datetime) -> None:
    try:
        key = key_of(cursor_of(instant.isoformat()), datetime)
    except errors.InvalidInput:  # before the year 1 or after 9999 by UTC
        assert instant.year in {1, 9999}
    else:
        assert key is not None
        [found] = key
        assert (found, found.tzinfo) == (datetime.fromisoformat(instant.isoformat()), UTC)


@pytest.mark.rule("G2")
@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01", "2026-01-01T00:00:00", "noon"]
)
def test_what_is_no_instant_is_no_cursor(text: str) -> None:
    with pytest.raises(errors.InvalidInput):
        key_of(cursor_of(text), datetime)


@given(st.lists(BIGINT, unique=True, max_size=30).map(sorted), st.integers(1, 10))
def test_pages_put_together_are_the_list(numbers: list[int], size: int) -> None:
    seen: list[int] = []
    after: str | None = None
    more = True
    while more:
        key = key_of(after, int)
        rows = [number for number in numbers if key is None or number > key[0]][: size + 1]
        page = page_of(rows, size, lambda number: (number,), after=after)
        seen += page.items
        after, more = page.cursors[-1] if page.cursors else None, page.more
    assert seen == numbers
