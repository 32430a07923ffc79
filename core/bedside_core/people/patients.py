"""Patients: created before they are written to, changed, archived (P3, P4)."""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg  # pyright: ignore[reportMissingTypeStubs]

from bedside_core import audit, errors
from bedside_core.auth import Actor
from bedside_core.database import DB, Row, Work, acting, unit
from bedside_core.ids import uuid7
from bedside_core.paging import Page, key_of, page_of, page_size
from bedside_core.people import checks
from bedside_core.people.base import BY_NAME, Base, changes_of
from bedside_core.people.model import NewPatient, Patient, PatientArchived, PatientChanged, PatientCreated

_PATIENT = """SELECT id, practice_id, first_name, last_name, date_of_birth, mrn, gender, phone, email, archived_at
    FROM patient"""
_PRESENT = f"{_PATIENT} WHERE archived_at IS NULL AND {BY_NAME}"
_HOLD = "SELECT true FROM patient WHERE id = $1 AND merged_into IS NULL FOR KEY SHARE"
_ARCHIVE = f"{_PATIENT} WHERE archived_at IS NOT NULL AND merged_into IS NULL AND {BY_NAME}"
_MISSING = "There is no patient with this id that you may see."


class Patients(Base):
    """Finds, makes and changes patients. Row-level security confines each statement to the acting practice."""

    async def patients_by_id(self, ids: Sequence[UUID]) -> Mapping[UUID, Patient]:
        """Return those of the patients that the acting practice has, in one statement.

        A record that was merged is none of them: nothing is put there any more. `present_patients` tells whose it is.
        """
        rows = await DB.fetch(f"{_PATIENT} WHERE id = ANY($1) AND merged_into IS NULL", list(ids))
        audit.saw(row["id"] for row in rows)
        return {row["id"]: _patient(row) for row in rows}

    async def present_patients(self, ids: Sequence[UUID]) -> Mapping[UUID, Patient]:
        """Return whom ids stand for now, in one statement: a merged record's for the one that was kept."""
        rows = await DB.fetch(
            """SELECT asked.id AS asked_id, p.* FROM patient asked
            JOIN patient p ON p.practice_id = asked.practice_id AND p.id = coalesce(asked.merged_into, asked.id)
            WHERE asked.id = ANY($1)""",
            list(ids),
        )
        audit.saw(row["id"] for row in rows)
        return {row["asked_id"]: _patient(row) for row in rows}

    async def hold_patient(self, patient_id: UUID) -> None:
        """Keep a patient from being merged or erased before the present unit of work ends.

        For whatever puts something with a patient: what comes while a merge runs comes to the kept record or not at
        all, and is never left with a record that nobody opens any more.

        Raises:
            errors.NotFound: the acting practice has no such patient, or none any more.
        """
        if await DB.fetchval(_HOLD, patient_id) is None:
            raise errors.NotFound(_MISSING)

    async def patients(
        self, actor: Actor, *, first: int | None, after: str | None, archived: bool = False
    ) -> Page[Patient]:
        """Return the patients of the actor's practice, by name: the present ones, or those in the archive."""
        actor.in_practice()
        size, key = page_size(first), key_of(after, str, str, UUID)
        rows = await DB.fetch(_ARCHIVE if archived else _PRESENT, size + 1, *(key or (None, None, None)))
        audit.saw(row["id"] for row in rows[:size])
        return page_of(
            [_patient(row) for row in rows],
            size,
            lambda item: (item.last_name, item.first_name, str(item.id)),
            after=after,
        )

    async def create_patient(self, practice_id: UUID, new: NewPatient) -> Patient:
        """Make a patient of a practice (P3); for the demo and for what has checked its actor.

        Raises:
            errors.InvalidInput: something required is missing or can't be right; `field` begins with `input`.
            errors.Conflict: the practice has a patient with this MRN.
        """
        with acting(practice_id):
            checked = await self._checked(practice_id, new, "input")
            async with unit() as work:
                patient_id = await self._insert(practice_id, uuid7(), checked, work)
            return (await self.patients_by_id([patient_id]))[patient_id]

    async def create_patient_once(self, actor: Actor, new: NewPatient, client_id: str) -> Patient:
        """Make a patient of the actor's practice; a retry with the same client id returns the first one (G9).

        Where that was merged meanwhile, the retry returns the record that was kept.

        Raises:
            errors.InvalidInput: something required is missing or can't be right; `field` begins with `input`.
            errors.Conflict: the practice has a patient with this MRN, or the client id has made another.
        """
        practice_id, _ = actor.in_practice()
        checked = await self._checked(practice_id, new, "input")

        async def make(new_id: UUID, work: Work) -> UUID:
            return await self._insert(practice_id, new_id, checked, work)

        patient_id = await self.once(actor, "patient", client_id, asdict(checked), make)
        return (await self.present_patients([patient_id]))[patient_id]

    async def update_patient(self, actor: Actor, patient_id: UUID, patch: Mapping[str, Any]) -> Patient:
        """Change some data of a patient; the rest stays.

        Args:
            actor: of the patient's practice.
            patient_id: the patient.
            patch: name of a field of `NewPatient` -> new value; only phone and email can be None.

        Raises:
            errors.NotFound: the practice has no such patient.
            errors.InvalidInput: a value can't be right; `field` begins with `patch`.
            errors.Conflict: the practice has a patient with this MRN.
        """
        practice_id, _ = actor.in_practice()
        try:
            async with unit() as work:  # the row is locked: of two patches at once neither undoes the other's
                found = await DB.fetchrow(f"{_PATIENT} WHERE id = $1 AND merged_into IS NULL FOR UPDATE", patient_id)
                if found is None:
                    raise errors.NotFound(_MISSING)
                before = _patient(found)
                checked = await self._patched(practice_id, before, patch)
                changes = changes_of(asdict(checked), before)
                if not changes:
                    return before
                await DB.execute(
                    """UPDATE patient SET first_name = $2, last_name = $3, date_of_birth = $4, mrn = $5, gender = $6,
                        phone = $7, email = $8
                    WHERE id = $1""",
                    patient_id,
                    *asdict(checked).values(),
                )
                work.emit(
                    PatientChanged(practice_id=practice_id, patient_id=patient_id, changed=tuple(sorted(changes)))
                )
                _did("update", patient_id, fields=sorted(changes))
        except asyncpg.UniqueViolationError as error:
            raise _mrn_taken("patch") from error
        return replace(before, **changes)

    async def archive_patient(self, actor: Actor, patient_id: UUID, archived: bool) -> Patient:
        """Put a patient into the archive, out of lists and search, or take one back; repeating it changes nothing.

        Raises:
            errors.NotFound: the practice has no such patient.
        """
        practice_id, _ = actor.in_practice()
        async with unit() as work:
            changed = await DB.fetchrow(
                """UPDATE patient SET archived_at = $2
                WHERE id = $1 AND merged_into IS NULL AND (archived_at IS NULL) <> ($2::timestamptz IS NULL)
                RETURNING *""",
                patient_id,
                self._clock.now() if archived else None,
            )
            if changed is not None:
                work.emit(PatientArchived(practice_id=practice_id, patient_id=patient_id, archived=archived))
                _did("archive" if archived else "restore", patient_id)
                return _patient(changed)
        found = (await self.patients_by_id([patient_id])).get(patient_id)
        if found is None:
            raise errors.NotFound(_MISSING)
        return found

    async def _insert(self, practice_id: UUID, new_id: UUID, new: NewPatient, work: Work) -> UUID:
        made = await DB.fetchval(
            """INSERT INTO patient (id, practice_id, first_name, last_name, date_of_birth, mrn, gender, phone, email,
                created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            ON CONFLICT (practice_id, mrn) DO NOTHING RETURNING id""",
            new_id,
            practice_id,
            *asdict(new).values(),
            self._clock.now(),
        )
        if made is None:
            raise _mrn_taken("input")
        work.emit(PatientCreated(practice_id=practice_id, patient_id=new_id))
        _did("create", new_id)
        return new_id

    async def _patched(self, practice_id: UUID, before: Patient, patch: Mapping[str, Any]) -> NewPatient:
        """Return a patient's values as a patch leaves them.

        What was right when it was stored is not looked at again: a region may have been taken off the list since.
        """
        for name, value in patch.items():
            if value is None and name not in {"phone", "email"}:
                raise errors.InvalidInput("This can't be null.", field=("patch", name))
        known = NewPatient(**{name: getattr(before, name) for name in NewPatient.__dataclass_fields__})
        changed = frozenset(changes_of(dict(patch), before))
        return await self._checked(practice_id, replace(known, **patch), "patch", changed)

    async def _checked(
        self, practice_id: UUID, new: NewPatient, root: str, changed: frozenset[str] | None = None
    ) -> NewPatient:
        """Return the values as they are stored; where `changed` is given, only those are looked at.

        Raises:
            errors.InvalidInput: the first that can't be right.
        """
        day = await self.today(practice_id) if changed is None or "date_of_birth" in changed else date.max
        regions = await self.regions() if new.phone is not None and (changed is None or "phone" in changed) else ()
        checked, wrong = checks.patient(new, day, regions, (root,), changed)
        if wrong:
            raise wrong[0]
        return checked

    async def today(self, practice_id: UUID) -> date:
        """Return what day it is where the practice is."""
        row = await DB.fetchrow("SELECT zone FROM practice_by_id($1)", practice_id)
        return self._clock.now().astimezone(zoneinfo.ZoneInfo(row["zone"] if row else "UTC")).date()


def _did(what: str, patient_id: UUID, **detail: Sequence[str]) -> None:
    audit.did(f"patients.{what}", kind="patient", target=patient_id, patients=[patient_id], detail=detail or None)


def _mrn_taken(root: str) -> errors.Conflict:
    return errors.Conflict("The practice already has a patient with this MRN.", field=(root, "mrn"))


def _patient(row: Row) -> Patient:
    return Patient(**{name: row[name] for name in Patient.__dataclass_fields__})
