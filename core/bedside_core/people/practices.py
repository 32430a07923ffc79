"""Practices: the tenants, made by the operator (P1, A15)."""

from __future__ import annotations

import re
import secrets
import unicodedata
import zoneinfo
from collections.abc import Mapping, Sequence
from uuid import UUID

from bedside_core import audit, errors
from bedside_core.auth import Actor, Role
from bedside_core.database import DB, Row, acting, unit
from bedside_core.ids import uuid7
from bedside_core.paging import Page, key_of, page_of, page_size
from bedside_core.people import checks
from bedside_core.people.base import Base
from bedside_core.people.model import Practice

_ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"
"""Of a handle's end: nothing that is read for something else."""
_LENGTH = 8
"""Of a handle's end; 39 bits, so that nobody finds a practice by guessing."""


class Practices(Base):
    """Finds and makes practices."""

    async def practice(self, practice_id: UUID) -> Practice | None:
        """Return a practice by its id."""
        row = await DB.fetchrow("SELECT * FROM practice_by_id($1)", practice_id)
        return _practice(row) if row else None

    async def practices_by_id(self, ids: Sequence[UUID]) -> Mapping[UUID, Practice]:
        """Return what there is of the practices, in one statement."""
        rows = await DB.fetch("SELECT p.* FROM unnest($1::uuid[]) AS wanted, practice_by_id(wanted) AS p", list(ids))
        return {row["id"]: _practice(row) for row in rows}

    async def practices(self, *, first: int | None, after: str | None) -> Page[Practice]:
        """Return the practices of the deployment, by name; for the operator."""
        size, key = page_size(first), key_of(after, str, UUID)
        rows = await DB.fetch("SELECT * FROM practice_page($1, $2, $3)", size + 1, *(key or (None, None)))
        return page_of([_practice(row) for row in rows], size, lambda item: (item.name, str(item.id)), after=after)

    async def practice_ids(self) -> Sequence[UUID]:
        """Return the ids of all practices, for what runs once per practice."""
        return [row["id"] for row in await DB.fetch("SELECT practice_ids() AS id")]

    async def create_practice(
        self, name: str, *, zone: str = "America/New_York", practice_id: UUID | None = None
    ) -> Practice:
        """Make a practice; for the operator's commands and the demo. Its id may be given, to act for it already."""
        return await self._create(name, zone, None, None, practice_id)

    async def create_practice_once(
        self, actor: Actor, name: str, zone: str, client_id: str, *, practice_id: UUID | None = None
    ) -> Practice:
        """Make a practice for the operator; a retry with the same client id returns the first one (G9).

        Its id may be given, to act for it already; that of an older one stays.

        Raises:
            errors.Forbidden: the actor is not the operator.
            errors.InvalidInput: the name or the zone is none.
            errors.Conflict: the client id has made another practice.
        """
        if actor.role is not Role.OPERATOR:
            raise errors.Forbidden("Only the operator of this deployment may.")
        tidy = checks.name(name, ("name",))
        if zone not in zoneinfo.available_timezones():
            raise errors.InvalidInput("This is not an IANA time zone.", field=("zone",))
        made = await self._create(tidy, zone, actor.account_id, client_id, practice_id)
        if (made.name, made.zone) != (tidy, zone):
            raise errors.Conflict("This clientId was used with other content.", field=("clientId",))
        return made

    async def _create(
        self, name: str, zone: str, by: UUID | None, client_id: str | None, practice_id: UUID | None = None
    ) -> Practice:
        new_id = practice_id or uuid7()
        args = (new_id, name, zone, _handle(name), self._clock.now(), by, client_id)
        with acting(new_id):
            async with unit():
                row = await DB.fetchrow("SELECT * FROM practice_create($1, $2, $3, $4, $5, $6, $7)", *args)
                if row is not None and row["id"] == new_id:
                    audit.did("practices.create", kind="practice", target=new_id)
        if row is None:  # the same id came twice at once; by now the first one is there
            row = await DB.fetchrow("SELECT * FROM practice_create($1, $2, $3, $4, $5, $6, $7)", *args)
        assert row is not None
        return _practice(row)


def _practice(row: Row) -> Practice:
    return Practice(id=row["id"], name=row["name"], zone=row["zone"], handle=row["handle"])


def _handle(name: str) -> str:
    """Return a handle that shows the name and can't be guessed from it."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    shown = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40]
    return "-".join(filter(None, (shown, "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH)))))
