"""Practices with people and one of everything that has an id, for tests of who sees what.

Whoever adds a kind of thing with an id adds how one is made to `KINDS`; the tests then ask for it by themselves.
"""

from __future__ import annotations

import itertools
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from accounts_stage import BEGIN_PASSKEY, URL, Authenticator, add_passkey
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from deployment import PASSWORD, Deployment, Guest, Held, Person
from files_stage import ATTACH, CREATE, sha256

from bedside_core.auth import Role
from bedside_core.database import DB, acting, unit
from bedside_core.ids import uuid7
from bedside_core.jobs.declared import JobRun
from bedside_core.notify import Fact, Recipient
from bedside_core.people import NewPatient, Practice
from bedside_core.testing import until
from contract import schedule_world, visit_world

MISSING = "0199aaaa-0000-7000-8000-000000000000"
MEMBERS = (Role.OWNER, Role.MANAGER, Role.PRACTITIONER, Role.STAFF)
_numbers = itertools.count(1)

CONTACT = "mutation($i: ContactInput!, $c: String!) { addContact(input: $i, clientId: $c) { id } }"
START = "mutation($m: ID!, $c: String!) { startConversation(memberId: $m, clientId: $c) { id } }"
SEND = """mutation($i: ID!, $u: Boolean, $c: String!) {
    sendMessage(conversationId: $i, body: "Hello", urgent: $u, clientId: $c) { id } }"""
SHARE = """mutation($i: ID!, $u: [ID!], $c: String!) {
    sendMessage(conversationId: $i, uploadIds: $u, clientId: $c) { id } }"""
START_WITH = "mutation($m: ID!, $c: String!) { startPractitionerConversation(memberId: $m, clientId: $c) { id } }"
TYPE = """mutation($m: ID!, $c: String!) { createAppointmentType(input: { name: "Visit", selfScheduling: true,
    memberIds: [$m] }, clientId: $c) { id } }"""
BOOK = """mutation($i: AppointmentInput!, $c: String!) {
    bookAppointment(input: $i, clientId: $c) { appointment { id } } }"""
HOLD = "mutation($i: AppointmentInput!, $c: String!) { holdSlot(input: $i, clientId: $c) { id } }"
SLOT = """query($y: ID!, $f: DateTime!, $t: DateTime!) {
    slots(typeId: $y, from: $f, to: $t, first: 1) { nodes { startsAt } } }"""
FEED = "mutation($c: String!) { makeCalendarFeed(clientId: $c) { feed { id } } }"
CLOSURE = """mutation($m: ID!, $b: DateTime!, $e: DateTime!, $c: String!) {
    addClosure(memberId: $m, startsAt: $b, endsAt: $e, clientId: $c) { id } }"""
AVAILABLE = """mutation($m: ID!, $s: [WeeklySectionInput!]!, $d: [DaySectionInput!]!) {
    setWeek(memberId: $m, sections: $s) { mode } setDay(memberId: $m, date: "2020-02-29", sections: $d) { date } }"""
SECTION = {"begins": "09:00", "ends": "17:00", "selfScheduling": True}
QUICK_TEXT = 'mutation($c: String!) { createQuickText(title: "Hello", body: "Hello", clientId: $c) { id } }'
REACT = 'mutation($i: ID!) { reactToMessage(messageId: $i, emoji: "👍") { id } }'
PORTAL_CHAT = """mutation {
    updateChatSettings(patch: { patientsInPortal: true, patientsDelete: true }) { patientsInPortal } }"""
GROUP = """mutation($p: Boolean!, $c: String!) {
    createGroup(name: "Night shift", description: "Of the ward", private: $p, clientId: $c) { id } }"""
TABLE = b"First name,Last name,DOB,MRN,Sex,Phone\nPat,Moore,1950-02-30,I-1,female,2025550143\n"
IMPORT = """mutation($u: ID!, $c: String!) {
    importPatients(input: { uploadId: $u, dryRun: true }, clientId: $c) { id } }"""
