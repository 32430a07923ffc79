"""As whom an account can act: the members and patients it is, one at a time (A15)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol
from uuid import UUID

from bedside_core import audit
from bedside_core.auth.actor import Actor, Role
from bedside_core.database import DB


@dataclass(frozen=True, kw_only=True)
class Persona:
    """Somebody whom an account can act as.

    Args:
        id: the member's or the patient's.
        role: what they are in the practice.
        practice_id: the practice.
        practice: its name.
        name: the person's.
    """

    id: UUID
    role: Role
    practice_id: UUID
    practice: str
    name: str


class PersonaIds(NamedTuple):
    """Whom a session acts as: a member or a patient of a practice, or the operator, who is neither."""

    practice_id: UUID | None
    member_id: UUID | None
    patient_id: UUID | None


class PatientPersonas(Protocol):
    """Which patient records an account may act for; provided by the plugin that has the portal accounts (S9, S11)."""

    async def of_account(self, account_id: UUID) -> Sequence[Persona]:
        """Return the patients whose portal accounts are active and this account's to act for, with Role.PATIENT."""
        ...

    async def practices(self, account_id: UUID) -> Collection[UUID]:
        """Return the practices in which the account was let in for a patient and not taken away, suspended or not."""
        ...

    async def active(self, account_id: UUID, patient_id: UUID) -> bool:
        """Tell whether the account may act for this patient now; asked with each request of such a session."""
        ...


async def personas_of(account_id: UUID, patients: PatientPersonas | None) -> Sequence[Persona]:
    """Return everybody an account can act as, members by their practice's name and then patients."""
    rows = await DB.fetch("SELECT * FROM auth_personas($1)", account_id)
    members = [
        Persona(
            id=row["member_id"],
            role=Role(row["role"]),
            practice_id=row["practice_id"],
            practice=row["practice"],
            name=f"{row['first_name']} {row['last_name']}",
        )
        for row in rows
    ]
    return [*members, *(await patients.of_account(account_id) if patients is not None else ())]


def told(actor: Actor, personas: Sequence[Persona]) -> Sequence[Persona]:
    """Return personas of an actor's account, which is told their names.

    Those of patients come out of their records: that stands in their practices' trails, of whom the account can act as
    there, for no practice is told who somebody is in another (A14, P1).
    """
    for persona in personas:
        if persona.role is Role.PATIENT:
            there = actor
            if actor.practice_id != persona.practice_id:
                known = {"practice_id": persona.practice_id, "member_id": None, "patient_id": persona.id}
                there = replace(actor, role=Role.PATIENT, **known)
            audit.saw([persona.id], practice_id=persona.practice_id, actor=there)
    return personas
