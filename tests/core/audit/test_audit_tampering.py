"""Whatever the owner of the tables does to the trail, `bedside audit verify` names the first bad entry (promise J1)."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from audit_stage import owner

from bedside_core import audit
from bedside_core.audit.anchor import Anchor
from bedside_core.audit.entries import COLUMNS, GENESIS, sealed
from bedside_core.audit.sealer import Sealer
from bedside_core.audit.verify import Verdict, verify
from bedside_core.database import DB, acting, unit
from bedside_core.ids import uuid7
from bedside_core.testing import Database

PROGRAM = Path(sys.executable).with_name("bedside")


class Sealed(NamedTuple):
    """A trail of seven sealed entries, and what tampers with it."""

    practice_id: UUID
    ids: list[UUID]
    """The entries, in order."""
    owner: Any
    anchor: Anchor


async def enter(practice_id: UUID, number: int = 1) -> None:
    for _ in range(number):
        with acting(practice_id):
            async with unit():
                audit.did("ward.walk", target=uuid7(), patients=[uuid7()])


async def ids_of(practice_id: UUID) -> list[UUID]:
    with acting(practice_id):
        return [row["entry_id"] for row in await DB.fetch('SELECT entry_id FROM audit_seal ORDER BY "number"')]


async def verdict_on(trail: Sealed) -> Verdict:
    [verdict] = [verdict async for verdict in verify(trail.anchor, trail.practice_id)]
    return verdict


async def rechain(trail: Sealed, first: int) -> None:
    """Make every hash fit again from a number on, as somebody would who knows how the chain is made."""
    rows = await trail.owner.fetch(
        f"""SELECT s."number", {", ".join(f"e.{name}" for name in COLUMNS)} FROM audit_seal s
        JOIN audit_entry e ON e.id = s.entry_id WHERE s.practice_id = $1 AND s."number" >= $2 ORDER BY 1""",
        trail.practice_id,
        first,
    )
    last = await trail.owner.fetchval(
        'SELECT hash FROM audit_seal WHERE practice_id = $1 AND "number" = $2', trail.practice_id, first - 1
    )
    last = last or GENESIS
    for row in rows:
        plain = {**dict(row), "detail": json.loads(row["detail"])}
        previous, last = last, sealed(row["number"], last, plain)
        await trail.owner.execute(
            'UPDATE audit_seal SET previous = $3, hash = $4 WHERE practice_id = $1 AND "number" = $2',
            trail.practice_id, row["number"], previous, last,
        )  # fmt: skip


async def remove(trail: Sealed, number: int) -> None:
    await trail.owner.execute("DELETE FROM audit_entry WHERE id = $1", trail.ids[number - 1])


async def unseal(trail: Sealed, number: int) -> None:
    await trail.owner.execute("DELETE FROM audit_seal WHERE entry_id = $1", trail.ids[number - 1])


async def renumber(trail: Sealed, above: int, by: int) -> None:
    """Move numbers, past the key in between."""
    for step in (1_000_000, by - 1_000_000):
        await trail.owner.execute(
            'UPDATE audit_seal SET "number" = "number" + $3 WHERE practice_id = $1 AND "number" > $2',
            trail.practice_id, above, step,
        )  # fmt: skip


async def changed(trail: Sealed) -> None:
    await trail.owner.execute("UPDATE audit_entry SET patients = '{}' WHERE id = $1", trail.ids[2])
    await trail.owner.execute("UPDATE audit_entry SET action = 'x' WHERE id = $1", trail.ids[4])


async def removed(trail: Sealed) -> None:
    await remove(trail, 3)


async def removed_with_its_seal(trail: Sealed) -> None:
    await remove(trail, 3)
    await unseal(trail, 3)


async def removed_and_renumbered(trail: Sealed) -> None:
    await removed_with_its_seal(trail)
    await renumber(trail, 3, -1)


async def removed_and_rechained(trail: Sealed) -> None:
    await removed_and_renumbered(trail)
    await rechain(trail, 3)


async def reordered(trail: Sealed) -> None:
    for id, number in ((trail.ids[2], 100), (trail.ids[3], 3), (trail.ids[2], 4)):
        await trail.owner.execute('UPDATE audit_seal SET "number" = $2 WHERE entry_id = $1', id, number)


async def exchanged(trail: Sealed) -> None:
    for id, other in ((trail.ids[2], uuid7()), (trail.ids[3], trail.ids[2])):
        await trail.owner.execute("UPDATE audit_seal SET entry_id = $2 WHERE entry_id = $1", id, other)
    await trail.owner.execute(
        'UPDATE audit_seal SET entry_id = $2 WHERE practice_id = $1 AND "number" = 3', trail.practice_id, trail.ids[3]
    )


async def forge(trail: Sealed) -> UUID:
    """Put an entry in, a copy of another, which the product's trigger does not see."""
    forged = uuid7()
    columns = ", ".join(name for name in COLUMNS if name != "id")
    await trail.owner.execute("ALTER TABLE audit_entry DISABLE TRIGGER waits")
    await trail.owner.execute(
        f"INSERT INTO audit_entry (id, {columns}) SELECT $1, {columns} FROM audit_entry WHERE id = $2",
        forged,
        trail.ids[0],
    )
    await trail.owner.execute("ALTER TABLE audit_entry ENABLE TRIGGER waits")
    return forged