EXPORT = "mutation($p: ID!, $c: String!) { exportPatient(patientId: $p, clientId: $c) { id } }"
EXPORT_CHAT = """mutation($i: ID!, $c: String!) {
    exportConversation(conversationId: $i, format: JSON, clientId: $c) { id } }"""
REQUEST = "mutation($p: String!, $c: String!) { requestConnection(practice: $p, clientId: $c) { id } }"
ACCEPT = "mutation($i: ID!) { acceptConnection(id: $i) { id } }"
INVITE = """mutation($i: InvitationInput!, $c: String!) { inviteMember(input: $i, clientId: $c) { id } }"""
API_KEY = """mutation($u: DateTime!, $c: String!) {
    createApiKey(name: "Key", scopes: ["patients.read"], expiresAt: $u, clientId: $c) { key { id } } }"""
INVITE_PATIENT = """mutation($p: ID!, $c: String!) {
    invitePatient(patientId: $p, channel: EMAIL, clientId: $c) { id } }"""
HOLDERS = "query($p: ID!) { patient(id: $p) { portalAccount { holders { id } } } }"
BOOKING = "mutation($p: ID!) { setPatientBooking(patientId: $p, allowed: true) { state } }"
REMINDED = "mutation { updateChatPatientSettings(patch: { urgentReminders: false }) { urgentReminders } }"
SUSPEND = "mutation($p: ID!) { suspendPortalAccount(patientId: $p) { state } }"
TRIAL = {Fact.SENDER: "Ada", Fact.TIME: datetime(2026, 11, 22, 12, tzinfo=UTC), Fact.LINK: "/"}
TEXT = b"Some words.\n"
PUSH_KEY = urlsafe_b64encode(
    ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
).decode()
PUSH_SECRET = urlsafe_b64encode(bytes(16)).decode()
CONFIG: dict[str, Any] = {
    "public_url": URL,
    "smtp_url": "smtp://127.0.0.1:9",
    "mail_sender": "Bedside <no-reply@clinic.example>",
}
"""What the world needs of a deployment; no mail server is there."""


def client_id() -> str:
    """Return one that was not used yet."""
    return f"c{next(_numbers)}"


async def member(deployment: Deployment, practice: Practice, person: Person) -> str:
    return (await deployment.person(practice, Role.STAFF)).id


async def patient(deployment: Deployment, practice: Practice, person: Person) -> str:
    number = next(_numbers)
    new = NewPatient(
        first_name="Pat", last_name=f"Moore{'x' * (number % 7)}", date_of_birth=date(1950, 2, 3), mrn=f"W-{number}",
        gender="female", phone="+12025550143", email=f"pat{number}@example.org",
    )  # fmt: skip
    return str((await deployment.platform.people.create_patient(practice.id, new)).id)


async def contact(deployment: Deployment, practice: Practice, person: Person) -> str:
    given = {"firstName": "Con", "lastName": "Tact", "email": f"con{next(_numbers)}@example.org"}
    return (await deployment.data(CONTACT, person.token, i=given, c=client_id()))["addContact"]["id"]


async def conversation(deployment: Deployment, practice: Practice, person: Person | Held | Guest) -> str:
    return (await _written(deployment, practice, person))[0]


async def _written(
    deployment: Deployment, practice: Practice, person: Person | Held | Guest, *, urgent: bool = False
) -> tuple[str, str]:
    """Return a conversation of the person's with a message in it; an urgent one is the other's."""
    if isinstance(person, Guest):  # who has the one
        owner = await deployment.person(practice, Role.OWNER)
        await deployment.data(PORTAL_CHAT, owner.token)
        sender, id = person.member if urgent else person, person.conversation_id
        sent = await deployment.data(SEND, sender.token, i=id, u=urgent, c=client_id())
        return id, sent["sendMessage"]["id"]
    other = await deployment.person(practice)
    if isinstance(person, Held):
        owner = await deployment.person(practice, Role.OWNER)
        await deployment.data(PORTAL_CHAT, owner.token)
        started = await deployment.data(START_WITH, person.token, m=other.id, c=client_id())
        id = started["startPractitionerConversation"]["id"]
    else:
        started = await deployment.data(START, person.token, m=other.id, c=client_id())
        id = started["startConversation"]["id"]
    sender = other if urgent else person
    sent = await deployment.data(SEND, sender.token, i=id, u=urgent, c=client_id())
    return id, sent["sendMessage"]["id"]


