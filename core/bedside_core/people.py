"""The people of a practice: members and patients, and the practice itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar
from uuid import UUID

import phonenumbers

from bedside_core import audit, errors
from bedside_core.access import EVERYONE, OPERATOR, Permission
from bedside_core.auth import Actor, Role, hash_password
from bedside_core.clock import Clock
from bedside_core.database import DB, Row, acting, current_scope, unit
from bedside_core.ids import uuid7
from bedside_core.paging import Page, key_of, page_of, page_size

PERMISSIONS = (
    Permission(key="practice.read", doc="See the practice, its members and its plan.", roles=EVERYONE),
    Permission(key="practices.list", doc="List the practices of the deployment.", roles=OPERATOR),
    Permission(key="patients.read", doc="Find and see the practice's patients.", roles=EVERYONE),
)

PRACTICE_STREAM = "practice"
"""Kind of live stream of a practice's plan and rights; its position grows with each change."""


@dataclass(frozen=True, kw_only=True)
class Practice:
    """A practice, the tenant (P1)."""

    id: UUID
    name: str
    zone: str


@dataclass(frozen=True, kw_only=True)
class Member:
    """A person who signs in for a practice (A12)."""

    id: UUID
    practice_id: UUID
    first_name: str
    last_name: str
    role: Role

    @property
    def name(self) -> str:
        """The name as it is shown."""
        return f"{self.first_name} {self.last_name}"


@dataclass(frozen=True, kw_only=True)
class Patient:
    """A person in the practice's care (P3)."""

    id: UUID
    practice_id: UUID
    first_name: str
    last_name: str
    date_of_birth: date
    mrn: str
    gender: str
    phone: str | None
    email: str | None


@dataclass(frozen=True, kw_only=True)
class NewPatient:
    """What is needed of a new patient (P3): everything but the phone, for which e-mail may stand in."""

    first_name: str
    last_name: str
    date_of_birth: date
    mrn: str
    gender: str
    phone: str | None = None
    email: str | None = None


_Person = TypeVar("_Person", Member, Patient)


def _member(row: Row) -> Member:
    return Member(
        id=row["id"],
        practice_id=row["practice_id"],
        first_name=row["first_name"],
        last_name=row["last_name"],
        role=Role(row["role"]),
    )


def _patient(row: Row) -> Patient:
    return Patient(**{name: row[name] for name in Patient.__dataclass_fields__})


_MEMBER = "SELECT id, practice_id, first_name, last_name, role FROM member"
_PATIENT = "SELECT id, practice_id, first_name, last_name, date_of_birth, mrn, gender, phone, email FROM patient"
_BY_NAME = """($2::text IS NULL OR (last_name, first_name, id) > ($2, $3, $4))
    ORDER BY last_name, first_name, id LIMIT $1"""


def _by_name(found: Sequence[_Person], size: int, after: str | None) -> Page[_Person]:
    """Return a page out of what `_BY_NAME` found."""
    return page_of(found, size, lambda item: (item.last_name, item.first_name, str(item.id)), after=after)


