"""A practice that leaves: asked for by its name, exported first, waited for, and then gone but for its chain's end."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from deployment import APPS, Person, unannounced
from files_stage import Desk, desk_at
from jobs_stage import settled, until

from bedside_core.audit.anchor import Anchor
from bedside_core.audit.sealer import Sealer
from bedside_core.audit.verify import Verdict, verify
from bedside_core.auth import Role
from bedside_core.database import DB, acting, unit
from bedside_core.testing import Database
from contract.world import CONFIG, furnish

ERASE = "mutation($n: String!) { erasePractice(practiceName: $n) { id askedAt dueAt } }"
KEEP = "mutation { keepPractice }"
PRESENT = "{ practiceErasure { id dueAt } }"
EXPORT = "mutation($c: String!) { exportPractice(clientId: $c) { id } }"
PATIENTS = "{ patients { nodes { lastName } } }"
MONTH = timedelta(days=30)


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


async def exported(desk: Desk, client_id: str = "e") -> None:
    begun = (await desk.deployment.data(EXPORT, desk.olga.token, c=client_id))["exportPractice"]["id"]
    await desk.run("export_data", export_id=begun)


async def verdict_on(desk: Desk) -> Verdict:
    """What `bedside audit verify` finds of the practice's trail, once all is sealed."""
    anchor = Anchor(desk.deployment.platform.config.anchor)
    with acting(None):
        await Sealer(anchor).seal()
        [verdict] = [verdict async for verdict in verify(anchor, desk.practice.id)]
    return verdict


async def furnished(desk: Desk) -> Person:
    """Put something into most of what a practice has; returns a member of another practice too."""
    await furnish(desk.deployment, desk.practice, desk.olga)
    await desk.attached(b"Some words of it.", "words.txt")
    other = await desk.deployment.practice("Elsewhere")
    return await desk.deployment.person(other, Role.OWNER, "Elsewhere")


@pytest.mark.rule("A12")
async def test_an_owner_asks_by_the_practice_s_name_after_an_export_and_can_call_it_off(
    fresh_database: Database, tmp_path: Path
) -> None:
    async with desk_at(fresh_database, tmp_path) as desk:
        data, code, name = desk.deployment.data, desk.deployment.code, desk.practice.name
        mona = await desk.deployment.person(desk.practice, Role.MANAGER)
        for query, values in ((ERASE, {"n": name}), (KEEP, {}), (PRESENT, {})):
            assert await code(query, mona.token, **values) == "FORBIDDEN"
        assert await code(ERASE, desk.olga.token, n="Other") == "INVALID_INPUT"
        assert await code(ERASE, desk.olga.token, n=name) == "CONFLICT"  # no export yet
        await exported(desk)
        assert (await data(KEEP, desk.olga.token))["keepPractice"] is False
        asked = (await data(ERASE, desk.olga.token, n=name))["erasePractice"]
        assert (await data(ERASE, desk.olga.token, n=name))["erasePractice"] == asked
        assert (await data(PRESENT, desk.olga.token))["practiceErasure"]["id"] == asked["id"]
        await desk.run("notify_plan")
        told = (await data("{ notifications { nodes { kind } } }", desk.olga.token))["notifications"]["nodes"]
        assert [node["kind"] for node in told] == ["core.practice_leaves"]
        # not a day too early, and not once it is called off
        await desk.deployment.platform.clock.move(MONTH - timedelta(hours=1))
        await desk.run("erase_practice")
        assert (await data(KEEP, desk.olga.token))["keepPractice"] is True
        assert (await data(PRESENT, desk.olga.token))["practiceErasure"] is None
        await desk.deployment.platform.clock.move(timedelta(days=2))
        await desk.run("erase_practice")
        assert len((await data(PATIENTS, desk.olga.token))["patients"]["nodes"]) == 1
        with acting(desk.practice.id), pytest.raises(asyncpg.RaiseError):
            await DB.fetchval("SELECT practice_erase(gen_random_uuid(), now())")
        assert await code(ERASE, desk.olga.token, n=name) == "CONFLICT"  # the export is too old by now
        found = await desk.rows("SELECT action FROM audit_entry WHERE action LIKE 'practice._%' ORDER BY id")
        assert [entry["action"] for entry in found if entry["action"] in {"practice.erase", "practice.stay"}] == [
            "practice.erase",
            "practice.stay",
        ]