async def message(deployment: Deployment, practice: Practice, person: Person | Held | Guest) -> str:
    return (await _written(deployment, practice, person))[1]


async def urgent_message(deployment: Deployment, practice: Practice, person: Person | Held | Guest) -> str:
    return (await _written(deployment, practice, person, urgent=True))[1]


async def quick_text(deployment: Deployment, practice: Practice, person: Person) -> str:
    return (await deployment.data(QUICK_TEXT, person.token, c=client_id()))["createQuickText"]["id"]


async def appointment_type(deployment: Deployment, practice: Practice, person: Person | Held) -> str:
    leader = await deployment.person(practice, Role.OWNER)
    return (await deployment.data(TYPE, leader.token, m=leader.id, c=client_id()))["createAppointmentType"]["id"]


async def own_member(deployment: Deployment, practice: Practice, person: Person) -> str:
    return person.id


async def closure(deployment: Deployment, practice: Practice, person: Person) -> str:
    begins = deployment.platform.clock.now() + timedelta(days=30)
    span = {"b": begins.isoformat(), "e": (begins + timedelta(hours=1)).isoformat()}
    made = await deployment.data(CLOSURE, person.token, m=person.id, c=client_id(), **span)
    return made["addClosure"]["id"]


async def appointment(deployment: Deployment, practice: Practice, person: Person | Held, days: int = 20) -> str:
    """Have the front desk book one: a patient's own, where it is made by one."""
    desk = person if isinstance(person, Person) else await deployment.person(practice, Role.STAFF)
    of = person.id if isinstance(person, Held) else await portal_patient(deployment, practice, desk)
    given = await _appointment(deployment, practice, timedelta(days=days))
    made = await deployment.data(BOOK, desk.token, i=given | {"patientIds": [of]}, c=client_id())
    return made["bookAppointment"]["appointment"]["id"]


async def begun_appointment(deployment: Deployment, practice: Practice, person: Person) -> str:
    return await appointment(deployment, practice, person, days=-1)


async def held_slot(deployment: Deployment, practice: Practice, person: Person | Held) -> str:
    given = await _appointment(deployment, practice, timedelta(days=20))
    if isinstance(person, Held):
        doctor, leader = await deployment.person(practice), await deployment.person(practice, Role.OWNER)
        week = [{"weekday": "MONDAY", **SECTION}]
        await deployment.data(AVAILABLE, doctor.token, m=doctor.id, s=week, d=[SECTION])
        kind = (await deployment.data(TYPE, leader.token, m=doctor.id, c=client_id()))["createAppointmentType"]["id"]
        now = deployment.platform.clock.now()
        month = {"f": now.isoformat(), "t": (now + timedelta(days=30)).isoformat()}
        [slot] = (await deployment.data(SLOT, person.token, y=kind, **month))["slots"]["nodes"]
        given |= {"memberIds": [doctor.id], "typeId": kind, "startsAt": slot["startsAt"]}
    else:
        given |= {"patientIds": [await portal_patient(deployment, practice, person)]}
    return (await deployment.data(HOLD, person.token, i=given, c=client_id()))["holdSlot"]["id"]


async def _appointment(deployment: Deployment, practice: Practice, ahead: timedelta) -> dict[str, Any]:
    doctor, now = await deployment.person(practice), deployment.platform.clock.now()
    begins = (now + ahead).replace(second=0, microsecond=0)
    return {"kind": "IN_PERSON", "startsAt": begins.isoformat(), "memberIds": [doctor.id]}


