"""What strangers can ask the demo's schedule: operations to paste into GraphiQL, and as whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bedside_core.access import Tier
from bedside_core.auth import Role
from bedside_core.demo.cast import PRACTICES

_PRACTICE = next(practice for practice in PRACTICES if practice.tier is Tier.PREMIUM)
DESK = _PRACTICE.member(Role.STAFF).email
"""Who keeps the calendars of the practice that has everything."""
PATIENT = _PRACTICE.portal
"""Who books there by themselves."""


@dataclass(frozen=True)
class Try:
    """Something to try.

    Args:
        who: whom one signs in as.
        what: what it does, in a few words.
        operation: the document.
    """

    who: str
    what: str
    operation: str


def tries(now: datetime) -> Sequence[Try]:
    """Return what can be tried with the schedule, for the days around an instant."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    past, soon, later = (f"{today + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}" for days in (-7, 7, 14))
    return (
        Try(
            DESK,
            "The practice's calendar, a week back and a week ahead.",
            f"""query Calendar {{
  appointments(from: "{past}", to: "{soon}", first: 100) {{
    nodes {{
      id localStartsAt state kind type {{ name }} members {{ name }}
      patients {{ patient {{ name }} hasPortalAccount canInvite }}
    }}
  }}
  waitingList {{ nodes {{ patient {{ name }} type {{ name }} member {{ name }} offer {{ expiresAt }} }} }}
}}""",
        ),
        Try(
            PATIENT,
            "What the patient has, and what can be booked.",
            """query Mine {
  portal { appointments { nodes { id localStartsAt kind canMove { allowed until } } } }
  appointmentTypes { nodes { id name length members { id name } } }
}""",
        ),
        Try(
            PATIENT,
            "The free times for one of these.",
            f"""query Free($type: ID!) {{
  slots(typeId: $type, from: "{past}", to: "{later}", first: 20) {{
    nodes {{ startsAt kinds zone member {{ id name }} }}
  }}
}}""",
        ),
        Try(
            PATIENT,
            "Booking one, with a key of your own for each try. Take one that is taken, and see what the error says.",
            """mutation Book($type: ID!, $member: ID!, $at: DateTime!, $key: String!) {
  bookAppointment(
    input: { typeId: $type, memberIds: [$member], startsAt: $at, kind: IN_PERSON }, clientId: $key
  ) { appointment { id state localStartsAt } }
}""",
        ),
        Try(
            DESK,
            "Following the calendar live, while somebody books.",
            f"""subscription Live {{
  scheduleChanged(from: "{past}", to: "{later}") {{
    ... on ScheduleOpened {{ cursor }}
    ... on AppointmentChanged {{ appointment {{ localStartsAt state patients {{ patient {{ name }} }} }} }}
    ... on AppointmentGone {{ appointmentId }}
  }}
}}""",
        ),
        Try(
            PATIENT,
            "An address for a calendar application. It is told once.",
            'mutation Feed { makeCalendarFeed(clientId: "my-calendar") { url } }',
        ),
    )
