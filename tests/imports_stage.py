"""What tests of imports share: files of patients, and a desk at which they are imported over HTTP and sockets."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from deployment import Deployment, Person, served

from bedside_core.auth import Role
from bedside_core.database import acting
from bedside_core.jobs import JobRun
from bedside_core.people import Practice
from bedside_core.testing import Database

ANNOUNCE = """mutation($n: String!, $s: Int!, $h: String!, $c: String!) {
    createUpload(name: $n, size: $s, sha256: $h, clientId: $c) { id url } }"""
FIELDS = """{ id state progress dryRun skipRefused rows refused imported encoding delimiter ignoredColumns
    problem { code message wayOn } reportUrl createdAt endedAt }"""
IMPORT = f"""mutation($i: ImportPatientsInput!, $c: String!) {{ importPatients(input: $i, clientId: $c) {FIELDS} }}"""
FOLLOW = f"subscription($i: ID!) {{ patientImport(id: $i) {FIELDS} }}"
STANDING = f"query($i: ID!) {{ patientImport(id: $i) {FIELDS} }}"
REFUSALS = """query($i: ID!, $n: Int, $a: String) { importRefusals(id: $i, first: $n, after: $a) {
    nodes { line faults { column code message } } pageInfo { hasNextPage endCursor } } }"""
HEADER = "First name,Last name,Date of birth,MRN,Gender,Phone,Email"

_numbers = itertools.count()


def row(number: int, **change: str) -> str:
    """Return a row that can be imported, but for what is changed."""
    cells = {
        "first": f"Ruth{chr(97 + number % 26)}", "last": f"Abel{number}", "born": "1950-02-03", "mrn": f"I-{number}",
        "gender": "female", "phone": "(202) 555-0143", "email": "", **change,
    }  # fmt: skip
    return ",".join(cells.values())


def table(rows: Sequence[str], header: str = HEADER) -> bytes:
    """Return a file."""
    return "\r\n".join([header, *rows, ""]).encode()


@dataclass
class ImportDesk:
    """A practice with a manager, on a deployment with a worker."""

    deployment: Deployment
    database: Database
    practice: Practice
    mona: Person

    async def uploaded(self, content: bytes, by: Person | None = None) -> str:
        """Upload a file and return its id."""
        token, digest = (by or self.mona).token, hashlib.sha256(content).hexdigest()
        told = await self.deployment.data(
            ANNOUNCE, token, n="patients.csv", s=len(content), h=digest, c=f"u{next(_numbers)}"
        )
        upload = told["createUpload"]
        answer = await self.deployment.http.put(
            upload["url"], content=content, headers={"authorization": f"Bearer {token}"}
        )
        assert (answer.status_code, answer.json().get("state")) == (200, "stored"), answer.text
        return upload["id"]

    async def begun(self, content: bytes | str, client_id: str | None = None, **how: Any) -> str:
        """Upload a file, or take one that was, have it imported, and return the import's id."""
        upload = content if isinstance(content, str) else await self.uploaded(content)
        given = {"uploadId": upload, "dryRun": False, **how}
        told = await self.deployment.data(IMPORT, self.mona.token, i=given, c=client_id or f"i{next(_numbers)}")
        return told["importPatients"]["id"]

    async def followed(self, import_id: str) -> list[dict[str, Any]]:
        """Follow an import to its end and return every step that was told."""
        steps = []
        async with self.deployment.socket(self.mona.token) as socket:
            key = await socket.subscribe(FOLLOW, i=import_id)
            while (message := await socket.receive())["type"] == "next":
                assert "errors" not in message["payload"], message
                steps.append(message["payload"]["data"]["patientImport"])
            assert (message["id"], message["type"]) == (key, "complete"), message
        return steps

    async def imported(self, content: bytes | str, **how: Any) -> dict[str, Any]:
        """Have a file imported and return how it ended."""
        return (await self.followed(await self.begun(content, **how)))[-1]

    async def refusals(self, import_id: str, **page: Any) -> list[tuple[int, list[tuple[str | None, str]]]]:
        """Return the refused rows: line, and column and code of each fault."""
        told = await self.deployment.data(REFUSALS, self.mona.token, i=import_id, **page)
        return [
            (node["line"], [(fault["column"], fault["code"]) for fault in node["faults"]])
            for node in told["importRefusals"]["nodes"]
        ]

    async def get(self, url: str, by: Person | None = None) -> tuple[int, bytes]:
        """Download something; returns status and content."""
        headers = {"authorization": f"Bearer {(by or self.mona).token}"}
        answer = await self.deployment.http.get(url, headers=headers)
        return answer.status_code, answer.content

    async def run(self, import_id: str) -> None:
        """Carry an import out as a worker does, where there is none."""
        await self._job("core.import_patients", {"import_id": import_id})

    async def expire(self) -> None:
        """Take old imports away, as a worker does at night."""
        await self._job("core.expire_imports", {})

    async def _job(self, name: str, payload: dict[str, str]) -> None:
        platform = self.deployment.platform
        with acting(self.practice.id):
            await platform.jobs.entries[name].function(
                JobRun(platform=platform, practice_id=self.practice.id, payload=payload, attempt=1)
            )

    async def rows(self, sql: str, *values: Any) -> list[Any]:
        """Ask the database as its owner."""
        owner = await asyncpg.connect(self.database.owner_dsn)
        try:
            return await owner.fetch(sql, *values)
        finally:
            await owner.close()

    async def count(self, table: str) -> int:
        """Count a table's rows."""
        return (await self.rows(f"SELECT count(*) AS n FROM {table}"))[0]["n"]


@asynccontextmanager
async def import_desk(database: Database, folder: Path, *, worker: bool = True) -> AsyncGenerator[ImportDesk]:
    """Give a desk whose files are in a folder."""
    async with served(database, worker=worker, data=folder) as deployment:
        practice = await deployment.practice()
        mona = await deployment.person(practice, Role.MANAGER, "Mona")
        yield ImportDesk(deployment, database, practice, mona)


@asynccontextmanager
async def held_at(desk: ImportDesk, number: int, *, committed: bool = False) -> AsyncGenerator[None]:
    """Have the import wait at a row during the block: somebody else takes its MRN, and commits or does not."""
    owner = await asyncpg.connect(desk.database.owner_dsn)
    change = owner.transaction()
    await change.start()
    try:
        await owner.execute(
            """INSERT INTO patient
                (id, practice_id, first_name, last_name, date_of_birth, mrn, gender, email, created_at)
            VALUES (gen_random_uuid(), $1, 'Some', 'Body', '1950-02-03', $2, 'x', 'x@example.org', now())""",
            desk.practice.id,
            f"I-{number}",
        )
        yield
    finally:
        await (change.commit() if committed else change.rollback())
        await owner.close()


async def waits(desk: ImportDesk) -> bool:
    """Tell whether the import waits at its row."""
    [found] = await desk.rows(
        """SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'
            AND query LIKE 'INSERT INTO patient (%') AS waits"""
    )
    return found["waits"]
