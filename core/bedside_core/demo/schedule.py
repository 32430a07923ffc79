"""Fills the calendars of the demo's practices, through the public API like any client.

Everything carries a fixed clientId, and its days are counted from when the first of it was made: a second time changes
nothing, on another day neither.
"""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from bedside_core.access import Tier
from bedside_core.auth import Role
from bedside_core.demo import diary
from bedside_core.demo.cast import PRACTICES, DemoPractice
from bedside_core.demo.diary import DIARIES, Diary, Entry, Fate
from bedside_core.demo.portal import is_there
from bedside_core.demo.story import Cast, together

_WEEK = timedelta(weeks=1)

_FEED = 'mutation { makeCalendarFeed(clientId: "demo-feed") { feed { createdAt } } }'
_MEMBERS = "query { members(first: 100) { nodes { id name } } }"
_PATIENTS = "query { patients(first: 50) { nodes { id mrn } } }"
_SETTINGS = "mutation ($patch: SchedulingSettingsPatch!) { updateSchedulingSettings(patch: $patch) { waitingList } }"
_TYPE = """mutation ($what: AppointmentTypeInput!, $id: String!) {
  createAppointmentType(input: $what, clientId: $id) { id }
}"""
_HOURS = (
    "mutation ($of: ID!, $sections: [WeeklySectionInput!]!) { setWeek(memberId: $of, sections: $sections) { begins } }"
)
_OFF = "mutation ($of: ID!, $on: Date!) { setDay(memberId: $of, date: $on, sections: []) { date } }"
_CLOSE = """mutation ($begins: DateTime!, $ends: DateTime!, $why: String!, $id: String!) {
  addClosure(startsAt: $begins, endsAt: $ends, reason: $why, clientId: $id) { id }
}"""
_BOOK = """mutation ($what: AppointmentInput!, $id: String!) {
  bookAppointment(input: $what, clientId: $id) {
    appointment { id startsAt endsAt state arrivedAt startedAt finishedAt }
  }
}"""
_RECORD = "mutation ($id: ID!, $step: VisitStep!, $at: DateTime!) { recordVisit(id: $id, step: $step, at: $at) { id } }"
_CANCEL = "mutation ($id: ID!, $why: String!) { cancelAppointment(id: $id, reason: $why) { id } }"
_SERIES = """mutation ($what: AppointmentInput!, $rule: String!, $id: String!) {
  bookSeries(input: $what, rule: $rule, clientId: $id) { appointments { id } }
}"""
_MOVE = """mutation ($id: ID!, $to: DateTime!, $why: String!) {
  moveAppointment(id: $id, startsAt: $to, reason: $why) { appointment { id } }
}"""
_WAIT = "mutation ($what: WaitingInput!, $id: String!) { joinWaitingList(input: $what, clientId: $id) { id } }"

_DONE = {"ARRIVED": "arrivedAt", "STARTED": "startedAt", "COMPLETED": "finishedAt"}
"""Step of a visit -> where it shows that it was recorded."""


async def keep_calendars(cast: Cast) -> None:
    """Have each practice make appointments.

    Args:
        cast: the people, on their plans, with the patients let in.

    Raises:
        StoryFailed: the API refused a step.
    """
    if await asyncio.to_thread(is_there, cast, "scheduling"):
        await together(*(partial(_keep, cast, practice) for practice in PRACTICES))


def _keep(cast: Cast, practice: DemoPractice) -> None:
    kept, desk = _Book(cast, practice), cast[practice.member(Role.STAFF).email]
    kept.open_up()
    for entry in kept.diary.entries:
        kept.enter(entry)
    if practice.tier is Tier.PREMIUM:
        kept.close()
        kept.recur()
        patient, about, whom, span = diary.WAITS
        wish = {"patientId": kept.patients[patient], "typeId": kept.types[about], "memberId": kept.members[whom]}
        # Last, so that nothing that became free before is offered.
        desk.ask(_WAIT, what={**wish, "until": (kept.made + span).isoformat()}, id="demo-wait")


