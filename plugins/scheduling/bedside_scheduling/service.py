"""Puts together what scheduling answers: each service with those that it needs, once for a process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bedside_core.api import CalendarAttachments
from bedside_scheduling.api import Schedules
from bedside_scheduling.appointment_types import AppointmentTypes
from bedside_scheduling.availability import Availability
from bedside_scheduling.booking import Booking
from bedside_scheduling.calendar_files import AppointmentFiles
from bedside_scheduling.changing import Changing
from bedside_scheduling.feeds import Feeds
from bedside_scheduling.figures import Counting
from bedside_scheduling.group_offers import GroupOffers
from bedside_scheduling.groups import Groups
from bedside_scheduling.inbox import ScheduleInbox
from bedside_scheduling.live import Following
from bedside_scheduling.offering import Offering
from bedside_scheduling.offers import Offers
from bedside_scheduling.reading import Reading
from bedside_scheduling.series import SeriesService
from bedside_scheduling.series_changing import SeriesChanging
from bedside_scheduling.terms import BookingTerms
from bedside_scheduling.visits import Visits
from bedside_scheduling.waiting import Waiting

if TYPE_CHECKING:
    from bedside_core.api import Platform


def answering(platform: Platform) -> Mapping[type[Any], object]:
    """Return the services of scheduling, by what they are asked as.

    Args:
        platform: what they need of core and of other plugins.
    """
    types, reading = AppointmentTypes(platform), Reading(platform)
    offering = Offering(platform, types)
    series, offers = SeriesService(platform), Offers(platform, offering)
    booking = Booking(platform, reading, offering, offers)
    return {
        AppointmentTypes: types,
        Availability: Availability(platform),
        BookingTerms: BookingTerms(platform),
        Offering: offering,
        Reading: reading,
        Schedules: reading,
        Booking: booking,
        Changing: Changing(platform, reading, offering, booking),
        Visits: Visits(platform, reading),
        SeriesService: series,
        SeriesChanging: SeriesChanging(platform, series),
        Groups: Groups(platform, reading),
        Offers: offers,
        GroupOffers: GroupOffers(platform),
        Waiting: Waiting(platform, types, offers),
        Following: Following(platform),
        Counting: Counting(platform),
        ScheduleInbox: ScheduleInbox(platform),
        Feeds: Feeds(platform),
        CalendarAttachments: AppointmentFiles(platform),
    }