@pytest.mark.promise("A4")
@pytest.mark.promise("F2")
@pytest.mark.rule("A14")
@pytest.mark.timeout(240)
async def test_of_an_erased_practice_no_row_file_or_job_is_left_and_the_end_of_its_trail_can_be_verified(
    fresh_database: Database, tmp_path: Path
) -> None:
    async with desk_at(fresh_database, tmp_path, **CONFIG) as desk:
        other = await furnished(desk)
        both = await _of_both(desk, other)
        await exported(desk)
        await desk.deployment.data(ERASE, desk.olga.token, n=desk.practice.name)
        await desk.deployment.platform.clock.move(MONTH + timedelta(hours=1))
        token = await desk.deployment.sign_in(desk.ada.email)
        before = await verdict_on(desk)
        assert (before.fault, before.erased) == (None, False)
        ids = await _ids(desk)
        assert len(ids) > 40
        async with desk.deployment.socket(token) as socket, unannounced(desk.deployment):
            await desk.run("erase_practice")
            assert await socket.closed() == (4403, "Session ended")
        everything = await desk.everything()
        left = [id for id in ids if id in everything]
        assert left == [str(desk.practice.id)]  # its row in practice_erasure, and the deployment's trail
        for table in await desk.rows(
            "SELECT table_name AS name FROM information_schema.columns WHERE column_name = 'practice_id'"
        ):
            count = f'SELECT count(*) AS n FROM "{table["name"]}" WHERE practice_id = $1'
            assert (await desk.rows(count, desk.practice.id))[0]["n"] == (table["name"] == "practice_erasure"), table
        for word in (desk.ada.email, desk.olga.email, desk.patient.mrn, desk.patient.last_name):
            assert word not in everything, word
        assert not [path for path in desk.kept() if desk.practice.id.hex in str(path)]
        assert (await desk.rows("SELECT count(*) AS n FROM pgqueuer WHERE headers->>'practice' = $1",
                                str(desk.practice.id)))[0]["n"] == 0  # fmt: skip
        # nobody of it gets in; somebody who is of another practice too does, and that practice has all it had
        assert await desk.deployment.code(PATIENTS, desk.olga.token) == "UNAUTHENTICATED"
        assert (await desk.deployment.data("{ viewer { member { id } } }", other.token))["viewer"]["member"][
            "id"
        ] == other.id
        assert both in everything
        # what is left of the trail is what is anchored, and to change that is seen
        after = await verdict_on(desk)
        assert (after.fault, after.erased) == (None, True)
        assert (after.sealed, after.head) == (before.sealed, before.head) == (after.anchored, before.head)
        await desk.rows("UPDATE practice_erasure SET entries = entries - 1")
        tampered = await verdict_on(desk)
        assert tampered.fault is not None
        assert tampered.fault.kind == "removed"


async def _of_both(desk: Desk, other: Person) -> str:
    """Make somebody of this practice a member of the other one too; returns their address."""
    ben = await desk.deployment.person(desk.practice, Role.STAFF, "Both")
    await desk.rows(
        """INSERT INTO member (id, practice_id, account_id, first_name, last_name, role, created_at)
        SELECT gen_random_uuid(), $1, account_id, 'Bo', 'Th', 'staff', now() FROM member WHERE id = $2""",
        other.member.practice_id, ben.member.id,
    )  # fmt: skip
    return ben.email


async def _ids(desk: Desk) -> set[str]:
    """Return the id of everything that is the practice's."""
    tables = await desk.rows(
        """SELECT c.table_name AS name FROM information_schema.columns c
        WHERE c.table_schema = 'public' AND c.column_name IN ('id', 'practice_id')
        GROUP BY c.table_name HAVING count(*) = 2"""
    )
    found: set[str] = {str(desk.practice.id)}
    for table in tables:
        if table["name"] != "practice_erasure":
            sql = f'SELECT id::text AS id FROM "{table["name"]}" WHERE practice_id = $1'
            found |= {row["id"] for row in await desk.rows(sql, desk.practice.id)}
    return found


async def test_a_worker_erases_a_practice_whose_own_job_goes_with_it(fresh_database: Database, tmp_path: Path) -> None:
    async with desk_at(fresh_database, tmp_path, worker=True) as desk:
        await desk.attached(b"Some words.")
        platform: Any = desk.deployment.platform
        with acting(desk.practice.id):
            await DB.fetchrow(
                "SELECT * FROM practice_erasure_ask(gen_random_uuid(), NULL, now() - interval '40 days', now())"
            )
            async with unit() as work:
                await work.enqueue("core.erase_practice", {})

        async def gone() -> bool:
            return await desk.count("practice") == 0

        await until(gone, "the practice is erased", 60)
        await settled(fresh_database)
        assert await platform.jobs.held() == []
        assert not [path for path in desk.kept() if desk.practice.id.hex in str(path)]