async def inserted_without_a_seal(trail: Sealed) -> None:
    trail.ids.append(await forge(trail))


async def inserted(trail: Sealed) -> None:
    """Between 3 and 4, with a seal that fits what is before it."""
    forged = await forge(trail)
    await renumber(trail, 3, 1)
    await trail.owner.execute(
        """INSERT INTO audit_seal SELECT practice_id, 4, $2, hash, hash FROM audit_seal
        WHERE practice_id = $1 AND "number" = 3""",
        trail.practice_id,
        forged,
    )
    after = await trail.owner.fetchrow(
        'SELECT previous, hash FROM audit_seal WHERE practice_id = $1 AND "number" = 5', trail.practice_id
    )
    await rechain(trail, 4)
    for number in (5, 6, 7, 8):  # the others as they were: their hashes are over other numbers
        await trail.owner.execute(
            'UPDATE audit_seal SET previous = $3, hash = $4 WHERE practice_id = $1 AND "number" = $2',
            trail.practice_id, number, after["previous"], after["hash"],
        )  # fmt: skip
    trail.ids.insert(3, forged)


async def cut(trail: Sealed) -> None:
    for number in (6, 7):
        await remove(trail, number)
        await unseal(trail, number)


async def cut_and_gone_on(trail: Sealed) -> None:
    """The product itself seals what comes after the cut."""
    await cut(trail)
    await enter(trail.practice_id, 3)
    await Sealer(trail.anchor).seal()
    trail.ids[5:] = (await ids_of(trail.practice_id))[5:]


async def cut_whole(trail: Sealed) -> None:
    await trail.owner.execute("TRUNCATE audit_entry, audit_seal, audit_unsealed")


async def rewritten(trail: Sealed) -> None:
    """From the first entry on, with every hash made anew: the chain itself has no fault."""
    await trail.owner.execute("UPDATE audit_entry SET at = at + interval '1 hour' WHERE id = $1", trail.ids[0])
    await rechain(trail, 1)


async def rewritten_end(trail: Sealed) -> None:
    await trail.owner.execute("UPDATE audit_entry SET operator = true WHERE id = $1", trail.ids[6])
    await rechain(trail, 7)


async def seal_changed(trail: Sealed) -> None:
    await trail.owner.execute("UPDATE audit_seal SET hash = previous WHERE entry_id = $1", trail.ids[2])


async def moved_to_another_practice(trail: Sealed) -> None:
    await trail.owner.execute("UPDATE audit_entry SET practice_id = $2 WHERE id = $1", trail.ids[2], uuid7())


