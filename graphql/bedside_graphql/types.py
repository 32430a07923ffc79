"""Scalars (G10) and Relay connections (G2) that all plugins share."""

import re
import uuid
import zoneinfo
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated, Any, Generic, NewType, TypeVar

import phonenumbers
import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from bedside_core import errors
from bedside_core.paging import LARGEST_PAGE, USUAL_PAGE, Page

Phone = NewType("Phone", str)
"""A telephone number, E.164."""
Zone = NewType("Zone", str)
"""An IANA time zone."""

_YEARS = range(1800, 9000)
"""What can be meant. The ends of what a datetime holds stand for infinity in PostgreSQL, and break sums with spans."""

_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def _instant(value: Any) -> datetime:
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        try:
            instant = datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        else:
            if instant.year in _YEARS:
                return instant
    raise GraphQLError("This is not an RFC 3339 instant with an offset, e.g. 2026-01-31T09:30:00Z.")


def _instant_text(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")


def _date(value: Any) -> date:
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        try:
            day = date.fromisoformat(value)
        except ValueError:
            pass
        else:
            if day.year in _YEARS:
                return day
    raise GraphQLError("This is not a date, e.g. 2026-01-31.")


def _phone(value: Any) -> str:
    if isinstance(value, str) and re.fullmatch(r"\+[1-9]\d{6,14}", value):
        try:
            if phonenumbers.is_possible_number(phonenumbers.parse(value)):
                return value
        except phonenumbers.NumberParseException:
            pass
    raise GraphQLError("This is not a phone number in E.164 form, e.g. +12025550143.")


def _zone(value: Any) -> str:
    if isinstance(value, str) and value in zoneinfo.available_timezones():
        return value
    raise GraphQLError("This is not an IANA time zone, e.g. America/New_York.")


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="An instant with its offset, RFC 3339, e.g. 2026-01-31T09:30:00Z.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=_instant_text,
        parse_value=_instant,
    ),
    date: strawberry.scalar(
        name="Date",
        description="A day of the calendar, RFC 3339 full-date, e.g. 2026-01-31.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=date.isoformat,
        parse_value=_date,
    ),
    Phone: strawberry.scalar(
        name="Phone",
        description="A telephone number in E.164 form, e.g. +12025550143.",
        specified_by_url="https://www.itu.int/rec/T-REC-E.164",
        serialize=str,
        parse_value=_phone,
    ),
    Zone: strawberry.scalar(
        name="Zone",
        description="An IANA time zone, e.g. America/New_York.",
        specified_by_url="https://www.iana.org/time-zones",
        serialize=str,
        parse_value=_zone,
    ),
}

T = TypeVar("T")
R = TypeVar("R")

First = Annotated[
    int | None,
    strawberry.argument(description=f"How many to return: {USUAL_PAGE} if not given, at most {LARGEST_PAGE}."),
]
After = Annotated[str | None, strawberry.argument(description="Cursor after which the page begins.")]
ClientId = Annotated[
    str,
    strawberry.argument(description="An id of the client's own making: a retry with it returns the first result (G9)."),
]


@strawberry.type(description="Where a page stands in its list (Relay).")
class PageInfo:
    """Where a page stands in its list."""

    has_next_page: bool = strawberry.field(description="Whether there is more after this page.")
    has_previous_page: bool = strawberry.field(description="Whether the page began after a cursor.")
    start_cursor: str | None = strawberry.field(description="Cursor of the first item.")
    end_cursor: str | None = strawberry.field(description="Cursor of the last item; give it as `after`.")


@strawberry.type(description="An item of a list with its cursor (Relay).")
class Edge(Generic[T]):
    """An item of a list with its cursor."""

    node: T = strawberry.field(description="The item.")
    cursor: str = strawberry.field(description="Where the item stands, opaque.")


@strawberry.type(description="One page of a list (Relay).")
class Connection(Generic[T]):
    """One page of a list."""

    edges: list[Edge[T]] = strawberry.field(description="The items with their cursors.")
    nodes: list[T] = strawberry.field(description="The items alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


def connection(page: Page[R], convert: Callable[[R], T]) -> Connection[T]:
    """Return a page as a connection.

    Args:
        page: what a service returned.
        convert: makes the GraphQL type out of an item.
    """
    nodes = [convert(item) for item in page.items]
    return Connection(
        edges=[Edge(node=node, cursor=cursor) for node, cursor in zip(nodes, page.cursors, strict=True)],
        nodes=nodes,
        page_info=PageInfo(
            has_next_page=page.more,
            has_previous_page=page.before,
            start_cursor=page.cursors[0] if page.cursors else None,
            end_cursor=page.cursors[-1] if page.cursors else None,
        ),
    )


def uuid_of(id: strawberry.ID | str) -> uuid.UUID:
    """Return the key in an id out of a client's hands.

    Raises:
        errors.NotFound: it is none of ours, which is told like an id that does not exist (promise A1).
    """
    try:
        return uuid.UUID(str(id))
    except ValueError:
        raise errors.NotFound("There is nothing with this id that you may see.") from None


def client_id_of(value: str) -> str:
    """Return a client id of usable length.

    Raises:
        errors.InvalidInput: empty or longer than 100 characters.
    """
    if not 1 <= len(value) <= 100 or "\0" in value:
        raise errors.InvalidInput("A clientId has 1 to 100 characters, none of them NUL.", field=("clientId",))
    return value
