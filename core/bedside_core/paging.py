"""Pages of a list: `first` capped, cursors that stay right while rows come and go (G2)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

from bedside_core import errors

LARGEST_PAGE = 100
"""Most items of one page, whatever was asked for (G2)."""
USUAL_PAGE = 20
"""Items of a page where `first` was not given."""

T = TypeVar("T")

_LONGEST = 2000
"""Characters of a cursor that are looked at; ours are far shorter."""
_parts: msgspec.json.Decoder[list[str | int]] = msgspec.json.Decoder(list[str | int])


@dataclass(frozen=True, kw_only=True)
class Page(Generic[T]):
    """One page of a list, in order.

    Args:
        items: what is on it, at most `LARGEST_PAGE`.
        cursors: one opaque cursor for each item.
        more: whether there are items beyond the page, in the direction of paging.
        before: whether the page began after a cursor, so that there may be items before it.
    """

    items: Sequence[T]
    cursors: Sequence[str]
    more: bool
    before: bool


def page_size(first: int | None, argument: str = "first") -> int:
    """Return the size of a page, between 1 and `LARGEST_PAGE`.

    Args:
        first: what was asked for; None is the usual size.
        argument: the argument it came in, for the refusal.

    Raises:
        errors.InvalidInput: less than one.
    """
    if first is None:
        return USUAL_PAGE
    if first < 1:
        raise errors.InvalidInput(f"`{argument}` is at least 1.", field=(argument,))
    return min(first, LARGEST_PAGE)


def cursor_of(*key: str | int) -> str:
    """Return the opaque cursor of a sort key."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def key_of(cursor: str | None, *kinds: type, argument: str = "after") -> tuple[Any, ...] | None:
    """Return the sort key in a cursor, or None where none was given.

    Args:
        cursor: what `cursor_of` made, out of a client's hands.
        kinds: the type of each part: `str`, `int` (0 to 2**63 - 1), `UUID` or `datetime` (in UTC).
        argument: the argument it came in, for the refusal.

    Raises:
        errors.InvalidInput: it is none of ours, or not of this list.
    """
    if cursor is None:
        return None
    try:
        parts = _parts.decode(base64.urlsafe_b64decode(cursor[:_LONGEST] + "=" * (-len(cursor[:_LONGEST]) % 4)))
        if len(parts) == len(kinds):
            return tuple(_part(part, kind) for part, kind in zip(parts, kinds, strict=True))
    except (binascii.Error, ValueError, OverflowError, RecursionError, msgspec.DecodeError):
        pass
    raise errors.InvalidInput("This is not a cursor of this list.", field=(argument,))


def _part(part: str | int, kind: type) -> str | int | UUID | datetime:
    """Return a part of a sort key if it can be one.

    Raises:
        ValueError, OverflowError: it can't.
    """
    if kind is int and isinstance(part, int) and 0 <= part < 2**63:
        return part
    if isinstance(part, str) and "\0" not in part:
        if kind is str:
            return part
        if kind is UUID and len(part) == 36:
            return UUID(part)
        if kind is datetime and (instant := datetime.fromisoformat(part)).tzinfo is not None:
            return instant.astimezone(UTC)
    raise ValueError


def page_of(
    rows: Sequence[T],
    size: int,
    key: Callable[[T], tuple[str | int, ...]],
    *,
    after: str | None,
    more: bool | None = None,
) -> Page[T]:
    """Return a page out of up to `size + 1` rows; the one too many only tells that there are more.

    Args:
        rows: what was found.
        size: most items of the page.
        key: the sort key of an item.
        after: the cursor after which the page began.
        more: whether there are more, where the one too many was left out, since nobody is to see it.
    """
    items = rows[:size]
    return Page(
        items=items,
        cursors=[cursor_of(*key(item)) for item in items],
        more=len(rows) > size if more is None else more,
        before=after is not None,
    )