async def own_patient(deployment: Deployment, practice: Practice, person: Person | Held) -> str:
    return person.id if isinstance(person, Held) else await patient(deployment, practice, person)


async def calendar_feed(deployment: Deployment, practice: Practice, person: Person | Held | Guest) -> str:
    if isinstance(person, Guest):  # guests have no calendar
        person = await deployment.person(practice)
    return (await deployment.data(FEED, person.token, c=client_id()))["makeCalendarFeed"]["feed"]["id"]


async def group(deployment: Deployment, practice: Practice, person: Person) -> str:
    made = await deployment.data(GROUP, person.token, p=True, c=client_id())
    return made["createGroup"]["id"]


async def open_group(deployment: Deployment, practice: Practice, person: Person) -> str:
    other = await deployment.person(practice)
    return (await deployment.data(GROUP, other.token, p=False, c=client_id()))["createGroup"]["id"]


async def member_of_care(deployment: Deployment, practice: Practice, person: Person | Held) -> str:
    return (await deployment.person(practice)).id


async def patient_import(deployment: Deployment, practice: Practice, person: Person) -> str:
    leader = await deployment.person(practice, Role.OWNER)
    given = {"name": "a.csv", "size": len(TABLE), "sha": sha256(TABLE), "c": client_id()}
    announced = (await deployment.data(CREATE, leader.token, **given))["createUpload"]
    sent = {"authorization": f"Bearer {leader.token}"}
    assert (await deployment.http.put(announced["url"], content=TABLE, headers=sent)).status_code == 200
    made = await deployment.data(IMPORT, leader.token, u=announced["id"], c=client_id())
    id = made["importPatients"]["id"]
    if deployment.platform.config.worker:
        await until(lambda: _ended(deployment, leader, id), "the import's end", 60)
        return id
    with acting(practice.id):  # a row is refused
        run = JobRun(platform=deployment.platform, practice_id=practice.id, payload={"import_id": id}, attempt=1)
        await deployment.platform.jobs.entries["core.import_patients"].function(run)
    return id


async def _ended(deployment: Deployment, leader: Person, import_id: str) -> bool:
    told = await deployment.data("query($i: ID!) { patientImport(id: $i) { endedAt } }", leader.token, i=import_id)
    return told["patientImport"]["endedAt"] is not None


async def data_export(deployment: Deployment, practice: Practice, person: Person) -> str:
    of = await patient(deployment, practice, person)
    if person.member.role is not Role.OWNER:
        person = await deployment.person(practice, Role.OWNER)
    return (await deployment.data(EXPORT, person.token, p=of, c=client_id()))["exportPatient"]["id"]


async def conversation_export(deployment: Deployment, practice: Practice, person: Person | Held | Guest) -> str:
    if isinstance(person, Guest):  # guests export nothing
        person = await deployment.person(practice)
    of = await conversation(deployment, practice, person)
    return (await deployment.data(EXPORT_CHAT, person.token, i=of, c=client_id()))["exportConversation"]["id"]


async def own_practice(deployment: Deployment, practice: Practice, person: Person) -> str:
    return str(practice.id)


async def connection_asked(deployment: Deployment, practice: Practice, person: Person) -> str:
    asker = await deployment.practice("Asker")
    owner = await deployment.person(asker, Role.OWNER)
    asked = await deployment.data(REQUEST, owner.token, p=str(practice.id), c=client_id())
    return asked["requestConnection"]["id"]


async def connection(deployment: Deployment, practice: Practice, person: Person) -> str:
    id = await connection_asked(deployment, practice, person)
    owner = await deployment.person(practice, Role.OWNER)
    await deployment.data(ACCEPT, owner.token, i=id)
    return id


async def persona(deployment: Deployment, practice: Practice, person: Person | Held) -> str:
    return person.id


async def session(deployment: Deployment, practice: Practice, person: Person | Held) -> str:
    await deployment.sign_in(person.email)
    [*_, other] = (await deployment.data("{ sessions { id } }", person.token))["sessions"]
    return other["id"]


