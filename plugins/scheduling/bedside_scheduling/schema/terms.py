"""On which terms patients book with a practitioner (S4)."""

import enum
from typing import Annotated

import strawberry
from strawberry import UNSET

from bedside_graphql.api import Info, gate, uuid_of
from bedside_scheduling import terms
from bedside_scheduling.schema.types import MemberId
from bedside_scheduling.terms import Terms

_NOTICE = "How long before its start patients book at the latest, in minutes; 0 to 43,200."
_HORIZON = "How many days ahead patients book; 1 to 730."
_BEFORE = "Minutes that patients leave free before an appointment whose type says nothing of it; 0 to 240."
_AFTER = "Minutes that patients leave free after an appointment whose type says nothing of it; 0 to 240."


@strawberry.enum(description="A term on which patients book with a practitioner.")
class BookingTerm(enum.Enum):
    """Terms; their values are the names of the settings."""

    NOTICE = strawberry.enum_value("notice_minutes", description="`noticeMinutes`.")
    HORIZON = strawberry.enum_value("horizon_days", description="`horizonDays`.")
    BUFFER_BEFORE = strawberry.enum_value("buffer_before_minutes", description="`bufferBeforeMinutes`.")
    BUFFER_AFTER = strawberry.enum_value("buffer_after_minutes", description="`bufferAfterMinutes`.")


@strawberry.type(description="On which terms patients book with a practitioner: theirs, or else the practice's (S4).")
class BookingTerms:
    """A practitioner's terms."""

    notice_minutes: int = strawberry.field(description=_NOTICE)
    horizon_days: int = strawberry.field(description=_HORIZON)
    buffer_before_minutes: int = strawberry.field(description=_BEFORE)
    buffer_after_minutes: int = strawberry.field(description=_AFTER)
    own: list[BookingTerm] = strawberry.field(
        description="Which are the practitioner's own; the others are as the practice has them."
    )


@strawberry.input(description="Terms to change; what is left out, or null, stays.")
class BookingTermsPatch:
    """A change of a practitioner's terms."""

    notice_minutes: int | None = strawberry.field(description=_NOTICE, default=UNSET)
    horizon_days: int | None = strawberry.field(description=_HORIZON, default=UNSET)
    buffer_before_minutes: int | None = strawberry.field(description=_BEFORE, default=UNSET)
    buffer_after_minutes: int | None = strawberry.field(description=_AFTER, default=UNSET)


@strawberry.type
class BookingTermsQuery:
    """Queries of terms."""

    @strawberry.field(
        description="On which terms patients book with a practitioner.",
        extensions=[gate("scheduling.see_availability")],
    )
    async def booking_terms(self, info: Info, member_id: MemberId) -> BookingTerms | None:
        """Return a practitioner's terms."""
        return _terms(await _service(info).of(info.context.signed_in(), uuid_of(member_id)))


@strawberry.type
class BookingTermsMutation:
    """Mutations of terms."""

    @strawberry.mutation(
        description="Give a practitioner terms of their own, or the practice's again. One's own, or as owner, "
        "manager or staff anybody's of the practice.",
        extensions=[gate("scheduling.availability", "scheduling")],
    )
    async def set_booking_terms(
        self,
        info: Info,
        member_id: MemberId,
        patch: Annotated[BookingTermsPatch, strawberry.argument(description="What to change.")],
        unset: Annotated[
            list[BookingTerm] | None,
            strawberry.argument(description="Which are to be as the practice has them again; none of `patch`."),
        ] = None,
    ) -> BookingTerms | None:
        """Change a practitioner's terms."""
        changes = {name: value for name, value in vars(patch).items() if value is not UNSET and value is not None}
        given_up = {str(each.value) for each in unset or ()}
        return _terms(await _service(info).change(info.context.signed_in(), uuid_of(member_id), changes, given_up))


def _service(info: Info) -> terms.BookingTerms:
    return info.context.platform.service(terms.BookingTerms)


def _terms(terms: Terms) -> BookingTerms:
    found = terms.settings
    return BookingTerms(
        notice_minutes=found.notice_minutes,
        horizon_days=found.horizon_days,
        buffer_before_minutes=found.buffer_before_minutes,
        buffer_after_minutes=found.buffer_after_minutes,
        own=[each for each in BookingTerm if each.value in terms.own],
    )
