"""Calendars on screen that are kept by `scheduleChanged` alone, as a client does (promise D7)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from deployment import Deployment, Socket

APPOINTMENT = "id kind state startsAt version memberIds patients { patientId cancelledAt }"
FOLLOW = f"""subscription($f: DateTime!, $t: DateTime!, $m: [ID!], $a: String) {{
    scheduleChanged(from: $f, to: $t, memberIds: $m, after: $a) {{ __typename
        ... on ScheduleOpened {{ cursor }}
        ... on AppointmentChanged {{ cursor appointment {{ {APPOINTMENT} }} }}
        ... on AppointmentGone {{ cursor appointmentId }}
        ... on AvailabilityChanged {{ cursor memberId }} }} }}"""
STATE = f"""query($f: DateTime!, $t: DateTime!, $m: [ID!], $s: [AppointmentState!]) {{
    appointments(from: $f, to: $t, memberIds: $m, states: $s, first: 100) {{ nodes {{ {APPOINTMENT} }} }} }}"""
SHOWN = ["HELD", "BOOKED", "COMPLETED", "NO_SHOW", "CANCELLED"]


class Calendar:
    """A client that has fetched once and goes by events from then on."""

    def __init__(
        self, deployment: Deployment, token: str, socket: Socket, begin: datetime, end: datetime, *members: str
    ) -> None:
        self.deployment, self.token, self.socket = deployment, token, socket
        self.range: dict[str, Any] = {"f": begin.isoformat(), "t": end.isoformat(), "m": list(members) or None}
        self.appointments: dict[str, dict[str, Any]] = {}
        self.seen: list[dict[str, Any]] = []
        self.cursor: str | None = None
        self.key = ""

    async def begin(self, after: str | None = None) -> None:
        """Subscribe first, and fetch after the first event."""
        self.key = await self.socket.subscribe(FOLLOW, **self.range, a=after)
        if after is None:
            assert (await self.take())["__typename"] == "ScheduleOpened"

    async def fetched(self) -> dict[str, dict[str, Any]]:
        """What the calendar is, asked anew."""
        data = await self.deployment.data(STATE, self.token, **self.range, s=SHOWN)
        return {node["id"]: node for node in data["appointments"]["nodes"]}

    async def take(self) -> dict[str, Any]:
        """Take the next event into the state, and return it."""
        event = (await self.socket.next(self.key))["scheduleChanged"]
        self.seen.append(event)
        match event["__typename"]:
            case "ScheduleOpened":
                self.appointments = await self.fetched()
            case "AppointmentChanged":
                self.appointments[event["appointment"]["id"]] = event["appointment"]
            case "AvailabilityChanged":
                pass
            case _:
                self.appointments.pop(event["appointmentId"], None)
        self.cursor = event["cursor"]
        return event