async def challenge(deployment: Deployment, practice: Practice, person: Person | Held) -> str:
    return (await deployment.data(BEGIN_PASSKEY, person.token, p=PASSWORD))["beginPasskey"]["id"]


async def passkey(deployment: Deployment, practice: Practice, person: Person | Held) -> str:
    await add_passkey(deployment, person.token, PASSWORD, Authenticator())
    found = await deployment.data("{ secondFactors { passkeys { id } } }", person.token)
    return found["secondFactors"]["passkeys"][-1]["id"]


async def api_key(deployment: Deployment, practice: Practice, person: Person) -> str:
    until = (datetime.now(UTC) + timedelta(days=9)).isoformat()
    made = await deployment.data(API_KEY, person.token, u=until, c=client_id())
    return made["createApiKey"]["key"]["id"]


async def notification(deployment: Deployment, practice: Practice, person: Person | Held) -> str:
    platform = deployment.platform
    with acting(practice.id):
        async with unit() as work:
            to = (
                Recipient.patient(person.patient.id, practice.id)
                if isinstance(person, Held)
                else Recipient.member(person.member.id, practice.id)
            )
            made = await platform.notify.send(work, "core.trial", to=to, data=TRIAL)
        run = JobRun(platform=platform, practice_id=practice.id, payload={}, attempt=1)
        for job in ("core.notify_plan", "core.notify_email"):  # the attempt fails
            await platform.jobs.entries[job].function(run)
    return str(made)


async def upload(deployment: Deployment, practice: Practice, person: Person | Held | Guest) -> str:
    return (await _announced(deployment, person))["id"]


async def stored_upload(deployment: Deployment, practice: Practice, person: Person | Held | Guest) -> str:
    announced = await _announced(deployment, person)
    answer = await deployment.http.put(
        announced["url"], content=TEXT, headers={"authorization": f"Bearer {person.token}"}
    )
    assert answer.status_code == 200, answer.text
    return announced["id"]


async def file(deployment: Deployment, practice: Practice, person: Person | Held | Guest) -> str:
    """A patient's file; of a patient who is asked for, theirs, though somebody of the practice uploads it."""
    if isinstance(person, Guest):  # a file of their conversation
        shared = await stored_upload(deployment, practice, person)
        await deployment.data(SHARE, person.token, i=person.conversation_id, u=[shared], c=client_id())
        return shared
    whose = person.id if isinstance(person, Held) else None
    maker = await deployment.person(practice) if isinstance(person, Held) else person
    ids = {
        "u": await stored_upload(deployment, practice, maker),
        "p": whose or await patient(deployment, practice, maker),
    }
    return (await deployment.data(ATTACH, maker.token, **ids))["attachToPatient"]["id"]


async def deletable_file(deployment: Deployment, practice: Practice, person: Person | Held | Guest) -> str:
    """A file of their own; of patients and guests, who may delete where the practice lets them, one in chat."""
    if isinstance(person, Person):
        return await file(deployment, practice, person)
    owner = await deployment.person(practice, Role.OWNER)
    await deployment.data(PORTAL_CHAT, owner.token)
    shared = await stored_upload(deployment, practice, person)
    where = (await _written(deployment, practice, person))[0]
    await deployment.data(SHARE, person.token, i=where, u=[shared], c=client_id())
    return shared


async def portal_invitation(deployment: Deployment, practice: Practice, person: Person) -> str:
    asked = {"p": await patient(deployment, practice, person), "c": client_id()}
    return (await deployment.data(INVITE_PATIENT, person.token, **asked))["invitePatient"]["id"]


async def portal_patient(deployment: Deployment, practice: Practice, person: Person) -> str:
    return (await deployment.held(practice)).id


async def portal_holder(deployment: Deployment, practice: Practice, person: Person) -> str:
    held = await deployment.held(practice, relationship="mother")
    told = await deployment.data(HOLDERS, person.token, p=held.id)
    return told["patient"]["portalAccount"]["holders"][0]["id"]


