"""The stage for the partner's plugin: installed, enabled, and served, with patients to record vitals of."""

from __future__ import annotations

import itertools
import types
from collections.abc import Mapping
from datetime import date
from typing import Any

from bedside_vitals import plugin as original
from deployment import APPS, Deployment, Person

from bedside_core.auth import Role
from bedside_core.config import FIRST_PARTY
from bedside_core.database import DB, acting
from bedside_core.hookspecs import hookimpl
from bedside_core.people import NewPatient, Practice
from bedside_core.plugins import Source, from_module, implementations, installed

VITALS_APPS = (*APPS, "bedside_vitals.piccolo_app")
ENABLED = (*FIRST_PARTY, "vitals")

RECORD = """mutation($p: ID!, $s: Int!, $d: Int!, $r: Int!, $n: String!, $c: String!) {
    recordVitals(patientId: $p, systolic: $s, diastolic: $d, pulse: $r, note: $n, clientId: $c) {
        id systolic diastolic pulse note alert cursor recordedBy { id } } }"""
READ = """query($p: ID!, $first: Int, $after: String) { patient(id: $p) { lastName
    vitals(first: $first, after: $after) {
        nodes { id systolic note alert } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }"""
FOLLOW = "subscription($p: ID!, $after: String) { vitalsRecorded(patientId: $p, after: $after) { systolic cursor } }"

_numbers = itertools.count()


class Clinic:
    """A deployment with a practice on the enhanced tier, a neighbour on the same, and one on starter."""

    practice: Practice
    neighbour: Practice
    small: Practice
    ada: Person
    """A practitioner of the practice."""
    max: Person
    """Its manager."""
    eve: Person
    """A practitioner of the neighbour."""
    sam: Person
    """A practitioner of the practice on starter."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.ask, self.data, self.code = deployment.ask, deployment.data, deployment.code

    async def open(self) -> Clinic:
        """Make the practices and people."""
        deployment = self.deployment
        self.practice = await deployment.practice("Bay View", "enhanced")
        self.neighbour = await deployment.practice("Hill Top", "enhanced")
        self.small = await deployment.practice("Corner", "starter")
        self.ada = await deployment.person(self.practice, Role.PRACTITIONER, "Ada")
        self.max = await deployment.person(self.practice, Role.MANAGER, "Max")
        self.eve = await deployment.person(self.neighbour, Role.PRACTITIONER, "Eve")
        self.sam = await deployment.person(self.small, Role.PRACTITIONER, "Sam")
        return self

    async def patient(self, practice: Practice | None = None, **facts: Any) -> str:
        """Make a patient, by default of the practice; returns the id."""
        number = next(_numbers)
        new: dict[str, Any] = {
            "first_name": "Ann",
            "last_name": f"Hill{number:04}",
            "date_of_birth": date(1950, 1, 2),
            "mrn": f"M-{number}",
            "gender": "female",
            "email": f"ann{number}@example.org",
            **facts,
        }
        made = await self.deployment.platform.people.create_patient((practice or self.practice).id, NewPatient(**new))
        return str(made.id)

    def given(self, patient: str, systolic: int = 120, **others: Any) -> dict[str, Any]:
        """Variables of a recording."""
        return {"p": patient, "s": systolic, "d": 70, "r": 60, "n": "", "c": f"c{next(_numbers)}", **others}

    async def record(
        self, patient: str, systolic: int = 120, by: Person | None = None, **others: Any
    ) -> dict[str, Any]:
        """Record vitals, by default as Ada."""
        data = await self.data(RECORD, (by or self.ada).token, **self.given(patient, systolic, **others))
        return data["recordVitals"]

    async def recorded(self, practice: Practice | None = None) -> int:
        """How many recordings a practice has."""
        with acting((practice or self.practice).id):
            return await DB.fetchval("SELECT count(*) FROM vitals")


def copy_of_vitals(**hooks: Any) -> Source:
    """Return the partner's plugin with some of its hooks replaced; None leaves one out."""
    import pluggy

    from bedside_core.hookspecs import PROJECT

    module = types.ModuleType("bedside_vitals.plugin")
    for name, hook in implementations(pluggy.PluginManager(PROJECT), original):
        setattr(module, name, hook)
    for name, hook in hooks.items():
        if hook is None:
            delattr(module, name)
        else:
            setattr(module, name, hookimpl(hook))
    return from_module(module, name="vitals", version="0.1.0")


def with_vitals(vitals: Source, *others: Source) -> Mapping[str, Source]:
    """Return where plugins come from when this one stands in for the installed one."""
    return {**installed(), "vitals": vitals, **{other.name: other for other in others}}
