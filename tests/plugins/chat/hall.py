"""Queries for tests of whole conversations, and helpers to make them of every kind."""

from __future__ import annotations

from typing import Any

from deployment import Held, Person
from plugins.chat.ward import SEND, Ward

from bedside_core.auth import Role
from bedside_core.people import Practice

PATIENT = """mutation($p: ID!, $c: String!, $l: Boolean! = false) {
    startPatientConversation(patientId: $p, clientId: $c, byLink: $l) { id kind } }"""
EXTERNAL = "mutation($p: ID!, $c: String!) { startExternalConversation(contactId: $p, clientId: $c) { id kind } }"
PRACTITIONER = """mutation($m: ID!, $c: String!) {
    startPractitionerConversation(memberId: $m, clientId: $c) { id kind } }"""
TEAM = "mutation($c: String!) { openTeamConversation(clientId: $c) { id kind participants { nodes { id } } } }"
GROUP = """mutation($n: String!, $c: String!, $d: String, $p: [ID!], $s: Boolean! = false) {
    createGroup(name: $n, clientId: $c, description: $d, personIds: $p, private: $s) {
        id kind name description private participants { nodes { id } } } }"""
GROUPS = 'query($t: String! = "") { groups(text: $t) { nodes { id name members joined } } }'
JOIN = "mutation($i: ID!) { joinConversation(conversationId: $i) { id participants { nodes { id } } } }"
ADD = """mutation($i: ID!, $p: [ID!]!) { addParticipants(conversationId: $i, personIds: $p) {
    participants { nodes { id } } } }"""
REMOVE = """mutation($i: ID!, $p: ID!) { removeParticipant(conversationId: $i, personId: $p) {
    participants { nodes { id } } } }"""
LEAVE = """mutation($i: ID!, $y: Boolean! = false) {
    leaveConversation(conversationId: $i, lastMemberConfirmed: $y) }"""
CHANGE = """mutation($i: ID!, $n: String, $d: String, $s: Boolean) {
    changeGroup(conversationId: $i, name: $n, description: $d, private: $s) { name description private } }"""
LIST = "{ conversations { nodes { id kind unread urgent } } }"
URGENT = """mutation($i: ID!, $b: String!, $c: String!) {
    sendMessage(conversationId: $i, body: $b, clientId: $c, urgent: true) {
        id urgent acknowledgements { personId acknowledgedAt } } }"""
ACKNOWLEDGE = """mutation($m: ID!) { acknowledgeMessage(messageId: $m) {
    acknowledgements { personId acknowledgedAt } } }"""
REACT = """mutation($m: ID!, $e: String!, $on: Boolean! = true) { reactToMessage(messageId: $m, emoji: $e, on: $on) {
    reactions { emoji personIds } } }"""
MARK = """mutation($i: ID!, $u: String!) { markConversationRead(conversationId: $i, upTo: $u) {
    unread participants { nodes { id readUpTo } } } }"""
DELETE = "mutation($m: ID!) { deleteMessage(messageId: $m) { id body deletedAt reactions { emoji } urgent } }"
CHAT_SETTINGS = "mutation($p: ChatSettingsPatch!) { updateChatSettings(patch: $p) { longestMessage } }"
CONNECT = "mutation($h: String!, $c: String!) { requestConnection(handle: $h, clientId: $c) { id } }"


async def group(ward: Ward, *others: Person, name: str = "Ward round", **values: Any) -> str:
    """Have Ada make a group with others in it; returns its id."""
    made = await ward.deployment.data(
        GROUP, ward.ada.token, n=name, c=f"group-{name}", p=[each.id for each in others], **values
    )
    return made["createGroup"]["id"]


async def with_patient(ward: Ward, held: Held, by: Person | None = None) -> str:
    """Have a member start their conversation with a patient in the portal; returns its id."""
    member = by or ward.ada
    made = await ward.deployment.data(PATIENT, member.token, p=held.id, c=f"patient-{held.id}")
    return made["startPatientConversation"]["id"]


async def allow(ward: Ward, practice: Practice | None = None, **settings: Any) -> None:
    """Have an owner change the practice's chat settings."""
    owner = await ward.deployment.person(practice or ward.practice, Role.OWNER, "Olga")
    await ward.deployment.data(CHAT_SETTINGS, owner.token, p=settings)


async def said(ward: Ward, conversation: str, body: str, key: str, by: Person | Held | None = None) -> dict[str, Any]:
    """Have somebody send a message; returns it."""
    sender = by or ward.ada
    return (await ward.deployment.data(SEND, sender.token, i=conversation, b=body, c=key))["sendMessage"]


async def listed(ward: Ward, person: Person | Held) -> list[str]:
    """Return the ids of a person's conversations."""
    data = await ward.deployment.data(LIST, person.token)
    return [node["id"] for node in data["conversations"]["nodes"]]