async def _announced(deployment: Deployment, person: Person | Held | Guest) -> dict[str, Any]:
    what = {"name": "a.txt", "size": len(TEXT), "sha": sha256(TEXT), "c": client_id()}
    return (await deployment.data(CREATE, person.token, **what))["createUpload"]


async def invitation(deployment: Deployment, practice: Practice, person: Person) -> str:
    owner = await deployment.person(practice, Role.OWNER)
    given = {"email": f"inv{next(_numbers)}@example.org", "firstName": "In", "lastName": "Vited", "role": "STAFF"}
    return (await deployment.data(INVITE, owner.token, i=given, c=client_id()))["inviteMember"]["id"]


REGISTER = "mutation($i: ApplicationInput!, $c: String!) { registerApplication(input: $i, clientId: $c) { id } }"


async def application(deployment: Deployment, practice: Practice, person: Person) -> str:
    given = {"name": "App", "redirectUris": ["https://app.example/callback"], "scopes": ["patients.read"]}
    owner = await deployment.person(practice, Role.OWNER)
    made = await deployment.data(REGISTER, owner.token, i=given, c=client_id())
    return made["registerApplication"]["id"]


HOOK = """mutation($c: String!) {
    createWebhook(url: "https://partner.invalid/", types: ["contact.added"], clientId: $c) { webhook { id } } }"""


async def webhook(deployment: Deployment, practice: Practice, person: Person) -> str:
    owner = await deployment.person(practice, Role.OWNER)
    made = await deployment.data(HOOK, owner.token, c=client_id())
    return made["createWebhook"]["webhook"]["id"]


async def webhook_delivery(deployment: Deployment, practice: Practice, person: Person) -> str:
    hook = UUID(await webhook(deployment, practice, person))
    await contact(deployment, practice, person)
    with acting(practice.id):
        delivery = await DB.fetchval("SELECT id FROM webhook_delivery WHERE endpoint_id = $1", hook)
        await DB.execute("UPDATE webhook_delivery SET state = 'failed' WHERE id = $1", delivery)
    return str(delivery)


@dataclass(frozen=True)
class Kind:
    """A kind of thing with an id.

    Args:
        make: makes a fresh one of a practice, by one of its people; by a patient, what patients have.
        personal: whether others of the same practice don't see it.
        of_account: whether it is an account's, which guests have none of.
        everybodys: whether each patient of the practice sees it, whoever it was made for.
    """

    make: Callable[[Deployment, Practice, Any], Awaitable[str]]
    personal: bool = False
    of_account: bool = False
    everybodys: bool = False


KINDS: Mapping[str, Kind] = {
    "application": Kind(application),
    "webhook": Kind(webhook),
    "webhook_delivery": Kind(webhook_delivery),
    "member": Kind(member),
    "patient": Kind(patient),
    "contact": Kind(contact),
    "conversation": Kind(conversation, personal=True),
    "message": Kind(message, personal=True),
    "deletable_message": Kind(message),  # leaders delete what others wrote
    "urgent_message": Kind(urgent_message, personal=True),
    "quick_text": Kind(quick_text, personal=True),
    "exportable_conversation": Kind(conversation),  # owners export what they are not in (C15)
    "conversation_export": Kind(conversation_export, personal=True),
    "group": Kind(group, personal=True),
    "open_group": Kind(open_group),
    "member_of_care": Kind(member_of_care, everybodys=True),
    "practice": Kind(own_practice),
    "connection_asked": Kind(connection_asked),
    "connection": Kind(connection),
    "patient_import": Kind(patient_import),
    "data_export": Kind(data_export, personal=True),
    "persona": Kind(persona, personal=True, of_account=True),
    "session": Kind(session, personal=True, of_account=True),
    "challenge": Kind(challenge, personal=True, of_account=True),
    "passkey": Kind(passkey, personal=True, of_account=True),
    "api_key": Kind(api_key),
    "notification": Kind(notification, personal=True),
    "upload": Kind(upload, personal=True),
    "stored_upload": Kind(stored_upload, personal=True),
    "file": Kind(file),
    "deletable_file": Kind(deletable_file),
    "portal_invitation": Kind(portal_invitation),
    "portal_patient": Kind(portal_patient),
    "portal_holder": Kind(portal_holder),
    "invitation": Kind(invitation),
    "appointment_type": Kind(appointment_type, everybodys=True),
    "own_member": Kind(own_member),  # practitioners keep their own availability
    "closure": Kind(closure),
    "appointment": Kind(appointment),
    "begun_appointment": Kind(begun_appointment),
    "held_slot": Kind(held_slot, personal=True),
    "releasable_slot": Kind(held_slot),  # members let go what others hold
    "own_patient": Kind(own_patient),
    "series": Kind(schedule_world.series),
    "group_appointment": Kind(schedule_world.group_appointment, everybodys=True),
    "waited_type": Kind(schedule_world.waited_type, everybodys=True),
    "waiting_patient": Kind(schedule_world.waiting_patient),
    "waiting_entry": Kind(schedule_world.waiting_entry),
    "waiting_offer": Kind(schedule_world.waiting_offer),
    "calendar_feed": Kind(calendar_feed, personal=True),
    "video_session": Kind(visit_world.session, personal=True),
    "open_session": Kind(visit_world.other_session, everybodys=True),
    "video_participant": Kind(visit_world.participant, personal=True),
}

