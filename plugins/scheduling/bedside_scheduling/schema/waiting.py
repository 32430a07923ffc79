"""The waiting list: who waits, and what they are offered (S7)."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from bedside_core.api import USUAL_PAGE, Actor
from bedside_graphql.api import (
    After,
    ClientId,
    Connection,
    First,
    InboxKind,
    Info,
    Member,
    Patient,
    client_id_of,
    connection,
    gate,
    member_of,
    uuid_of,
)
from bedside_scheduling import api, waiting
from bedside_scheduling.appointment_types import AppointmentTypes
from bedside_scheduling.consequences import WAITING_KIND
from bedside_scheduling.groups import Groups
from bedside_scheduling.offers import Offers
from bedside_scheduling.reading import Reading
from bedside_scheduling.schema.appointment import Appointment, appointment_node
from bedside_scheduling.schema.appointment_types import AppointmentType, appointment_type
from bedside_scheduling.schema.series import OpenGroup, group_node
from bedside_scheduling.schema.types import AppointmentKind, patient_of
from bedside_scheduling.waiting import Waiting, Wish


@dataclass(frozen=True)
class _Held:
    """Loads appointments as the viewer sees them, one statement for a whole list."""

    reading: Reading
    actor: Actor

    async def __call__(self, appointment_ids: Sequence[UUID]) -> Mapping[UUID, api.Appointment]:
        return await self.reading.visible(self.actor, appointment_ids)


EntryId = Annotated[strawberry.ID, strawberry.argument(description="The entry of the waiting list.")]
OfferId = Annotated[strawberry.ID, strawberry.argument(description="The offer's id.")]


@strawberry.enum(description="Why somebody waits no more.")
class WaitingOutcome(enum.Enum):
    """Outcomes of waiting."""

    BOOKED = strawberry.enum_value("booked", description="They have what they waited for.")
    LEFT = strawberry.enum_value("left", description="They were taken off the list.")
    OVER = strawberry.enum_value("over", description="The time is past until which they would have come.")


@strawberry.type(description="A time, or a place of a group, that has become free and is held for one who waits.")
class WaitingOffer:
    """An offer."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    appointment_id: strawberry.ID = strawberry.field(description="The appointment that is held, or the group's.")
    offered_at: datetime = strawberry.field(description="Since when.")
    expires_at: datetime = strawberry.field(description="Until when it can be accepted; then the next one gets it.")

    @strawberry.field(
        description="The appointment that is held, with its time and its practitioner; a group's is told to its own "
        "people alone, and to who waits as `group`."
    )
    async def appointment(self, info: Info) -> Appointment | None:
        """Return the appointment, in one statement for a whole list."""
        reading, actor = info.context.platform.service(Reading), info.context.signed_in()
        found = await info.context.loader(_Held(reading, actor)).load(uuid_of(self.appointment_id))
        return appointment_node(found) if found else None

    @strawberry.field(description="The group of which a place is held; null where it is an appointment of one's own.")
    async def group(self, info: Info) -> OpenGroup | None:
        """Return the group, through the operation's DataLoader."""
        groups = info.context.platform.service(Groups)
        found = await info.context.loader(groups.by_id).load(uuid_of(self.appointment_id))
        return group_node(found) if found else None


@strawberry.type(description="Somebody who waits for a time to become free (S7).")
class WaitingEntry:
    """An entry of the waiting list."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    patient_id: strawberry.ID = strawberry.field(description="Who waits.")
    kind: AppointmentKind | None = strawberry.field(description="Where people are to meet; null is either.")
    earliest: datetime = strawberry.field(name="from", description="It is to begin then or later.")
    latest: datetime = strawberry.field(name="until", description="It is to begin before then.")
    created_at: datetime = strawberry.field(description="Since when they wait; who waits longest is offered first.")
    closed_at: datetime | None = strawberry.field(description="Since when they wait no more.")
    outcome: WaitingOutcome | None = strawberry.field(description="Why they wait no more.")
    offer: WaitingOffer | None = strawberry.field(description="What they are offered now.")
    entry: strawberry.Private[waiting.Entry]

    @strawberry.field(description="Who waits.")
    async def patient(self, info: Info) -> Patient | None:
        """Return the patient, through the operation's DataLoader."""
        return await patient_of(info, self.entry.patient_id)

    @strawberry.field(description="What the appointment is to be about.")
    async def type(self, info: Info) -> AppointmentType | None:
        """Return the type, through the operation's DataLoader."""
        types = info.context.platform.service(AppointmentTypes)
        found = await info.context.loader(types.by_id).load(self.entry.type_id)
        return appointment_type(found) if found else None

    @strawberry.field(description="With whom; null is any practitioner of the type.")
    async def member(self, info: Info) -> Member | None:
        """Return the practitioner, through the operation's DataLoader."""
        return None if self.entry.member_id is None else await member_of(info, self.entry.member_id)


@strawberry.input(description="What somebody waits for.")
class WaitingInput:
    """A wish."""

    type_id: strawberry.ID = strawberry.field(description="What it is to be about; a type that patients can book.")
    until: datetime = strawberry.field(description="It is to begin before then, at most two years ahead.")
    starts_from: datetime | None = strawberry.field(
        name="from", description="It is to begin then or later; null is from now on.", default=None
    )
    member_id: strawberry.ID | None = strawberry.field(
        description="With whom; null is any practitioner of the type.", default=None
    )
    kind: AppointmentKind | None = strawberry.field(
        description="Where people are to meet; null is either.", default=None
    )
    patient_id: strawberry.ID | None = strawberry.field(
        description="Who waits, said by members; patients wait for themselves.", default=None
    )


