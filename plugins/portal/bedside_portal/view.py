"""What the patient whom a session acts as has, in one place: the type `Portal`, to which other plugins add (S10).

Core's part adds how notifications come, chat the conversations, scheduling the appointments and visits, each as a type
named `Portal` among its part's `extend`.
"""

import strawberry

from bedside_core.api import USUAL_PAGE
from bedside_graphql.api import (
    After,
    Connection,
    File,
    First,
    Info,
    Patient,
    Permit,
    Zone,
    connection,
    file_type,
    gate,
    patient_type,
    permit_of,
)
from bedside_portal.own import Access, OwnRecord
from bedside_portal.own import Portal as Shown
from bedside_portal.types import OwnAccess


def own(info: Info) -> OwnRecord:
    """Return what answers for the patient whom the session acts as."""
    return info.context.platform.service(OwnRecord)


@strawberry.type(description="Somebody who acts for a patient: the patient, or a guardian.")
class PortalPerson:
    """A person who acts for a patient, as the patient and the others who do see them."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    name: str = strawberry.field(description="The name.")
    relationship: str | None = strawberry.field(description="What a guardian is to the patient; null is the patient.")
    you: bool = strawberry.field(description="Whether that is who is signed in.")


@strawberry.type(
    description="What the portal shows to the patient whom the session acts as, whoever is signed in for them."
)
class Portal:
    """The patient's own view."""

    practice: str = strawberry.field(description="The practice's name.")
    zone: Zone = strawberry.field(description="The practice's time zone.")
    welcome_text: str = strawberry.field(description="What the practice says first, as plain text; empty is nothing.")
    waiting_text: str = strawberry.field(description="What the practice says to who waits, as plain text (T15).")
    patient: Patient = strawberry.field(
        description="The patient's record. The addresses in it are where the practice writes to; it changes them."
    )
    booking: Permit = strawberry.field(
        description="Whether one may book by oneself, as far as the practice decides that; which times, the schedule "
        "tells (S4)."
    )

    @strawberry.field(description="Who acts for the patient: they, then guardians; a dozen at most (S11).")
    async def people(self, info: Info) -> list[PortalPerson] | None:
        """Return who acts for them."""
        actor = info.context.signed_in()
        return [
            PortalPerson(
                id=strawberry.ID(str(holder.id)),
                name=holder.name,
                relationship=holder.relationship,
                you=holder.account_id == actor.account_id,
            )
            for holder in await own(info).acting(actor)
        ]

    @strawberry.field(
        description="The patient's files, the latest first: with their record, shared with them in conversations, and "
        "what plugins put there, by whom and when (P8)."
    )
    async def files(self, info: Info, first: First = USUAL_PAGE, after: After = None) -> Connection[File] | None:
        """Return a page of files."""
        return connection(await own(info).files(info.context.signed_in(), first=first, after=after), file_type)

    @strawberry.field(
        description="Who saw or changed the patient's data, the newest first (A14). Reading it is entered too."
    )
    async def accesses(
        self, info: Info, first: First = USUAL_PAGE, after: After = None
    ) -> Connection[OwnAccess] | None:
        """Return a page of accesses."""
        return connection(await own(info).accesses(info.context.signed_in(), first=first, after=after), access_type)


@strawberry.type
class PortalViewQuery:
    """The query of the patient's own view."""

    @strawberry.field(
        description="What the portal shows to the patient whom the session acts as, in one place (S10).",
        extensions=[gate("portal.own")],
    )
    async def portal(self, info: Info) -> Portal | None:
        """Return the view."""
        shown = await own(info).portal(info.context.signed_in())
        return _portal(shown)


def _portal(shown: Shown) -> Portal:
    return Portal(
        practice=shown.practice.name,
        zone=Zone(shown.practice.zone),
        welcome_text=shown.settings.welcome_text,
        waiting_text=shown.settings.waiting_text,
        patient=patient_type(shown.patient),
        booking=permit_of(shown.refusal),
    )


def access_type(access: Access) -> OwnAccess:
    """Return an access as GraphQL shows it."""
    return OwnAccess(
        id=strawberry.ID(str(access.id)),
        at=access.at,
        action=access.action,
        name=access.name,
        relationship=access.relationship,
        staff=access.staff,
    )
