"""Registers applications for a practice or the whole deployment, lists them, and takes them away (G1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core import audit, errors
from bedside_core.applications import model
from bedside_core.applications.model import Application
from bedside_core.auth import SESSION_STREAM, Actor, Role, is_for_people
from bedside_core.clock import Clock
from bedside_core.database import DB, Row, Work, acting, unit
from bedside_core.ids import uuid7
from bedside_core.live import Topic
from bedside_core.paging import Page, key_of, page_of, page_size

if TYPE_CHECKING:
    from bedside_core.access import Access


@dataclass(frozen=True, kw_only=True)
class NewApplication:
    """What an application is registered with.

    Args:
        name: what people are asked about.
        redirect_uris: where codes may be sent.
        origins: the browser origins it runs on; none for native ones.
        scopes: the permissions it may ask for.
    """

    name: str
    redirect_uris: Sequence[str]
    origins: Sequence[str]
    scopes: Sequence[str]


class Registry:
    """The applications there are. Rights are the caller's to have asked (`applications.*`).

    Args:
        clock: the product's time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def register(self, access: Access, actor: Actor, new: NewApplication, client_id: str) -> Application:
        """Register one: an owner's is for the people of the practice, the operator's for everybody.

        Args:
            access: knows the permissions there are.
            actor: who registers it.
            new: what it is registered with.
            client_id: a repeated one gives the first (G9).

        Raises:
            errors.InvalidInput: something of it can't be had; `field` tells what.
            errors.Conflict: the client id was used with other content.
        """
        name = model.checked_name(new.name)
        uris, origins = model.checked_redirects(new.redirect_uris), model.checked_origins(new.origins)
        able = [
            key
            for key, permission in access.permissions.items()
            if not is_for_people(key) and permission.roles - {Role.OPERATOR}
        ]
        scopes = model.checked_scopes(new.scopes, able)
        made_id = uuid7()
        with acting(actor.practice_id or audit.DEPLOYMENT):
            async with unit():
                made = await DB.fetchval(
                    "SELECT application_make($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                    made_id, actor.practice_id, actor.account_id, client_id, name, uris, origins, scopes,
                    self._clock.now(),
                )  # fmt: skip
                if made:
                    audit.did("applications.register", kind="application", target=made_id, detail={"scopes": scopes})
        row = await DB.fetchrow("SELECT * FROM application_by_client($1, $2)", actor.account_id, client_id)
        if row is None:
            raise errors.Unavailable("The application could not be read back.")
        there = _application(row)
        asked = (actor.practice_id, name, uris, origins, scopes)
        if (there.practice_id, there.name, [*there.redirect_uris], [*there.origins], [*there.scopes]) != asked:
            raise errors.Conflict("This clientId was used for another application.", field=("clientId",))
        return there

    async def page(self, actor: Actor, *, first: int | None, after: str | None) -> Page[Application]:
        """Return the practice's, of the operator the deployment's; the newest first, those taken away too."""
        size, key = page_size(first), key_of(after, UUID)
        rows = await DB.fetch(
            "SELECT * FROM application_page($1, $2, $3)", actor.practice_id, size + 1, *(key or (None,))
        )
        return page_of([_application(row) for row in rows], size, lambda item: (str(item.id),), after=after)

    async def remove(self, actor: Actor, application_id: UUID) -> None:
        """Take one away, the operator any: its codes and tokens count no more, its sockets are closed within a second.

        Raises:
            errors.NotFound: the practice has no such application.
        """
        row = await DB.fetchrow("SELECT * FROM application_by_id($1)", application_id)
        if row is None or (actor.role is not Role.OPERATOR and row["practice_id"] != actor.practice_id):
            raise errors.NotFound("There is no application with this id that you may see.")
        with acting(row["practice_id"] or audit.DEPLOYMENT):
            async with unit() as work:
                await DB.execute("SELECT application_remove($1, $2)", application_id, self._clock.now())
                await self.end(work, application_id)
                audit.did("applications.remove", kind="application", target=application_id)

    async def end(self, work: Work, application_id: UUID, session_id: UUID | None = None) -> int:
        """End what was opened in an application, all or one session, within a unit; returns how many were open."""
        rows = await DB.fetch(
            "SELECT * FROM application_end_sessions($1, $2, $3)", application_id, session_id, self._clock.now()
        )
        for row in rows:
            work.publish(Topic(SESSION_STREAM, row["id"]), row["position"])
        return len(rows)

    async def find(self, client_id: str) -> Application | None:
        """Return the application with this `client_id`; None where there is none, or no more."""
        try:
            wanted = UUID(client_id)
        except ValueError:
            return None
        row = await DB.fetchrow("SELECT * FROM application_by_id($1)", wanted)
        return _application(row) if row is not None and row["removed_at"] is None else None


async def registered_origin(origin: str) -> bool:
    """Tell whether an application that is there runs on this origin."""
    return bool(await DB.fetchval("SELECT application_origin($1)", origin[:300]))


def _application(row: Row) -> Application:
    return Application(**{name: row[name] for name in Application.__dataclass_fields__})