class _Book:
    """A practice's calendars, and the ids of whom and what they are about.

    Args:
        cast: the people.
        practice: the practice.
    """

    def __init__(self, cast: Cast, practice: DemoPractice) -> None:
        self.diary: Diary = DIARIES[practice.tier]
        self._zone = ZoneInfo(practice.zone)
        self._desk, self._manager = (cast[practice.member(role).email] for role in (Role.STAFF, Role.MANAGER))
        self._cast, self._practice = cast, practice
        # A practitioner has a feed; what comes later on is counted from when it was made.
        feed = cast[practice.member(Role.PRACTITIONER).email].ask(_FEED)["makeCalendarFeed"]["feed"]
        self.made = datetime.fromisoformat(feed["createdAt"])
        """The instant from which days are counted."""
        names = {node["name"]: node["id"] for node in self._desk.ask(_MEMBERS)["members"]["nodes"]}
        numbers = {node["mrn"]: node["id"] for node in self._desk.ask(_PATIENTS)["patients"]["nodes"]}
        self.members = [
            names[f"{each.first_name} {each.last_name}"] for each in practice.members if each.role is Role.PRACTITIONER
        ]
        """The practitioners' ids."""
        self.patients = [numbers[each.mrn] for each in practice.patients]
        """The patients' ids."""
        self.types: dict[str, str] = {}
        """Key -> id of what appointments can be about."""

    def open_up(self) -> None:
        """Say what appointments can be about, and when there are any."""
        if self.diary.settings:
            self._manager.ask(_SETTINGS, patch=self.diary.settings)
        for key, (whose, terms) in self.diary.types.items():
            what = {**terms, "memberIds": [self.members[number] for number in whose]}
            made = self._manager.ask(_TYPE, what=what, id=f"demo-type-{key}")
            self.types[key] = made["createAppointmentType"]["id"]
        for member_id, sections in zip(self.members, self.diary.weeks, strict=True):
            self._desk.ask(_HOURS, of=member_id, sections=sections)

    def enter(self, entry: Entry) -> None:
        """Book an appointment, and record what has become of it by now."""
        booker = self._cast[self._practice.portal] if entry.own else self._desk
        what = self._input(entry)
        if entry.own:
            del what["patientIds"]
        made = booker.ask(_BOOK, what=what, id=f"demo-{entry.key}")["bookAppointment"]["appointment"]
        if entry.fate is Fate.CALLED_OFF:
            booker.ask(_CANCEL, id=made["id"], why=diary.WHY_NOT)
        begins, ends = (datetime.fromisoformat(made[name]) for name in ("startsAt", "endsAt"))
        for step, at in entry.steps(begins, ends, self.made):
            done = made["state"] == "NO_SHOW" if step == "NO_SHOW" else made[_DONE[step]] is not None
            if not done:
                self._desk.ask(_RECORD, id=made["id"], step=step, at=at.isoformat())

    def close(self) -> None:
        """Close for an afternoon, and let a practitioner have a day off."""
        number, begins, ends, why = diary.CLOSED
        day = diary.workday(self._first, number)
        span = {"begins": diary.wall(day, begins, self._zone), "ends": diary.wall(day, ends, self._zone)}
        told = {name: instant.isoformat() for name, instant in span.items()}
        self._manager.ask(_CLOSE, **told, why=why, id="demo-closure")
        number, whose = diary.DAY_OFF
        self._desk.ask(_OFF, of=self.members[whose], on=diary.workday(self._first, number).isoformat())

    def recur(self) -> None:
        """Book a weekly series, of which one is moved by itself."""
        first = diary.SERIES
        made = self._desk.ask(_SERIES, what=self._input(first), rule=diary.SERIES_RULE, id="demo-series")
        place, clock, why = diary.SERIES_MOVED
        day = first.begins(self.made, self._zone).date() + place * _WEEK
        moved = made["bookSeries"]["appointments"][place]["id"]
        self._desk.ask(_MOVE, id=moved, to=diary.wall(day, clock, self._zone).isoformat(), why=why)

    @property
    def _first(self) -> date:
        return self.made.astimezone(self._zone).date()

    def _input(self, entry: Entry) -> dict[str, Any]:
        return {
            "kind": "TELEHEALTH" if entry.video else "IN_PERSON",
            "startsAt": entry.begins(self.made, self._zone).isoformat(),
            "memberIds": [self.members[entry.of]],
            "patientIds": [self.patients[number] for number in entry.patients],
            "typeId": self.types[entry.type],
        }