SET = """mutation($key: String!, $secret: String!) {
    updatePeopleSettings(patch: { phoneRegions: ["US", "PR"] }) { phoneRegions }
    updateGraphqlSettings(patch: { persistedOnly: false }) { persistedOnly }
    updateNotificationPreferences(patch: { language: SPANISH }) { language }
    setNotificationTemplate(kind: "core.trial", language: ENGLISH, part: SUBJECT, template: "Try") { kind }
    subscribeToPush(endpoint: "https://push.example/1", publicKey: $key, secret: $secret)
}"""

LIMIT = 'mutation($p: ID!) { setPlanLimit(practiceId: $p, key: "storage_gb", amount: 5) { tier } }'


async def furnish(deployment: Deployment, practice: Practice, person: Person) -> None:
    """Put at least one row of a practice into every table that a practice can fill."""
    for kind in KINDS.values():
        await kind.make(deployment, practice, person)
    await deployment.guest(practice)
    owner = await deployment.person(practice, Role.OWNER)
    await deployment.data(SET, owner.token, key=PUSH_KEY, secret=PUSH_SECRET)
    of = UUID(await patient(deployment, practice, person))
    now = deployment.platform.clock.now()
    with acting(practice.id):  # what time alone brings about
        await DB.execute("INSERT INTO retention_due VALUES ($1, $2, $3, false)", practice.id, of, now)
        await DB.execute(
            "INSERT INTO notification_opt_out VALUES ($1, $2, $3, $4)", practice.id, "+12125550199", of, now
        )
        await DB.fetchrow(
            "SELECT * FROM practice_erasure_ask($1, NULL, $2, $3)", uuid7(), now, now + timedelta(days=30)
        )
    sent = await message(deployment, practice, person)
    await deployment.data(REACT, person.token, i=sent)
    await quick_text(deployment, practice, person)
    weekly = [{"weekday": "MONDAY", **SECTION}]
    await deployment.data(AVAILABLE, person.token, m=person.id, s=weekly, d=[SECTION])
    with acting(practice.id):
        await DB.execute(
            """INSERT INTO message_attachment (practice_id, conversation_id, message_id, file_id, place)
            SELECT practice_id, conversation_id, id, $2, 1 FROM message WHERE id = $1""",
            UUID(sent),
            uuid7(),
        )
    held = await deployment.held(practice)
    await deployment.data(BOOKING, owner.token, p=held.id)
    await deployment.data(REMINDED, held.token)
    await deployment.data(SUSPEND, owner.token, p=held.id)
    operator = await deployment.operator()
    await deployment.data(LIMIT, operator, p=str(practice.id))