class People:
    """Finds and makes practices, members and patients. Row-level security confines each read to the acting practice.

    Args:
        clock: the product's time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def practice(self, practice_id: UUID) -> Practice | None:
        """Return a practice by its id."""
        row = await DB.fetchrow("SELECT * FROM practice_by_id($1)", practice_id)
        return Practice(id=row["id"], name=row["name"], zone=row["zone"]) if row else None

    async def practices(self, *, first: int | None, after: str | None) -> Page[Practice]:
        """Return the practices of the deployment, by name; for the operator."""
        size, key = page_size(first), key_of(after, str, UUID)
        rows = await DB.fetch("SELECT * FROM practice_page($1, $2, $3)", size + 1, *(key or (None, None)))
        found = [Practice(id=row["id"], name=row["name"], zone=row["zone"]) for row in rows]
        return page_of(found, size, lambda item: (item.name, str(item.id)), after=after)

    async def practice_ids(self) -> Sequence[UUID]:
        """Return the ids of all practices, for what runs once per practice."""
        return [row["id"] for row in await DB.fetch("SELECT practice_ids() AS id")]

    async def members_by_id(self, ids: Sequence[UUID]) -> Mapping[UUID, Member]:
        """Return those of the members that the acting practice has, in one statement."""
        rows = await DB.fetch(f"{_MEMBER} WHERE id = ANY($1)", list(ids))
        return {row["id"]: _member(row) for row in rows}

    async def members(self, actor: Actor, *, first: int | None, after: str | None) -> Page[Member]:
        """Return the active members of the actor's practice, by name."""
        actor.in_practice()
        size, key = page_size(first), key_of(after, str, str, UUID)
        rows = await DB.fetch(f"{_MEMBER} WHERE active AND {_BY_NAME}", size + 1, *(key or (None, None, None)))
        return _by_name([_member(row) for row in rows], size, after)

    async def patients_by_id(self, ids: Sequence[UUID]) -> Mapping[UUID, Patient]:
        """Return those of the patients that the acting practice has, in one statement."""
        rows = await DB.fetch(f"{_PATIENT} WHERE id = ANY($1)", list(ids))
        audit.saw(row["id"] for row in rows)
        return {row["id"]: _patient(row) for row in rows}

    async def patients(self, actor: Actor, *, first: int | None, after: str | None) -> Page[Patient]:
        """Return the patients of the actor's practice, by name."""
        actor.in_practice()
        size, key = page_size(first), key_of(after, str, str, UUID)
        rows = await DB.fetch(f"{_PATIENT} WHERE {_BY_NAME}", size + 1, *(key or (None, None, None)))
        audit.saw(row["id"] for row in rows[:size])
        return _by_name([_patient(row) for row in rows], size, after)

    async def create_practice(
        self, name: str, *, zone: str = "America/New_York", practice_id: UUID | None = None
    ) -> Practice:
        """Make a practice; for the operator's commands and the demo. Its id may be given, to act for it already."""
        practice = Practice(id=practice_id or uuid7(), name=name, zone=zone)
        with acting(practice.id):
            async with unit():
                await DB.execute("SELECT practice_create($1, $2, $3, $4)", practice.id, name, zone, self._clock.now())
                audit.did("practices.create", kind="practice", target=practice.id)
        return practice

    async def create_account(self, email: str, password: str, *, operator: bool = False) -> UUID:
        """Make an account that signs in with a password; for the operator's commands and the demo.

        It is entered in the acting practice's audit trail, or else in the deployment's.
        """
        account_id, hashed, scope = uuid7(), await hash_password(password), current_scope()
        with acting(scope.practice_id or audit.DEPLOYMENT, scope.person_id):
            async with unit():
                await DB.execute(
                    "SELECT account_create($1, $2, $3, $4, $5)",
                    account_id,
                    email.strip(),
                    hashed,
                    operator,
                    self._clock.now(),
                )
                made = "operators.create" if operator else "accounts.create"
                audit.did(made, kind="account", target=account_id)
        return account_id

    async def create_member(
        self, practice_id: UUID, account_id: UUID, *, first_name: str, last_name: str, role: Role
    ) -> Member:
        """Make an account a member of a practice; for the operator's commands and the demo."""
        member = Member(id=uuid7(), practice_id=practice_id, first_name=first_name, last_name=last_name, role=role)
        with acting(practice_id):
            async with unit():
                await DB.execute(
                    """INSERT INTO member (id, practice_id, account_id, first_name, last_name, role, created_at)
                    VALUES ($1, $2, $3, $4, $5, $6, $7)""",
                    member.id,
                    practice_id,
                    account_id,
                    first_name,
                    last_name,
                    role,
                    self._clock.now(),
                )
                audit.did("members.create", kind="member", target=member.id, detail={"role": role.value})
        return member

    async def create_patient(self, practice_id: UUID, new: NewPatient) -> Patient:
        """Make a patient of a practice (P3).

        Raises:
            errors.InvalidInput: something required is missing, or the phone number can't be one.
            errors.Conflict: the practice has a patient with this MRN.
        """
        phone = _checked(new)
        patient_id = uuid7()
        with acting(practice_id):
            async with unit():
                row = await DB.fetchrow(
                    """INSERT INTO patient (id, practice_id, first_name, last_name, date_of_birth, mrn, gender, phone,
                        email, created_at)
                    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                    ON CONFLICT (practice_id, mrn) DO NOTHING
                    RETURNING *""",
                    patient_id,
                    practice_id,
                    new.first_name.strip(),
                    new.last_name.strip(),
                    new.date_of_birth,
                    new.mrn.strip(),
                    new.gender.strip(),
                    phone,
                    new.email,
                    self._clock.now(),
                )
                if row is not None:
                    audit.did("patients.create", kind="patient", target=patient_id, patients=[patient_id])
        if row is None:
            raise errors.Conflict("The practice already has a patient with this MRN.", field=("mrn",))
        return _patient(row)


def _checked(new: NewPatient) -> str | None:
    """Return the phone number as E.164 once the required values are there."""
    for name in ("first_name", "last_name", "mrn", "gender"):
        if not getattr(new, name).strip():
            raise errors.InvalidInput("This is required.", field=(name,))
    if new.phone is None:
        if not new.email:
            raise errors.InvalidInput("A phone number or an e-mail address is required.", field=("phone",))
        return None
    try:
        number = phonenumbers.parse(new.phone, "US")
    except phonenumbers.NumberParseException as error:
        raise errors.InvalidInput("This is not a phone number.", field=("phone",)) from error
    if not phonenumbers.is_valid_number(number):
        raise errors.InvalidInput("This is not a valid phone number.", field=("phone",))
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
