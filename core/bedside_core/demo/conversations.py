"""Lets the demo's people converse with patients, a contact, in a group and as a team, through the public API.

Like the rest of the story it carries fixed clientIds: a second time changes nothing.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from bedside_core.auth import Role
from bedside_core.demo.cast import CONTACT, PRACTICES, DemoPractice
from bedside_core.demo.pictures import monitor
from bedside_core.demo.portal import is_there
from bedside_core.demo.story import Cast, Client, together

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_OPEN = {f"hours{day}": "08:00-18:00" if day in _DAYS[:5] else "" for day in _DAYS}
_CLOSED = dict.fromkeys(_OPEN, "")
_ALWAYS = dict.fromkeys(_OPEN, "00:00-24:00")
CLOSED_TEXT = """Thank you for writing to Northgate Clinic. We are closed now and answer on the next working day, \
from eight o'clock.

**In an emergency call 911.**"""

_SETTINGS = "mutation ($patch: ChatSettingsPatch!) { updateChatSettings(patch: $patch) { autoReply } }"
_MEMBERS = "query { members(first: 100) { nodes { id role name } } }"
_PATIENTS = "query { patients(first: 50) { nodes { id mrn } } }"
_SEARCH = "query ($text: String!) { search(text: $text) { nodes { id } } }"
_WITH_PATIENT = """mutation ($with: ID!, $id: String!) {
  started: startPatientConversation(patientId: $with, clientId: $id) { id }
}"""
_WITH_PRACTITIONER = """mutation ($with: ID!, $id: String!) {
  started: startPractitionerConversation(memberId: $with, clientId: $id) { id }
}"""
_WITH_CONTACT = """mutation ($with: ID!, $id: String!) {
  started: startExternalConversation(contactId: $with, clientId: $id) { id }
}"""
_GROUP = """mutation ($name: String!, $about: String!, $people: [ID!]!, $id: String!) {
  started: createGroup(name: $name, description: $about, personIds: $people, clientId: $id) { id }
}"""
_TEAM = "mutation ($id: String!) { started: openTeamConversation(clientId: $id) { id } }"
_SEND = """mutation ($in: ID!, $body: String!, $files: [ID!], $urgent: Boolean!, $id: String!) {
  sendMessage(conversationId: $in, body: $body, uploadIds: $files, urgent: $urgent, clientId: $id) { id cursor }
}"""
_LAST = "query ($in: ID!) { conversation(id: $in) { lastMessage { cursor } } }"
_SEEN = "mutation ($in: ID!, $to: String!) { markConversationRead(conversationId: $in, upTo: $to) { unread } }"
_ACKNOWLEDGE = "mutation ($message: ID!) { acknowledgeMessage(messageId: $message) { id } }"
_REACT = "mutation ($message: ID!, $emoji: String!) { reactToMessage(messageId: $message, emoji: $emoji) { id } }"
_QUICK = """mutation ($title: String!, $body: String!, $own: Boolean!, $id: String!) {
  createQuickText(title: $title, body: $body, own: $own, clientId: $id) { id }
}"""

QUICK_TEXTS = (
    ("Results are in", "Dear {{patient.name}}, your results are in. Please call us for a time.", False),
    ("Directions", "You find us on the second floor; the lift is behind the stairs. {{practice.name}}", False),
    ("Not today", "Dear {{patient.firstName}}, I answer tomorrow in the morning. {{member.name}}", True),
)
"""Title, text, and whether it is the practitioner's own (C18)."""

AFTERCARE = (
    "Sprained ankle.txt",
    b"""Aftercare: the sprained ankle

- Keep the foot up whenever you sit, for three days.
- Cold packs for ten minutes, four times a day, never on bare skin.
- The bandage stays on by day and comes off at night.
- Come back at once if toes turn numb or blue.
""",
)
PLAN = (
    "Medication plan.txt",
    b"""Medication plan, Aaron Feldman

Morning   Metformin 500 mg      1 tablet with breakfast
Evening   Ramipril 5 mg         1 tablet before going to bed
""",
)


