"""Scheduling's part of the schema: types of appointments, availability, slots, appointments, series, feeds, figures."""

import strawberry

from bedside_graphql.api import GraphQLPart
from bedside_scheduling.schema.appointment_types import AppointmentTypeMutation, AppointmentTypeQuery
from bedside_scheduling.schema.appointments import AppointmentMutation, AppointmentQuery
from bedside_scheduling.schema.availability import AvailabilityMutation, AvailabilityQuery
from bedside_scheduling.schema.feeds import FeedMutation, FeedQuery
from bedside_scheduling.schema.figures import FiguresQuery
from bedside_scheduling.schema.live import INBOX, AppointmentOfEntry, ScheduleSubscription
from bedside_scheduling.schema.portal import PortalAppointments
from bedside_scheduling.schema.series import SeriesMutation, SeriesQuery
from bedside_scheduling.schema.slots import SlotQuery
from bedside_scheduling.schema.terms import BookingTermsMutation, BookingTermsQuery
from bedside_scheduling.schema.waiting import INBOX as WAITING_INBOX
from bedside_scheduling.schema.waiting import WaitingMutation, WaitingQuery


@strawberry.type
class SchedulingQuery(
    AppointmentTypeQuery,
    AvailabilityQuery,
    BookingTermsQuery,
    SlotQuery,
    AppointmentQuery,
    SeriesQuery,
    WaitingQuery,
    FeedQuery,
    FiguresQuery,
):
    """Scheduling's queries."""


@strawberry.type
class SchedulingMutation(
    AppointmentTypeMutation,
    AvailabilityMutation,
    BookingTermsMutation,
    AppointmentMutation,
    SeriesMutation,
    WaitingMutation,
    FeedMutation,
):
    """Scheduling's mutations."""


PART = GraphQLPart(
    query=SchedulingQuery,
    mutation=SchedulingMutation,
    subscription=ScheduleSubscription,
    extend=(AppointmentOfEntry, PortalAppointments),
    inbox={**INBOX, **WAITING_INBOX},
)
