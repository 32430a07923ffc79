"""Practices with people and one of everything that has an id, for tests of who sees what.

Whoever adds a kind of thing with an id adds how one is made to `KINDS`; the tests then ask for it by themselves.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from deployment import Deployment, Person

from bedside_core.auth import Role
from bedside_core.database import DB, acting
from bedside_core.people import NewPatient, Practice

MISSING = "0199aaaa-0000-7000-8000-000000000000"
MEMBERS = (Role.OWNER, Role.MANAGER, Role.PRACTITIONER, Role.STAFF)
_numbers = itertools.count(1)

CONTACT = "mutation($i: ContactInput!, $c: String!) { addContact(input: $i, clientId: $c) { id } }"
START = "mutation($m: ID!, $c: String!) { startConversation(memberId: $m, clientId: $c) { id } }"
SEND = 'mutation($i: ID!, $c: String!) { sendMessage(conversationId: $i, body: "Hello", clientId: $c) { id } }'
REQUEST = "mutation($p: String!, $c: String!) { requestConnection(practice: $p, clientId: $c) { id } }"
ACCEPT = "mutation($i: ID!) { acceptConnection(id: $i) { id } }"


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


async def conversation(deployment: Deployment, practice: Practice, person: Person) -> str:
    other = await deployment.person(practice)
    started = await deployment.data(START, person.token, m=other.id, c=client_id())
    id = started["startConversation"]["id"]
    await deployment.data(SEND, person.token, i=id, c=client_id())
    return id


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
        make: makes a fresh one of a practice, by one of its people.
        personal: whether others of the same practice don't see it.
    """

    make: Callable[[Deployment, Practice, Person], Awaitable[str]]
    personal: bool = False


KINDS: Mapping[str, Kind] = {
    "member": Kind(member),
    "patient": Kind(patient),
    "contact": Kind(contact),
    "conversation": Kind(conversation, personal=True),
    "practice": Kind(own_practice),
    "connection_asked": Kind(connection_asked),
    "connection": Kind(connection),
    "application": Kind(application),
    "webhook": Kind(webhook),
    "webhook_delivery": Kind(webhook_delivery),
}

SET = """mutation {
    updatePeopleSettings(patch: { phoneRegions: ["US", "PR"] }) { phoneRegions }
    updateGraphqlSettings(patch: { persistedOnly: false }) { persistedOnly }
}"""

LIMIT = 'mutation($p: ID!) { setPlanLimit(practiceId: $p, key: "storage_gb", amount: 5) { tier } }'


async def furnish(deployment: Deployment, practice: Practice, person: Person) -> None:
    """Put at least one row of a practice into every table that a practice can fill."""
    for kind in KINDS.values():
        await kind.make(deployment, practice, person)
    owner = await deployment.person(practice, Role.OWNER)
    await deployment.data(SET, owner.token)
    operator = await deployment.operator()
    await deployment.data(LIMIT, operator, p=str(practice.id))
