"""What tests of appointments ask, and how one is wanted."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from deployment import Held, Person
from plugins.scheduling.rota import Rota, at, monday, text

SHOWN = """fragment Shown on Appointment { id kind state startsAt endsAt localStartsAt localEndsAt zone typeId memberIds
  capacity version sequence heldUntil reason cancelledAt patients { patientId cancelledAt }
  canMove { allowed code until } canCancel { allowed code until } }"""
SAVED = f"""fragment Saved on AppointmentSaved {{ appointment {{ ...Shown }} warnings {{ code patientId memberId }} }}
{SHOWN}"""
BOOK = f"""mutation($i: AppointmentInput!, $c: String!, $p: [ID!]) {{
  bookAppointment(input: $i, clientId: $c, inviteToPortal: $p) {{ ...Saved }} }} {SAVED}"""
HOLD = f"mutation($i: AppointmentInput!, $c: String!) {{ holdSlot(input: $i, clientId: $c) {{ ...Shown }} }} {SHOWN}"
CONFIRM = f"mutation($a: ID!) {{ confirmAppointment(id: $a) {{ ...Saved }} }} {SAVED}"
RELEASE = f"mutation($a: ID!) {{ releaseSlot(id: $a) {{ ...Shown }} }} {SHOWN}"
MOVE = f"""mutation($a: ID!, $s: DateTime!, $n: Int, $m: [ID!], $r: String, $v: Int) {{
  moveAppointment(id: $a, startsAt: $s, minutes: $n, memberIds: $m, reason: $r, version: $v) {{ ...Saved }} }}
{SAVED}"""
CONVERT = f"""mutation($a: ID!, $k: AppointmentKind!, $p: [ID!], $v: Int) {{
  convertAppointment(id: $a, kind: $k, inviteToPortal: $p, version: $v) {{ ...Saved }} }} {SAVED}"""
CANCEL = f"""mutation($a: ID!, $r: String, $v: Int) {{ cancelAppointment(id: $a, reason: $r, version: $v) {{
  ...Shown cancelledBy {{ id name patient }} }} }} {SHOWN}"""
VISIT = """mutation($a: ID!, $s: VisitStep!, $t: DateTime, $v: Int) {
  recordVisit(id: $a, step: $s, at: $t, version: $v) { state arrivedAt startedAt finishedAt version sequence } }"""
ONE = f"query($a: ID!) {{ appointment(id: $a) {{ ...Shown }} }} {SHOWN}"
LIST = """query($f: DateTime!, $t: DateTime!, $m: [ID!], $p: ID, $s: [AppointmentState!], $n: Int, $a: String) {
  appointments(from: $f, to: $t, memberIds: $m, patientId: $p, states: $s, first: $n, after: $a) {
    nodes { id state startsAt version patients { patientId } } pageInfo { hasNextPage endCursor } } }"""
PEOPLE = """query($f: DateTime!, $t: DateTime!, $n: Int) { appointments(from: $f, to: $t, first: $n) { nodes {
  id type { name } members { name } zone bookedBy { name patient } canMove { allowed } canCancel { allowed }
  patients { patient { name portalAccount { state } } hasPortalAccount canInvite } } } }"""
STATES = ["HELD", "BOOKED", "COMPLETED", "NO_SHOW", "CANCELLED", "LAPSED"]
_numbers = count()


def wanted(when: datetime, *people: Person, **more: Any) -> dict[str, Any]:
    """Return what somebody wants, in person if not said otherwise."""
    return {"kind": "IN_PERSON", "startsAt": text(when), "memberIds": [each.id for each in people], **more}


class Agenda:
    """Makes and changes appointments of a practice, and looks at them."""

    def __init__(self, rota: Rota) -> None:
        self.rota = rota
        self.deployment = rota.deployment

    async def ask(self, who: Person | Held, query: str, **given: Any) -> Any:
        """Do something that has to succeed and return what it gives."""
        [value] = (await self.deployment.data(query, who.token, **given)).values()
        return value

    async def refused(self, who: Person | Held, query: str, **given: Any) -> dict[str, Any]:
        """Do something that has to be refused and return the error's extensions."""
        body = await self.deployment.ask(query, who.token, **given)
        assert "errors" in body, body
        [error] = body["errors"]
        return {key: value for key, value in error["extensions"].items() if key not in ("requestId", "retryable")}

    async def code(self, who: Person | Held, query: str, **given: Any) -> str:
        """Do something that has to be refused and return the code."""
        return (await self.refused(who, query, **given))["code"]

    async def book(self, who: Person | Held, when: datetime, *people: Person, **more: Any) -> dict[str, Any]:
        """Book and return the appointment."""
        given = wanted(when, *people, **more)
        return (await self.ask(who, BOOK, i=given, c=self.key()))["appointment"]

    async def hold(self, who: Person | Held, when: datetime, *people: Person, **more: Any) -> dict[str, Any]:
        """Hold and return the appointment."""
        return await self.ask(who, HOLD, i=wanted(when, *people, **more), c=self.key())

    async def one(self, who: Person | Held, appointment: dict[str, Any]) -> dict[str, Any]:
        """Return an appointment as somebody sees it."""
        return await self.ask(who, ONE, a=appointment["id"])

    async def all(self) -> list[dict[str, Any]]:
        """Return the practice's appointments of the fortnight that tests book in, whatever became of them."""
        begins = at(monday(), 0)
        given = {"f": text(begins), "t": text(begins + timedelta(days=14)), "s": STATES, "n": 100}
        return (await self.ask(self.rota.olga, LIST, **given))["nodes"]

    def key(self) -> str:
        """Return a client id."""
        return f"k{next(_numbers)}"
