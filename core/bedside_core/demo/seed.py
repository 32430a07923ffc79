"""Puts the demo's people into an empty database."""

from __future__ import annotations

import asyncio
import shutil

from bedside_core import audit
from bedside_core.database import EmbeddedServer
from bedside_core.demo.cast import OPERATOR, PASSWORD, PRACTICES, DemoPractice
from bedside_core.demo.folder import DemoFolder, Stage
from bedside_core.platform import Platform


async def discard_unfinished(folder: DemoFolder) -> None:
    """Throw away what a demo that was stopped while seeding has left, so that seeding begins with an empty database."""
    if folder.stage is not Stage.NEW or not (folder.postgres / "cluster").is_dir():
        return
    server = await EmbeddedServer.start(folder.postgres)
    try:
        await server.drop_database("bedside")
    finally:
        await server.stop()
    shutil.rmtree(folder.path / "audit", ignore_errors=True)  # heads of a trail that is gone would tell of a cut one


async def seed(platform: Platform) -> None:
    """Make the operator and the three practices with their members and patients."""
    # Hashing passwords is most of the work, and happens in threads.
    await asyncio.gather(
        platform.people.create_account(OPERATOR, PASSWORD, operator=True),
        *(_practice(platform, practice) for practice in PRACTICES),
    )


async def _practice(platform: Platform, practice: DemoPractice) -> None:
    people = platform.people
    async with audit.operation(via=audit.Via.COMMAND):
        made = await people.create_practice(practice.name, zone=practice.zone)
        ids = await asyncio.gather(*(people.create_account(member.email, PASSWORD) for member in practice.members))
        for member, account_id in zip(practice.members, ids, strict=True):
            await people.create_member(
                made.id, account_id, first_name=member.first_name, last_name=member.last_name, role=member.role
            )
        for patient in practice.patients:
            await people.create_patient(made.id, patient)