async def converse(cast: Cast) -> None:
    """Let people of each practice converse, as far as its plan goes.

    Args:
        cast: the people, on their plans, with the patients let in.

    Raises:
        StoryFailed: the API refused a step.
    """
    portal = await asyncio.to_thread(is_there, cast)
    starter, enhanced, premium = (_Company(cast, practice) for practice in PRACTICES)
    await together(
        partial(_files_alone, starter, portal=portal),
        partial(_with_a_mother, enhanced, portal=portal),
        partial(_all_kinds, premium, portal=portal),
    )


class _Person:
    """Somebody of the demo, with what is done again and again."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.ask = client.ask

    def start(self, document: str, client_id: str, **variables: Any) -> str:
        """Start a conversation and return its id."""
        return self.ask(document, id=client_id, **variables)["started"]["id"]

    def say(
        self, where: str, client_id: str, body: str = "", *, file: tuple[str, bytes] | None = None, urgent: bool = False
    ) -> str:
        """Send a message and return its id."""
        files = [self._client.upload(*file, client_id)] if file else []
        given = {"in": where, "body": body, "files": files, "urgent": urgent, "id": client_id}
        return self.ask(_SEND, **given)["sendMessage"]["id"]

    def see(self, where: str) -> None:
        """Read a conversation to its end."""
        last = self.ask(_LAST, **{"in": where})["conversation"]["lastMessage"]
        self.ask(_SEEN, **{"in": where, "to": last["cursor"]})


class _Company:
    """A practice's people."""

    def __init__(self, cast: Cast, practice: DemoPractice) -> None:
        self._cast = cast
        self._practice = practice

    def __getitem__(self, role: Role) -> _Person:
        email = self._practice.portal if role is Role.PATIENT else self._practice.member(role).email
        return _Person(self._cast[email])

    def ids(self, *roles: Role) -> list[str]:
        """Return the ids of the first members of roles."""
        nodes = self[Role.PRACTITIONER].ask(_MEMBERS)["members"]["nodes"]
        names = [self._practice.member(role) for role in roles]
        found = {node["name"]: node["id"] for node in nodes}
        return [found[f"{each.first_name} {each.last_name}"] for each in names]

    def patient(self) -> str:
        """Return the id of the patient who is in the portal."""
        nodes = self[Role.PRACTITIONER].ask(_PATIENTS)["patients"]["nodes"]
        return next(node["id"] for node in nodes if node["mrn"] == self._practice.patients[0].mrn)

    def set(self, **patch: object) -> None:
        """Change how the practice chats."""
        self[Role.MANAGER].ask(_SETTINGS, patch=patch)


def _files_alone(people: _Company, *, portal: bool) -> None:
    """On the lowest tier a patient is sent a file, and no text (L2)."""
    if portal:
        doctor = people[Role.PRACTITIONER]
        talk = doctor.start(_WITH_PATIENT, "demo-patient", **{"with": people.patient()})
        doctor.say(talk, "demo-aftercare", file=AFTERCARE)
        people[Role.PATIENT].see(talk)


def _with_a_mother(people: _Company, *, portal: bool) -> None:
    """A mother writes for her child, and is answered with a text and a file."""
    if portal:
        people.set(patientsInPortal=True)
        mother, doctor = people[Role.PATIENT], people[Role.PRACTITIONER]
        talk = mother.start(_WITH_PRACTITIONER, "demo-patient", **{"with": people.ids(Role.PRACTITIONER)[0]})
        mother.say(talk, "demo-1", "Amara twisted her ankle in the gym today. It is a bit thick. Shall we come by?")
        doctor.see(talk)
        doctor.say(talk, "demo-2", "If she can stand on it, tomorrow is soon enough. Until then:", file=AFTERCARE)
        mother.see(talk)


