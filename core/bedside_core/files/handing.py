"""Hands stored uploads over to a connected practice, which owns what they are attached to and them from then on (L9).

The owning practice's settings and plan decide, and its folder in the store holds the bytes: they are copied there
before anything is written, and the copies are nobody's, for the sweep to take, until the hand-over is committed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core import audit, errors
from bedside_core.auth import Actor
from bedside_core.database import DB, acting, unit
from bedside_core.files.examine import too_large
from bedside_core.files.facts import FileAttached
from bedside_core.files.kinds import kind_of
from bedside_core.files.problems import FileLost, storage_full, type_refused
from bedside_core.files.settings import FileSettings
from bedside_core.files.store import WHOLE, Store, new_key

if TYPE_CHECKING:
    from bedside_core.platform import Platform

REMOVE_JOB = "core.remove_bytes"
GIGABYTE = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Copies:
    """Copies of the bytes of uploads in another practice's folder, which no row knows yet.

    Args:
        practice_id: whose folder.
        most: bytes that the practice's plan holds; None is no limit.
        keys: upload -> its keys -> those of the copies.
    """

    practice_id: UUID
    most: int | None
    keys: Mapping[UUID, Mapping[str, str]]


class Handing:
    """Hands uploads over.

    Args:
        platform: plan, settings and clock.
        store: where the bytes are.
    """

    def __init__(self, platform: Platform, store: Store) -> None:
        self._platform = platform
        self._store = store

    async def copy(self, actor: Actor, file_ids: Sequence[UUID], practice_id: UUID) -> Copies:
        """Copy the actor's uploads into the folder of a connected practice; to be called before the owner's unit.

        Args:
            actor: whose uploads; what is none of theirs, or not finished, is left out and refused by `over`.
            file_ids: the uploads.
            practice_id: who will own them.

        Raises:
            FileTypeNotAllowed: that practice does not take one of them.
            FileTooLarge: nor one this long.
            FileLost: the store has lost one.
            errors.Unavailable: the store can't do it now.
        """
        _, person_id = actor.as_person()
        rows = await DB.fetch(
            """SELECT f.id, f.media_type, f.size, o.key FROM file f JOIN file_object o ON o.file_id = f.id
            WHERE f.id = ANY($1) AND f.made_by = $2 AND f.bound_to IS NOT DISTINCT FROM $3 AND f.state = 'stored'
            ORDER BY f.id, o.kind""",
            list(file_ids),
            person_id,
            actor.bound_to,
        )
        with acting(practice_id, person_id):
            settings = await self._platform.settings.read(FileSettings)
            gigabytes = await self._platform.access.limit(practice_id, "storage_gb")
        keys: dict[UUID, dict[str, str]] = {}
        for row in rows:
            kind = kind_of(row["media_type"])
            if not settings.takes(kind):
                raise type_refused(row["media_type"])
            if row["size"] > settings.longest(kind):
                raise too_large(settings.longest(kind))
        for row in rows:
            key = new_key(WHOLE, practice_id)
            try:
                await self._store.copy(row["key"], key)
            except FileNotFoundError:
                raise FileLost("The storage has lost this file.", way_on="Upload it again.") from None
            keys.setdefault(row["id"], {})[row["key"]] = key
        most = None if gigabytes is None else gigabytes * GIGABYTE
        return Copies(practice_id=practice_id, most=most, keys=keys)

    async def over(
        self, actor: Actor, copies: Copies, file_ids: Sequence[UUID], owner_kind: str, owner_id: UUID
    ) -> None:
        """Hand uploads over and attach them to what they belong to there, all or none, in the owner's unit.

        Args:
            actor: who uploaded them.
            copies: what `copy` made of them.
            file_ids: the uploads.
            owner_kind: a declared one.
            owner_id: what they are attached to, a thing of the practice that receives them.

        Raises:
            errors.NotFound: one is none of the actor's finished uploads, or the practices are connected no longer.
            StorageFull: that practice's plan has no room.
        """
        _, person_id = actor.as_person()
        now = self._platform.clock.now()
        async with unit() as work:
            for file_id in file_ids:
                keys = copies.keys.get(file_id, {})
                done = await DB.fetchval(
                    "SELECT file_hand_over($1, $2, $3, $4, $5, $6, $7, $8)",
                    file_id, copies.practice_id, copies.most, owner_kind, owner_id, now,
                    list(keys), list(keys.values()),
                )  # fmt: skip
                if done == "full":
                    raise storage_full()
                if done is None:
                    raise errors.NotFound("There is no upload with this id that you may see.", field=("uploadId",))
                work.emit(
                    FileAttached(
                        practice_id=copies.practice_id,
                        file_id=file_id,
                        owner_kind=owner_kind,
                        owner_id=owner_id,
                        attached_by=person_id,
                    )
                )
                audit.did("files.attach", kind="file", target=file_id, practice_id=copies.practice_id)
            await work.enqueue(REMOVE_JOB, {})
