"""Members, patients and guests do everything at random: what each sees is what a small model says, always (C16)."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio
from deployment import ADD_CONTACT, Deployment, served
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plugins.chat.clinic import Clinic, Step
from plugins.chat.lobby import BORN
from plugins.chat.visitors import Visitor

from bedside_core.auth import Role
from bedside_core.testing import Database
from rulebook import size

SWITCHES = """mutation { updateChatSettings(patch: { patientsInPortal: true, patientsDelete: true,
    outsidersInGroups: true }) { patientsDelete } }"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clinics(database_templates: Any, database_core: str, database_apps: tuple[str, ...]) -> Any:
    """Serve one deployment for all examples; each has a practice of its own."""
    server, name = database_templates.server, database_templates.fresh_name()
    await server.create_database(name, template=await database_templates.name(database_core, database_apps))
    database = Database(name, server.application_dsn(name), server.owner_dsn(name))
    with pytest.MonkeyPatch.context() as patch:
        for whose in ("SESSION", "ADDRESS"):
            patch.setenv(f"BEDSIDE_GRAPHQL_{whose}_BUDGET", "1000000000")
        async with served(database) as deployment:
            yield deployment
    await server.drop_database(name)


async def clinic(deployment: Deployment) -> Clinic:
    """Make a practice that writes with everybody."""
    practice = await deployment.practice()
    owner = await deployment.person(practice, Role.OWNER, "Olga")
    members = [owner, await deployment.person(practice, name="Ada"), await deployment.person(practice, name="Ben")]
    patients = [await deployment.held(practice), await deployment.held(practice)]
    await deployment.data(SWITCHES, owner.token)
    contact = {"firstName": "Cora", "lastName": "Lane", "email": "cora@example.org"}
    made = await deployment.data(ADD_CONTACT, owner.token, i=contact, c=f"contact-{practice.id}")
    visitors = Visitor(made["addContact"]["id"]), Visitor(str((await deployment.patient(practice)).id), BORN)
    return Clinic(deployment, practice, members, patients, visitors)


VERBS = (
    *("direct", "patient", "external", "care", "group"),
    *("send",) * 7,
    *("read", "enter") * 2,
    *("react", "acknowledge", "delete", "leave", "add", "remove", "link", "revoke", "join", "rename", "check"),
)
LENGTH = size(40, 70)
steps = st.lists(
    st.tuples(st.sampled_from(VERBS), st.integers(0, 13), st.integers(0, 5), st.integers(0, 13), st.booleans()),
    min_size=LENGTH,
    max_size=LENGTH,
)
"""As long as they are, most of what can be done is done; of lists of any length most would be short."""
# Ada writes with the contact, who is in a group of Ben's, too; Ben with a patient without an account; they have come.
BEGIN: tuple[Step, ...] = (
    ("external", 1, 0, 5, False),
    ("patient", 2, 0, 6, True),
    ("group", 2, 0, 0, False),
    ("add", 4, 2, 10, False),
    ("enter", 0, 0, 0, False),
    ("enter", 0, 1, 1, False),
)


@pytest.mark.rule("C6")
@pytest.mark.rule("C9")
@pytest.mark.rule("C10")
@pytest.mark.rule("C11")
@pytest.mark.rule("C16")
@pytest.mark.promise("D7")
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.timeout(3600)
@settings(
    max_examples=size(5, 50),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(steps=steps)
async def test_what_each_sees_is_what_the_model_says(clinics: Deployment, steps: list[Step]) -> None:
    acting_out = await clinic(clinics)
    for step in (*BEGIN, *steps):
        if step[0] == "check":
            await acting_out.check()
        else:
            await acting_out.act(step)
    await acting_out.check()
