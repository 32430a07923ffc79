"""One entry of the audit trail: its columns, how it is written, and the bytes that its seal is made over."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from bedside_core.database import DB, Row, current_scope
from bedside_core.database.driver import asyncpg
from bedside_core.errors import Unavailable

DEPLOYMENT = UUID(int=0)
"""Whose trail takes what belongs to no practice: the operator's sign-ins, accounts, unknown addresses."""

GENESIS = bytes(32)
"""What the first seal of a practice follows."""

COLUMNS = (
    "id", "practice_id", "at", "account_id", "person_id", "role", "key_id", "operator", "action", "kind", "target",
    "patients", "request_id", "via", "detail",
)  # fmt: skip
"""Every column of the table; a seal is over all of them."""

_INSERT = """
INSERT INTO audit_entry (id, practice_id, at, account_id, person_id, role, key_id, operator, action, kind, target,
    patients, request_id, via, detail)
SELECT id, practice_id, at, account_id, person_id, role, key_id, operator, action, kind, target,
    patients::uuid[], request_id, via, detail::jsonb
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::uuid[], $5::uuid[], $6::text[], $7::uuid[], $8::boolean[],
    $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[])
AS entry (id, practice_id, at, account_id, person_id, role, key_id, operator, action, kind, target,
    patients, request_id, via, detail)
"""
"""Whatever the number of entries it is one statement, in the order of `COLUMNS`."""

Detail = Mapping[str, str | Sequence[str]]
"""Ids and names of fields, never values."""


class Via(StrEnum):
    """By which entrance an operation came."""

    GRAPHQL = "graphql"
    REST = "rest"
    JOB = "job"
    LISTENER = "listener"
    COMMAND = "command"
    SYSTEM = "system"
    """None: the process itself."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What one operation did, or whose data it returned.

    Args:
        id: of the entry; a later one is greater.
        practice_id: whose trail it is in.
        at: when, by the product's clock.
        account_id: who, as an account; None where nobody was signed in.
        person_id: who, as a person of a practice.
        role: in which role.
        key_id: the API key it was done with.
        operator: whether the deployment's operator did it.
        action: what was done, such as `patients.read`.
        kind: the kind of thing it was done to.
        target: the thing's id or name.
        patients: whose data was returned or changed.
        request_id: names the request in answers and logs (G3); empty where there was none.
        via: by which entrance.
        detail: ids and names of fields, never values.
    """

    id: UUID
    practice_id: UUID
    at: datetime
    account_id: UUID | None
    person_id: UUID | None
    role: str | None
    key_id: UUID | None
    operator: bool
    action: str
    kind: str | None
    target: str | None
    patients: Sequence[UUID]
    request_id: str
    via: Via
    detail: Detail


def entry_of(row: Row) -> Entry:
    """Return the entry in a row."""
    stored: dict[str, Any] = {name: row[name] for name in COLUMNS}
    stored["via"] = Via(row["via"])
    return Entry(**stored)


async def write(entries: Sequence[Entry]) -> None:
    """Insert entries, those of the acting practice in one statement, and those of others in a second.

    Raises:
        Unavailable: they can't be written, so that what they tell of must not be.
    """
    acting = current_scope().practice_id
    own = [entry for entry in entries if entry.practice_id == acting]
    others = [entry for entry in entries if entry.practice_id != acting]
    columns = [[_stored(getattr(entry, name)) for entry in own] for name in COLUMNS]
    try:
        if own:
            await DB.execute(_INSERT, *columns)
        if others:
            await DB.execute("SELECT audit_enter($1::text::jsonb)", msgspec.json.encode(others).decode())
    except asyncpg.PostgresError as error:
        raise Unavailable(
            "What was asked for can't be entered in the audit trail, so it was not done.",
            way_on="Try again; if it stays, tell the operator.",
        ) from error


def _stored(value: Any) -> Any:
    """Return a column's value as it goes into an array of PostgreSQL's: arrays and JSON as text."""
    if isinstance(value, Mapping):
        return msgspec.json.encode(value).decode()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"{{{','.join(map(str, value))}}}"  # pyright: ignore[reportUnknownArgumentType] - of ids
    return value


def sealed(number: int, previous: bytes, row: Row) -> bytes:
    """Return the hash of an entry at its place in the chain, 32 bytes.

    Args:
        number: its place, from 1.
        previous: the hash before it.
        row: every column of the entry.
    """
    return hashlib.sha256(previous + number.to_bytes(8, "big") + canonical(row)).digest()


def canonical(row: Row) -> bytes:
    """Return an entry as bytes: JSON with sorted keys, ids in hex with hyphens, instants in UTC to the microsecond."""
    return msgspec.json.encode({name: _plain(row[name]) for name in COLUMNS}, order="deterministic")


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return value