def _all_kinds(people: _Company, *, portal: bool) -> None:
    """On the highest tier: a team, a contact, a patient, and a group that waits for an acknowledgement."""
    people.set(patientsInPortal=portal, autoReply=True, autoReplyText=CLOSED_TEXT, **_OPEN)
    _team(people)
    _contact(people)
    if portal:
        _patient(people)
    _group(people)


def _team(people: _Company) -> None:
    owner, doctor, desk = people[Role.OWNER], people[Role.PRACTITIONER], people[Role.STAFF]
    team = owner.start(_TEAM, "demo-team")
    owner.say(team, "demo-team-1", "On Friday we close at three, for the fire drill.")
    desk.say(team, "demo-team-2", "I have moved everybody who was booked after that. The door gets a note.")
    doctor.say(team, "demo-team-3", "Thank you, Gwen!")
    for person in (owner, desk, doctor):
        person.see(team)
    for number, (title, body, own) in enumerate(QUICK_TEXTS):
        writer = doctor if own else people[Role.MANAGER]
        writer.ask(_QUICK, title=title, body=body, own=own, id=f"demo-quick-{number}")


def _contact(people: _Company) -> None:
    """The letter with the link lies in the outbox; nobody has followed it yet."""
    desk = people[Role.STAFF]
    contact = desk.ask(_SEARCH, text=CONTACT["lastName"])["search"]["nodes"][0]["id"]
    talk = desk.start(_WITH_CONTACT, "demo-contact", **{"with": contact})
    desk.say(talk, "demo-contact-1", "Good morning, Ms. Winslow. Do you have the children's ibuprofen again?")
    desk.say(talk, "demo-contact-2", "We would send three families over today. A line here is enough.")


def _patient(people: _Company) -> None:
    """He writes while it is closed, and the practice's automatic message answers first (C17)."""
    patient, doctor = people[Role.PATIENT], people[Role.PRACTITIONER]
    talk = patient.start(_WITH_PRACTITIONER, "demo-patient", **{"with": people.ids(Role.PRACTITIONER)[0]})
    people.set(**_CLOSED)
    patient.say(talk, "demo-1", "Since I take the new tablets I am dizzy when I get up. Should I go on with them?")
    people.set(**_ALWAYS)
    doctor.see(talk)
    doctor.say(talk, "demo-2", "Please measure after lunch, sitting, and send me a photo of what the monitor shows.")
    patient.see(talk)
    photo = patient.say(talk, "demo-3", "Here it is.", file=("monitor.jpg", monitor(128, 79, 66)))
    doctor.see(talk)
    doctor.ask(_REACT, message=photo, emoji="\N{THUMBS UP SIGN}")
    doctor.say(
        talk,
        "demo-4",
        "That is fine. Take the **Ramipril in the evening** from today on; the new plan is here.",
        file=PLAN,
    )
    patient.see(talk)
    people.set(**_OPEN)


def _group(people: _Company) -> None:
    """Of three who are to acknowledge, the practitioner has not: their badge is red (C10)."""
    manager = people[Role.MANAGER]
    others = people.ids(Role.OWNER, Role.PRACTITIONER, Role.STAFF)
    about = "Vaccines, fridges and supplies."
    group = manager.start(_GROUP, "demo-group", name="Vaccine round", about=about, people=others)
    manager.say(group, "demo-group-1", "The delivery for November is in, and put away.")
    urgent = manager.say(
        group,
        "demo-group-2",
        "The fridge in room 2 is at 11 °C. Use no vaccines out of it until the technician was here.",
        urgent=True,
    )
    for role in (Role.OWNER, Role.STAFF):
        people[role].see(group)
        people[role].ask(_ACKNOWLEDGE, message=urgent)
    people[Role.STAFF].say(group, "demo-group-3", "A note is on its door. The technician comes at two.")
    people[Role.OWNER].see(group)
