"""Lets the demo's patients into the portal: one signs in, one is invited, one is suspended, and the rest have none."""

from __future__ import annotations

import time
from typing import Any

from bedside_core.auth import Role
from bedside_core.demo.cast import ANSWERS, PASSWORD, PRACTICES, DemoPractice
from bedside_core.demo.story import Cast, Client, StoryFailed

_SECONDS = 60.0
_PAGE = "/portal/register#"

_ACTIVE = "query { plugins { name status } }"
_PATIENTS = "query { patients(first: 50) { nodes { id mrn portalAccount { state } } } }"
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


def let_in(cast: Cast) -> None:
    """Invite patients of each practice, by mail and SMS, and follow the links out of the outbox.

    Args:
        cast: the people.

    Raises:
        StoryFailed: the API refused a step, or a letter did not come.
    """
    if is_there(cast):
        for practice in PRACTICES:
            _practice(cast, practice)


def is_there(cast: Cast, name: str = "portal") -> bool:
    """Tell whether the demo has a plugin."""
    plugins = cast.stranger.ask(_ACTIVE)["plugins"]
    return any(plugin["name"] == name and plugin["status"] == "ACTIVE" for plugin in plugins)


def _practice(cast: Cast, practice: DemoPractice) -> None:
    desk = cast[practice.member(Role.STAFF).email]
    found = {node["mrn"]: node for node in desk.ask(_PATIENTS)["patients"]["nodes"]}
    active, invited, suspended = (found[patient.mrn] for patient in practice.patients[:3])
    # A demo that was stopped amidst this goes on with what is left to do.
    if _state(active) != "ACTIVE":
        _register(desk, practice, active["id"])
    for number, patient in enumerate((invited, suspended)):
        if _state(patient) == "NONE":
            desk.ask(_INVITE, patient=patient["id"], id=f"demo-portal-{number}")
    desk.ask(_SUSPEND, patient=suspended["id"])


def _state(patient: dict[str, Any]) -> str:
    return patient["portalAccount"]["state"]


def _register(desk: Client, practice: DemoPractice, patient_id: str) -> None:
    """Invite whoever acts for a patient, and register with what stands in the letter."""
    patient, mailed = practice.patients[0], practice.portal
    born = patient.date_of_birth.isoformat()
    if practice.guardian is not None:
        who = {**practice.guardian, "email": mailed}
        desk.ask(_GUARDIAN, patient=patient_id, who=who, id="demo-portal")
    elif _secret(desk, mailed) is None:
        desk.ask(_INVITE, patient=patient_id, id="demo-portal")
        # By SMS: a link goes to the address that is chosen.
        desk.ask(_CHOOSE, secret=_awaited(desk, patient.phone or ""), born=born, email=mailed)
    desk.ask(
        _REGISTER,
        secret=_awaited(desk, mailed),
        born=born,
        password=PASSWORD,
        email=mailed,
        id="demo-portal",
        terms=desk.ask(_TERMS)["terms"]["version"],
        answers=[{"question": question, "answer": answer} for question, answer in ANSWERS.items()],
    )


def _awaited(client: Client, to: str) -> str:
    """Wait for the letter to somebody and return its secret."""
    ends = time.monotonic() + _SECONDS
    while time.monotonic() < ends:
        if (secret := _secret(client, to)) is not None:
            return secret
        time.sleep(0.1)
    raise StoryFailed(f"no invitation came to {to}")


def _secret(client: Client, to: str) -> str | None:
    """Return what stands behind `#` in the link that somebody was sent last."""
    letters: list[dict[str, Any]] = client.get("/demo/outbox.json")
    links = [link for letter in letters if letter["to"] == to for link in letter["links"] if _PAGE in link]
    return links[0].partition(_PAGE)[2] if links else None
