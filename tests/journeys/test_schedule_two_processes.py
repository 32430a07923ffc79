"""A calendar on screen that is followed at one process while appointments change at the other."""

from __future__ import annotations

from datetime import timedelta

import pytest
from journeys.processes import Site
from plugins.scheduling.calendars import Calendar

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOOK = """mutation($i: AppointmentInput!, $c: String!) { bookAppointment(input: $i, clientId: $c) {
    appointment { id version } } }"""
MOVE = """mutation($i: ID!, $s: DateTime!) { moveAppointment(id: $i, startsAt: $s) { appointment { id version } } }"""
CANCEL = "mutation($i: ID!) { cancelAppointment(id: $i) { id } }"


@pytest.mark.rule("S7", "C16")
@pytest.mark.promise("D5", "D7")
async def test_a_calendar_at_one_process_has_what_is_done_at_the_other(two: Site) -> None:
    here, there = two.doors
    practice = await here.practice()
    sam, patient = await here.person(practice, name="Sam"), await here.patient(practice)
    begin = here.platform.clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(days=1)
    async with here.socket(sam.token) as socket:
        calendar = Calendar(here, sam.token, socket, begin, begin + timedelta(days=7), sam.id)
        await calendar.begin()
        made: list[str] = []
        for number in range(5):
            given = {
                "kind": "IN_PERSON", "startsAt": (begin + timedelta(hours=number)).isoformat(),
                "memberIds": [sam.id], "patientIds": [str(patient.id)], "minutes": 30,
            }  # fmt: skip
            booked = await (here, there)[number % 2].data(BOOK, sam.token, i=given, c=f"c-{number}")
            made.append(booked["bookAppointment"]["appointment"]["id"])
            assert (await calendar.take())["appointment"]["id"] == made[-1]
        await there.data(MOVE, sam.token, i=made[0], s=(begin + timedelta(days=8)).isoformat())
        assert (await calendar.take())["appointmentId"] == made[0]
        cursor = calendar.cursor
        await there.data(CANCEL, sam.token, i=made[1])
        assert (await calendar.take())["appointment"]["state"] == "CANCELLED"
        assert calendar.appointments == await calendar.fetched()
    async with there.socket(sam.token) as socket:
        calendar.socket = socket
        await calendar.begin(cursor)
        assert (await calendar.take())["appointment"]["id"] == made[1]
