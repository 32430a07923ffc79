"""Connected practices: asked for by one, accepted by the other, ended by either (P2)."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from bedside_core import audit, errors
from bedside_core.auth import Actor
from bedside_core.database import DB, Row, Work, unit
from bedside_core.events import Event
from bedside_core.paging import Page, key_of, page_of, page_size
from bedside_core.people.base import Base, raise_positions
from bedside_core.people.model import (
    ConnectionEnded,
    ConnectionRequested,
    ConnectionState,
    Link,
    PracticesConnected,
)

_MISSING = "There is no connection with this id that you may see, or it is not in a state for this."


class Connections(Base):
    """Finds and changes the connections of the acting practice, through functions that know no other practice's."""

    async def connections(self, actor: Actor, *, first: int | None, after: str | None) -> Page[Link]:
        """Return the practice's connections that are asked for or accepted, by the other practice's name."""
        actor.in_practice()
        size, key = page_size(first), key_of(after, str, UUID)
        rows = await DB.fetch("SELECT * FROM connection_page(NULL, $1, $2, $3)", size + 1, *(key or (None, None)))
        found = [_link(row) for row in rows]
        return page_of(found, size, lambda item: (item.practice_name, str(item.id)), after=after)

    async def request_connection(self, actor: Actor, practice: str, client_id: str) -> Link:
        """Ask another practice to be connected.

        Args:
            actor: a leader of the practice that asks.
            practice: the other's handle or id, exactly; practices are not browsed.
            client_id: the client's own id of it (G9).

        Returns:
            The connection; the one there is where it was asked for, or accepted, before.

        Raises:
            errors.NotFound: there is no such practice, or it is one's own, or the sandbox.
            errors.Conflict: the client id was used for another practice.
            errors.Forbidden: one's own is the sandbox, of which nothing is told to real people (G8).
        """
        practice_id, _ = actor.in_practice()
        if await DB.fetchval("SELECT practice_sandbox($1)", practice_id):
            raise errors.Forbidden("The sandbox is connected to no practice.", way_on="Try connections in the demo.")
        wanted = practice.strip().lower()[:100]

        async def make(new_id: UUID, work: Work) -> UUID:
            now = self._clock.now()
            row = await DB.fetchrow("SELECT * FROM connection_request($1, $2, $3)", new_id, wanted, now)
            if row is None:
                raise errors.NotFound(
                    "There is no other practice with this handle or id.",
                    way_on="Ask the practice for its handle.",
                    field=("practice",),
                )
            if row["fresh"]:
                work.emit(
                    ConnectionRequested(practice_id=row["asked"], connection_id=new_id, other_practice_id=row["asker"])
                )
                await raise_positions(work, row["asked"], row["asker"])
                audit.did("connections.request", kind="connection", target=new_id)
            return row["id"]

        return await self._link(await self.once(actor, "connection", client_id, [wanted], make))

    async def accept_connection(self, actor: Actor, connection_id: UUID) -> Link:
        """Accept what another practice has asked: the members of both find each other from now on.

        Raises:
            errors.NotFound: nobody has asked so.
        """
        return await self._change(actor, connection_id, ConnectionState.ACCEPTED, PracticesConnected)

    async def decline_connection(self, actor: Actor, connection_id: UUID) -> Link:
        """Decline what another practice has asked; it may ask again.

        Raises:
            errors.NotFound: nobody has asked so.
        """
        return await self._change(actor, connection_id, ConnectionState.DECLINED, None)

    async def end_connection(self, actor: Actor, connection_id: UUID) -> Link:
        """End a connection, or take back what one has asked: neither finds the other any longer.

        Raises:
            errors.NotFound: there is no such connection of the practice.
        """
        return await self._change(actor, connection_id, ConnectionState.ENDED, ConnectionEnded)

    async def _change(
        self,
        actor: Actor,
        connection_id: UUID,
        state: ConnectionState,
        told: Callable[..., Event] | None,
    ) -> Link:
        actor.in_practice()
        async with unit() as work:
            row = await DB.fetchrow(
                "SELECT * FROM connection_change($1, $2, $3)", connection_id, state, self._clock.now()
            )
            if row is not None:
                pair = row["asker"], row["asked"]
                for practice_id, other in (pair, pair[::-1]):
                    if told is not None:
                        work.emit(told(practice_id=practice_id, connection_id=connection_id, other_practice_id=other))
                await raise_positions(work, *pair)
                audit.did(f"connections.{state.value}", kind="connection", target=connection_id)
        link = await self._link(connection_id)
        if row is None and link.state is not state:  # else it was repeated, which changes nothing
            raise errors.NotFound(_MISSING)
        return link

    async def _link(self, connection_id: UUID) -> Link:
        """Return one connection of the acting practice, whatever its state.

        Raises:
            errors.NotFound: none of its.
        """
        row = await DB.fetchrow("SELECT * FROM connection_page($1, 1, NULL, NULL)", connection_id)
        if row is None:
            raise errors.NotFound(_MISSING)
        return _link(row)


def _link(row: Row) -> Link:
    return Link(
        id=row["id"],
        practice_id=row["practice_id"],
        practice_name=row["practice_name"],
        state=ConnectionState(row["state"]),
        incoming=row["incoming"],
        created_at=row["created_at"],
        changed_at=row["changed_at"],
    )
