"""Pages of a list: `first` capped, cursors that stay right while rows come and go (G2)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from bedside_core import errors

LARGEST_PAGE = 100
"""Most items of one page, whatever was asked for (G2)."""
USUAL_PAGE = 20
"""Items of a page where `first` was not given."""

T = TypeVar("T")


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


def page_size(first: int | None) -> int:
    """Return the size of a page, between 1 and `LARGEST_PAGE`.

    Raises:
        errors.InvalidInput: less than one.
    """
    if first is None:
        return USUAL_PAGE
    if first < 1:
        raise errors.InvalidInput("`first` is at least 1.", field=("first",))
    return min(first, LARGEST_PAGE)


def cursor_of(*key: str | int) -> str:
    """Return the opaque cursor of a sort key."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def key_of(cursor: str | None, *types: type) -> tuple[str | int, ...] | None:
    """Return the sort key in a cursor, or None where none was given.

    Args:
        cursor: what `cursor_of` made, out of a client's hands.
        types: the type of each part, `str` or `int`.

    Raises:
        errors.InvalidInput: it is none of ours.
    """
    if cursor is None:
        return None
    try:
        key: object = msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if isinstance(key, list) and [type(part) for part in key] == list(types):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            return tuple(key)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    except (binascii.Error, ValueError, msgspec.DecodeError):
        pass
    raise errors.InvalidInput("This is not a cursor of this list.", field=("after",))


def page_of(rows: Sequence[T], size: int, key: Callable[[T], tuple[str | int, ...]], *, after: str | None) -> Page[T]:
    """Return a page out of up to `size + 1` rows; the one too many only tells that there are more."""
    items = rows[:size]
    return Page(
        items=items, cursors=[cursor_of(*key(item)) for item in items], more=len(rows) > size, before=after is not None
    )