Tamper = Callable[[Sealed], Awaitable[None]]

CASES: list[tuple[Tamper, str, int | None, int | None]] = [
    (changed, "changed", 3, 2),
    (seal_changed, "changed", 3, 2),
    (removed, "removed", 3, 2),
    (removed_with_its_seal, "removed", 3, None),
    (moved_to_another_practice, "removed", 3, 2),
    (removed_and_renumbered, "reordered", 3, 3),
    (reordered, "reordered", 3, 3),
    (exchanged, "changed", 3, 3),
    (inserted, "inserted", 4, 3),
    (inserted_without_a_seal, "inserted", None, 7),
    (cut, "cut", 6, None),
    (cut_whole, "cut", 1, None),
    (cut_and_gone_on, "rewritten", 7, 6),
    # The anchor knows 3, 5 and 7: a chain made anew is seen at the first of them behind what was done.
    (removed_and_rechained, "rewritten", 3, 3),
    (rewritten, "rewritten", 3, 2),
    (rewritten_end, "rewritten", 7, 6),
]
"""What is done, what it is called, the number told, and which of the entries is told."""


async def sealed_trail(database: Database, folder: Path, connection: Any) -> Sealed:
    practice_id, anchor = uuid7(), Anchor(folder)
    for number in (3, 2, 2):
        await enter(practice_id, number)
        await Sealer(anchor).seal()
    return Sealed(practice_id, await ids_of(practice_id), connection, anchor)


@pytest.mark.promise("J1")
@pytest.mark.rule("A14")
@pytest.mark.parametrize(("tamper", "kind", "number", "entry"), CASES, ids=[case[0].__name__ for case in CASES])
async def test_the_first_bad_entry_is_named(
    database: Database, tmp_path: Path, tamper: Tamper, kind: str, number: int | None, entry: int | None
) -> None:
    async with owner(database) as connection:
        trail = await sealed_trail(database, tmp_path / "anchor", connection)
        assert (await verdict_on(trail)).fault is None
        await tamper(trail)
        verdict = await verdict_on(trail)
    fault = verdict.fault
    assert fault is not None
    assert (fault.kind, fault.number) == (kind, number)
    assert fault.entry_id == (None if entry is None else trail.ids[entry])


@pytest.mark.promise("J1")
async def test_an_entry_taken_away_before_its_seal_is_missed(database: Database, tmp_path: Path) -> None:
    async with owner(database) as connection:
        trail = await sealed_trail(database, tmp_path, connection)
        await enter(trail.practice_id, 2)
        waiting = await connection.fetch("SELECT entry_id FROM audit_unsealed ORDER BY entry_id")
        assert (await verdict_on(trail)).unsealed == 2
        await connection.execute("DELETE FROM audit_entry WHERE id = $1", waiting[1]["entry_id"])
        fault = (await verdict_on(trail)).fault
    assert fault is not None
    assert (fault.kind, fault.number, fault.entry_id) == ("removed", None, waiting[1]["entry_id"])


@pytest.mark.promise("J1")
async def test_a_trail_of_which_nothing_is_anchored_is_no_proof(database: Database, tmp_path: Path) -> None:
    async with owner(database) as connection:
        trail = await sealed_trail(database, tmp_path / "anchor", connection)
        for path in (tmp_path / "anchor").iterdir():
            path.unlink()
        fault = (await verdict_on(trail)).fault
    assert fault is not None
    assert (fault.kind, fault.number) == ("unanchored", 1)


@pytest.mark.rule("A14")
async def test_the_unsealed_tail_is_reported_and_no_fault(database: Database, tmp_path: Path) -> None:
    async with owner(database) as connection:
        trail = await sealed_trail(database, tmp_path, connection)
        await enter(trail.practice_id, 2)
        verdict = await verdict_on(trail)
        assert (verdict.sealed, verdict.anchored, verdict.unsealed, verdict.fault) == (7, 7, 2, None)
        assert verdict.since == await connection.fetchval("SELECT min(since) FROM audit_unsealed")
        assert verdict.head == await connection.fetchval('SELECT hash FROM audit_seal WHERE "number" = 7')


