"""A telehealth visit from the outside: invited, booked, reminded of, moved, cancelled, and offered to who waits."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest
import pytest_asyncio
from accounts_stage import WIDE
from deployment import APPS
from notify_stage import settled
from plugins.portal.desk import PASSWORD, Desk, opened

from bedside_core.auth import Role
from bedside_core.testing import Database, until

HOST = "mutation($m: ID!) { setVideoHost(memberId: $m, enabled: true) { id } }"
SETTINGS = """mutation { updateSchedulingSettings(patch: { waitingList: true, changeHours: 2, noticeMinutes: 0 }) {
    waitingList } }"""
TYPE = """mutation($m: ID!, $c: String!) { createAppointmentType(input: { name: "First visit", minutes: 30, mode: BOTH,
    selfScheduling: true, memberIds: [$m] }, clientId: $c) { id } }"""
WEEK = "mutation($m: ID!, $s: [WeeklySectionInput!]!) { setWeek(memberId: $m, sections: $s) { weekday } }"
SLOTS = """query($t: ID!, $f: DateTime!, $u: DateTime!) {
    slots(typeId: $t, kind: TELEHEALTH, from: $f, to: $u, first: 50) { nodes { startsAt kinds } } }"""
BOOK = """mutation($i: AppointmentInput!, $c: String!) { bookAppointment(input: $i, clientId: $c) {
    appointment { id kind state startsAt version } } }"""
MOVE = """mutation($a: ID!, $s: DateTime!) { moveAppointment(id: $a, startsAt: $s) {
    appointment { startsAt version } } }"""
CANCEL = 'mutation($a: ID!) { cancelAppointment(id: $a, reason: "I am well again") { state } }'
WAIT = """mutation($i: WaitingInput!, $c: String!) { joinWaitingList(input: $i, clientId: $c) { id } }"""
WAITING = "{ waitingList(first: 5) { nodes { outcome offer { id appointment { startsAt state } } } } }"
ACCEPT = "mutation($o: ID!) { acceptOffer(id: $o) { id state startsAt patients { patientId } } }"
OWN = """query($f: DateTime!, $t: DateTime!) { appointments(from: $f, to: $t) { nodes { state startsAt kind } } }"""
DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest_asyncio.fixture
async def desk(fresh_database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Desk]:
    for name, value in WIDE.items():
        monkeypatch.setenv(name, value)
    async with opened(fresh_database) as stage:
        yield stage


def subjects(desk: Desk, address: str) -> list[str]:
    """What was mailed to somebody of appointments, the oldest first."""
    return [subject for mail in desk.mail.to(address) if "appointment" in (subject := str(mail.message["subject"]))]


def soon(desk: Desk, address: str) -> list[str]:
    """What was mailed to somebody of appointments that are about to begin."""
    return [subject for subject in subjects(desk, address) if "begins soon" in subject]


async def mailed(desk: Desk, address: str, *wanted: str) -> None:
    """Wait until exactly these were mailed of appointments, one after the other."""
    await until(lambda: len(subjects(desk, address)) >= len(wanted), f"mails {wanted}: {subjects(desk, address)}", 60)
    found = subjects(desk, address)
    assert len(found) == len(wanted) and all(map(re.search, wanted, found)), found


async def at(desk: Desk, instant: datetime) -> None:
    """Have it be then, and all be done that is due."""
    clock = desk.deployment.platform.clock
    await clock.move(instant - clock.now())
    await settled(desk.deployment, desk.practice)


@pytest.mark.timeout(300)
@pytest.mark.rule("S1", "S4", "S7", "S8", "S9", "S10", "N7")
@pytest.mark.promise("N3")
async def test_a_patient_s_visit_from_the_invitation_to_who_waits_for_its_time(desk: Desk) -> None:
    deployment, practitioner = desk.deployment, await desk.deployment.person(desk.practice, Role.PRACTITIONER, "Nia")
    await desk.data(HOST, desk.owner, m=practitioner.id)
    await desk.data(SETTINGS, desk.owner)
    kind = (await desk.data(TYPE, desk.owner, m=practitioner.id, c="t-1"))["id"]
    section = {"begins": "09:00", "ends": "17:00", "mode": "BOTH", "selfScheduling": True}
    await desk.data(WEEK, practitioner, m=practitioner.id, s=[{"weekday": day, **section} for day in DAYS])

    # The front desk invites two patients, who sign in.
    waiting = await deployment.patient(desk.practice)
    ada, ben = [await desk.registered(patient) for patient in (desk.patient, waiting)]

    async def ask(name: str, query: str, **variables: Any) -> Any:
        """Do something as a patient, who signs in for it: days go by, and a session does not last."""
        [value] = (await deployment.data(query, await deployment.sign_in(name, PASSWORD), **variables)).values()
        return value

    # One books a telehealth slot of a section that is for both, and is told so, with a calendar file.
    now = deployment.platform.clock.now()
    span = {"f": (now + timedelta(days=2)).isoformat(), "u": (now + timedelta(days=4)).isoformat()}
    slots = (await ask(ada, SLOTS, t=kind, **span))["nodes"]
    assert slots and all(slot["kinds"] == ["TELEHEALTH"] or "TELEHEALTH" in slot["kinds"] for slot in slots)
    first, second = slots[0]["startsAt"], slots[-1]["startsAt"]
    given = {"kind": "TELEHEALTH", "startsAt": first, "memberIds": [practitioner.id], "typeId": kind}
    made = (await ask(ada, BOOK, i=given, c="b-1"))["appointment"]
    assert (made["kind"], made["state"], made["startsAt"]) == ("TELEHEALTH", "BOOKED", first)
    await at(desk, deployment.platform.clock.now() + timedelta(minutes=3))
    await mailed(desk, ada, "Your appointment at")
    [confirmation] = [mail.message for mail in desk.mail.to(ada) if "appointment" in str(mail.message["subject"])]
    assert isinstance(confirmation, EmailMessage)
    assert [part.get_content_type() for part in confirmation.walk()].count("text/calendar") == 1

    # The other waits for a time on that day.
    begins = datetime.fromisoformat(first)
    wish = {"typeId": kind, "until": (begins + timedelta(hours=1)).isoformat(), "kind": "TELEHEALTH"}
    await ask(ben, WAIT, i={**wish, "from": (begins - timedelta(hours=1)).isoformat()}, c="w-1")

    # A day before comes the reminder, once; then the visit is moved, and nothing more comes of the old time.
    await at(desk, begins - timedelta(hours=24) + timedelta(minutes=2))
    await mailed(desk, ada, "Your appointment at", "^Reminder")
    moved = (await ask(ada, MOVE, a=made["id"], s=second))["appointment"]
    assert (moved["startsAt"], moved["version"]) == (second, made["version"] + 1)
    await at(desk, deployment.platform.clock.now() + timedelta(minutes=3))
    await mailed(desk, ada, "Your appointment at", "^Reminder", "has changed")

    # Whoever waits is offered what has become free, and takes it.
    await mailed(desk, ben, "has become free")
    [entry] = (await ask(ben, WAITING))["nodes"]
    assert entry["offer"]["appointment"] == {"startsAt": first, "state": "HELD"}
    taken = await ask(ben, ACCEPT, o=entry["offer"]["id"])
    assert (taken["state"], taken["startsAt"]) == ("BOOKED", first)
    assert [each["patientId"] for each in taken["patients"]] == [str(waiting.id)]
    assert [node["outcome"] for node in (await ask(ben, WAITING))["nodes"]] in ([], ["BOOKED"])

    # Half an hour before the old time only the other is reminded; the first one cancels the new time.
    await at(desk, begins - timedelta(minutes=29))
    await until(lambda: len(soon(desk, ben)) > 0, f"a reminder that it begins soon: {subjects(desk, ben)}", 60)
    assert (len(soon(desk, ben)), soon(desk, ada)) == (1, [])
    assert await ask(ada, CANCEL, a=made["id"]) == {"state": "CANCELLED"}
    later = datetime.fromisoformat(second)
    await at(desk, later + timedelta(minutes=5))
    await mailed(desk, ada, "Your appointment at", "^Reminder", "has changed", "is cancelled")
    own = (await ask(ada, OWN, f=span["f"], t=(later + timedelta(days=1)).astimezone(UTC).isoformat()))["nodes"]
    assert own == []  # what is cancelled takes nobody's time
