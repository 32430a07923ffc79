"""Lets the demo's patients into the portal: one signs in, one is invited, one is suspended, and the rest have none."""

from __future__ import annotations

import time
from typing import Any

from bedside_core.auth import Role
from bedside_core.demo.cast import ANSWERS, PASSWORD, PRACTICES, DemoPractice
from bedside_core.demo.story import Client, StoryFailed

_SECONDS = 60.0
_PAGE = "/portal/register#"

_ACTIVE = "query { plugins { name status } }"
_PATIENTS = "query { patients(first: 50) { nodes { id mrn } } }"
_TERMS = "query { terms { version } }"
_INVITE = """mutation ($patient: ID!, $id: String!) {
  invitePatient(patientId: $patient, channel: SMS, clientId: $id) { invitation { address } }
}"""
_GUARDIAN = """mutation ($patient: ID!, $who: GuardianInput!, $id: String!) {
  inviteGuardian(patientId: $patient, input: $who, clientId: $id) { id }
}"""
_CHOOSE = """mutation ($secret: String!, $born: Date!, $email: String!) {
  choosePortalAddress(secret: $secret, dateOfBirth: $born, email: $email)
}"""
_REGISTER = """mutation ($secret: String!, $born: Date!, $password: String!, $email: String!, $id: String!, $terms: Int,
    $answers: [SecurityAnswerInput!]) {
  registerForPortal(secret: $secret, dateOfBirth: $born, password: $password, email: $email, clientId: $id,
    answers: $answers, termsVersion: $terms)
}"""
_SUSPEND = "mutation ($patient: ID!) { suspendPortalAccount(patientId: $patient) { state } }"
_SIGN_OUT = "mutation { signOut }"


def let_in(address: str) -> None:
    """Invite patients of each practice, by mail and SMS, and follow the links out of the outbox.

    Args:
        address: URL of the server, which answers already.

    Raises:
        StoryFailed: the API refused a step, or a letter did not come.
    """
    plugins = Client(address).ask(_ACTIVE)["plugins"]
    if not any(plugin["name"] == "portal" and plugin["status"] == "ACTIVE" for plugin in plugins):
        return
    for practice in PRACTICES:
        _practice(address, practice)


def _practice(address: str, practice: DemoPractice) -> None:
    desk = Client(address)
    desk.sign_in(practice.member(Role.STAFF).email)
    ids = {node["mrn"]: node["id"] for node in desk.ask(_PATIENTS)["patients"]["nodes"]}
    active, invited, suspended = practice.patients[:3]
    if practice.guardian is None:
        desk.ask(_INVITE, patient=ids[active.mrn], id="demo-portal")
        number = active.phone or ""
    else:
        number = practice.portal
        who = {**practice.guardian, "email": practice.portal}
        desk.ask(_GUARDIAN, patient=ids[active.mrn], who=who, id="demo-portal")
    secret, born = _secret(desk, number), active.date_of_birth.isoformat()
    if number != practice.portal:  # by SMS: a link goes to the address that is chosen
        desk.ask(_CHOOSE, secret=secret, born=born, email=practice.portal)
        secret = _secret(desk, practice.portal)
    desk.ask(
        _REGISTER,
        secret=secret,
        born=born,
        password=PASSWORD,
        email=practice.portal,
        id="demo-portal",
        terms=desk.ask(_TERMS)["terms"]["version"],
        answers=[{"question": question, "answer": answer} for question, answer in ANSWERS.items()],
    )
    for number, patient in enumerate((invited, suspended)):
        desk.ask(_INVITE, patient=ids[patient.mrn], id=f"demo-portal-{number}")
    desk.ask(_SUSPEND, patient=ids[suspended.mrn])
    desk.ask(_SIGN_OUT)


def _secret(client: Client, to: str) -> str:
    """Wait for the letter to somebody and return what stands behind `#` in its link."""
    ends = time.monotonic() + _SECONDS
    while time.monotonic() < ends:
        letters: list[dict[str, Any]] = client.get("/demo/outbox.json")
        links = [link for letter in letters if letter["to"] == to for link in letter["links"] if _PAGE in link]
        if links:
            return links[0].partition(_PAGE)[2]
        time.sleep(0.1)
    raise StoryFailed(f"no invitation came to {to}")