@pytest.mark.promise("J1")
async def test_the_command_names_it_and_fails(database: Database, tmp_path: Path) -> None:
    async with owner(database) as connection:
        trail = await sealed_trail(database, tmp_path, connection)
        other = uuid7()
        await enter(other)
        await Sealer(trail.anchor).seal()
        await enter(trail.practice_id)

        async def run(*arguments: str) -> subprocess.CompletedProcess[str]:
            environment = {
                **os.environ,
                "BEDSIDE_DATABASE_URL": database.dsn,
                "BEDSIDE_AUDIT_ANCHOR": str(tmp_path),
            }
            command = (PROGRAM, "audit", "verify", *arguments)
            return await asyncio.to_thread(
                subprocess.run, command, env=environment, capture_output=True, text=True, check=False
            )

        good = await run()
        assert (good.returncode, good.stderr) == (0, "")
        assert [line[:2] for line in good.stdout.splitlines()] == ["ok", "ok"]
        assert f"practice {trail.practice_id}: 7 sealed, 7 anchored, 1 waiting since " in good.stdout
        await changed(trail)
        bad = await run()
        assert bad.returncode == 1
        assert f"BAD  practice {trail.practice_id}: entry number 3 ({trail.ids[2]}) changed: " in bad.stdout
        assert f"ok   practice {other}: 1 sealed, 1 anchored, 0 waiting" in bad.stdout
        told = json.loads((await run("--json", "--practice", str(trail.practice_id))).stdout)
        assert [
            (item["practice"], item["sealed"], item["fault"]["kind"], item["fault"]["number"]) for item in told
        ] == [(str(trail.practice_id), 2, "changed", 3)]
        assert (told[0]["fault"]["entry"], told[0]["unsealed"]) == (str(trail.ids[2]), 1)
        assert (await run("--practice", str(other))).returncode == 0


@pytest.mark.rule("A14")
@pytest.mark.promise("J1")
@pytest.mark.parametrize("left", [True, False])
async def test_a_trail_that_was_removed_as_if_its_practice_had_been_erased_is_a_fault(
    database: Database, tmp_path: Path, left: bool
) -> None:
    """By whoever owns the tables, with all that the product writes into the database when it erases one."""
    async with owner(database) as connection:
        trail = await sealed_trail(database, tmp_path / "anchor", connection)
        if left:
            await connection.execute(
                "INSERT INTO practice (id, name, zone, created_at) VALUES ($1, 'Here', 'UTC', now())", trail.practice_id
            )
        head = await connection.fetchrow(
            'SELECT "number", hash FROM audit_seal WHERE practice_id = $1 ORDER BY 1 DESC LIMIT 1', trail.practice_id
        )
        for table in ("audit_seal", "audit_entry"):
            await connection.execute(f"DELETE FROM {table} WHERE practice_id = $1", trail.practice_id)
        await connection.execute(
            """INSERT INTO practice_erasure (id, practice_id, asked_at, due_at, ended_at, entries, head)
            VALUES (gen_random_uuid(), $1, now(), now(), now(), $2, $3)""",
            trail.practice_id, head["number"], head["hash"],
        )  # fmt: skip
        await connection.execute(
            """INSERT INTO audit_entry
                (id, practice_id, at, operator, action, kind, target, patients, request_id, via, detail)
            VALUES ($1, $2, now(), false, 'practices.erased', 'practice', $3, '{}', '', 'job',
                jsonb_build_object('entries', $4::text, 'head', $5::text))""",
            uuid7(), UUID(int=0), str(trail.practice_id), str(head["number"]), head["hash"].hex(),
        )  # fmt: skip
        await Sealer(trail.anchor).seal()
        verdict = await verdict_on(trail)
        assert verdict.fault is not None
        told = "the practice itself is there" if left else "the anchor does not say"
        assert told in verdict.fault.message