@strawberry.type
class WaitingQuery:
    """The query of the waiting list."""

    @strawberry.field(
        description="The waiting list, who waits longest first: the practice's, as a patient one's own entries. "
        "Whatever the plan (L5).",
        extensions=[gate("scheduling.read")],
    )
    async def waiting_list(
        self,
        info: Info,
        patient_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only the entries of this patient.")
        ] = None,
        closed: Annotated[
            bool, strawberry.argument(description="Whether those who wait no more are shown, too.")
        ] = False,
        first: First = USUAL_PAGE,
        after: After = None,
    ) -> Connection[WaitingEntry] | None:
        """Return a page of the waiting list."""
        page = await _waiting(info).page(
            info.context.signed_in(),
            patient_id=uuid_of(patient_id) if patient_id is not None else None,
            closed=closed,
            first=first,
            after=after,
        )
        return connection(page, entry_node)


@strawberry.type
class WaitingMutation:
    """Mutations of the waiting list."""

    @strawberry.mutation(
        description="Wait for a time that becomes free, or a place of a group, or as a member have a patient wait. It "
        "is offered to who has waited longest, and held for them for some minutes. `SWITCHED_OFF` where the practice "
        "keeps no list, which is the default. A retry with the same clientId returns the first.",
        extensions=[gate("scheduling.book", "scheduling")],
    )
    async def join_waiting_list(
        self,
        info: Info,
        input: Annotated[WaitingInput, strawberry.argument(description="What for.")],
        client_id: ClientId,
    ) -> WaitingEntry | None:
        """Wait."""
        wish = Wish(
            patient_id=uuid_of(input.patient_id) if input.patient_id is not None else None,
            type_id=uuid_of(input.type_id),
            member_id=uuid_of(input.member_id) if input.member_id is not None else None,
            kind=api.AppointmentKind(input.kind.value) if input.kind is not None else None,
            earliest=input.starts_from,
            latest=input.until,
        )
        return entry_node(await _waiting(info).join(info.context.signed_in(), wish, client_id_of(client_id)))

    @strawberry.mutation(
        description="Wait no more, or as a member take a patient off the list; what is offered is let go. Repeating it "
        "changes nothing. Whatever the plan (L5).",
        extensions=[gate("scheduling.cancel")],
    )
    async def leave_waiting_list(self, info: Info, id: EntryId) -> WaitingEntry | None:
        """Wait no more."""
        return entry_node(await _waiting(info).leave(info.context.signed_in(), uuid_of(id)))

    @strawberry.mutation(
        description="Book what one is offered, or as a member for the patient; repeating it changes nothing. Once it "
        "is held no more the answer is `HOLD_OVER`.",
        extensions=[gate("scheduling.book", "scheduling")],
    )
    async def accept_offer(self, info: Info, id: OfferId) -> Appointment | None:
        """Book what is offered."""
        actor, platform = info.context.signed_in(), info.context.platform
        appointment_id = await platform.service(Offers).accept(actor, uuid_of(id))
        return appointment_node(await platform.service(Reading).one(actor, appointment_id))

    @strawberry.mutation(
        description="Let go what one is offered, or as a member for the patient: the next one gets it, and one goes on "
        "waiting for other times. Repeating it changes nothing. Whatever the plan (L5).",
        extensions=[gate("scheduling.cancel")],
    )
    async def decline_offer(self, info: Info, id: OfferId) -> WaitingEntry | None:
        """Let go what is offered."""
        actor, platform = info.context.signed_in(), info.context.platform
        entry_id = await platform.service(Offers).decline(actor, uuid_of(id))
        return entry_node(await _waiting(info).one(actor, entry_id))


@strawberry.type(
    description="One was put on the waiting list, is offered a time that has become free, is so no more, or waits no "
    "more."
)
class WaitingListInboxChanged:
    """An entry of the waiting list as it is now."""

    cursor: str = strawberry.field(description="Give the last one you have to `inbox` as `after`.")
    entry: WaitingEntry = strawberry.field(description="The entry as it is now.")


async def _load(info: Info, changed: Mapping[UUID, str]) -> Mapping[UUID, object]:
    found = await _waiting(info).present(info.context.signed_in(), list(changed))
    return {
        each.id: WaitingListInboxChanged(cursor=changed[each.id], entry=entry_node(each)) for each in found.values()
    }


INBOX = {WAITING_KIND: InboxKind(event=WaitingListInboxChanged, load=_load)}
"""What the inbox shows of the waiting list."""


def _waiting(info: Info) -> Waiting:
    return info.context.platform.service(Waiting)


def entry_node(found: waiting.Entry) -> WaitingEntry:
    """Return an entry as GraphQL shows it."""
    offer = None
    if found.offer is not None:
        offer = WaitingOffer(
            id=strawberry.ID(str(found.offer.id)),
            appointment_id=strawberry.ID(str(found.offer.appointment_id)),
            offered_at=found.offer.offered_at,
            expires_at=found.offer.expires_at,
        )
    return WaitingEntry(
        id=strawberry.ID(str(found.id)),
        patient_id=strawberry.ID(str(found.patient_id)),
        kind=AppointmentKind(found.kind.value) if found.kind else None,
        earliest=found.earliest,
        latest=found.latest,
        created_at=found.created_at,
        closed_at=found.closed_at,
        outcome=WaitingOutcome(found.outcome) if found.outcome else None,
        offer=offer,
        entry=found,
    )
