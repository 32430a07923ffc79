"""What orchestrators are told of a server and a worker, and what the doctor warns an operator of."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import httpx
import pytest
from backup_stage import bedside
from deployment import served

from bedside_core import health, precautions
from bedside_core.audit import DEPLOYMENT
from bedside_core.config import Config
from bedside_core.database import DB
from bedside_core.findings import State
from bedside_core.testing import Database

pytestmark = pytest.mark.timeout(300)  # several servers are started, each beside everything else

TOKEN = "token-of-the-monitoring"


async def test_queue_and_store_are_told_without_making_a_server_unready(
    fresh_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "FRESH_SECONDS", -1)
    async with served(fresh_database, plugins=(), data=tmp_path) as deployment:
        answer = await deployment.http.get("/health/ready")
        assert (answer.status_code, answer.json()["queue"], answer.json()["storage"]) == (200, True, True)
        owner = await asyncpg.connect(fresh_database.owner_dsn)
        await owner.execute(
            """INSERT INTO pgqueuer (priority, entrypoint, created, execute_after, status)
            VALUES (0, 'core.sweep_files', now() - interval '1 hour', now() - interval '1 hour', 'queued')"""
        )
        await owner.close()
        shutil.rmtree(tmp_path / "files")
        (tmp_path / "files").write_text("no folder any more")
        answer = await deployment.http.get("/health/ready")
        assert (answer.status_code, answer.json()["queue"], answer.json()["storage"]) == (200, False, False)
        assert str(tmp_path) not in answer.text


async def test_a_worker_tells_of_its_health_and_figures_and_of_nothing_else(
    fresh_database: Database, tmp_path: Path
) -> None:
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bedside_core.cli", "worker", "--health-port", "0"),
        env={
            **os.environ,
            "BEDSIDE_DATABASE_URL": fresh_database.dsn,
            "BEDSIDE_PLUGINS": "",
            "BEDSIDE_DATA": str(tmp_path),
            "BEDSIDE_METRICS_TOKEN": TOKEN,
        },
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert worker.stdout is not None
        address = (await worker.stdout.readline()).decode().rpartition(" ")[2].strip()
        async with httpx.AsyncClient(base_url=address, timeout=30) as http:
            assert (await http.get("/health/live")).json() == {"alive": True}
            assert (await http.get("/health/ready")).json()["worker"] == "running"
            assert (await http.get("/metrics")).status_code == 401
            told = await http.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
            assert 'bedside_worker{state="running"} 1.0' in told.text
            assert (await http.get("/")).status_code == 404
            assert (await http.get("/files/x")).status_code == 404
        worker.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(worker.wait(), 60) == 0
    finally:
        if worker.returncode is None:
            worker.kill()


def of_machine(**given: Any) -> dict[str, tuple[State, str]]:
    config = Config.model_validate({"audit_anchor": None, **given})
    return {found.name: (found.state, found.message) for found in precautions.of_machine(config)}


def test_the_doctor_warns_of_what_the_machine_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = of_machine(data=tmp_path)
    assert told["anchor's place"] == (State.WARN, "the audit trail's anchor is on the disk that the database is on")
    assert told["mail"][0] is State.WARN
    assert told["permissions"][0] is State.OK
    assert "proxies" not in told
    apart = of_machine(data=tmp_path, audit_anchor=Path("/dev/shm/anchor"))
    assert apart["anchor's place"][0] is State.OK
    assert of_machine(data=tmp_path, database_url="postgresql://db/x")["anchor's place"][0] is State.OK
    assert of_machine(data=tmp_path, smtp_url="smtp://mail", mail_sender="a@b.example")["mail"][0] is State.OK

    (tmp_path / "secret.key").write_text("k" * 40)
    (tmp_path / "secret.key").chmod(0o640)
    (tmp_path / "files").mkdir(mode=0o755)
    state, message = of_machine(data=tmp_path)["permissions"]
    assert state is State.WARN
    assert message.endswith(f"{tmp_path}/secret.key, {tmp_path}/files")

    open_ = of_machine(data=tmp_path, host="0.0.0.0")
    assert open_["proxies"][0] is State.WARN
    trusted = of_machine(data=tmp_path, host="0.0.0.0", trusted_proxies=(ip_network("10.0.0.0/8"),))
    assert "proxies" not in trusted

    class Usage(NamedTuple):
        total: int
        used: int
        free: int

    for free, expected in ((100 << 30, State.OK), (1 << 30, State.WARN), (100 << 20, State.FAIL)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: Usage(200 << 30, 0, free))
        assert of_machine(data=tmp_path)["disk"][0] is expected


async def of_database() -> dict[str, tuple[State, str]]:
    return {found.name: (found.state, found.message) async for found in precautions.of_database()}


async def test_the_doctor_warns_of_what_the_database_shows(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await of_database() == {
        "backup": (State.WARN, "no backup was ever made with `bedside backup create`"),
        "worker": (State.WARN, "no worker was ever seen"),
        "time": (State.OK, "the database's clock agrees with this machine's"),
    }
    owner = await asyncpg.connect(database.owner_dsn)

    async def since(backup: timedelta, due: timedelta) -> None:
        await owner.execute("DELETE FROM audit_entry; DELETE FROM job_schedule")
        await owner.execute(
            """INSERT INTO audit_entry (id, practice_id, at, operator, action, patients, request_id, via, detail)
            VALUES (gen_random_uuid(), $1, now() - $2::interval, true, 'backup.complete', '{}', '', 'command', '{}')""",
            DEPLOYMENT,
            backup,
        )
        await owner.execute("INSERT INTO job_schedule VALUES ('core.x', '* * * * *', now() - $1::interval)", due)

    await since(timedelta(hours=30), timedelta(seconds=20))
    found = await of_database()
    assert (found["backup"][0], found["worker"][0]) == (State.OK, State.OK)
    await since(timedelta(days=3), timedelta(hours=1))
    found = await of_database()
    assert found["backup"][1].startswith(f"the last backup is of {datetime.now(UTC) - timedelta(days=3):%Y-%m-%d}")
    assert found["worker"][1].startswith("jobs are due since 1:00:")
    assert {found["backup"][0], found["worker"][0]} == {State.WARN}
    # Of a practice's own entries none counts.
    await owner.execute("UPDATE audit_entry SET practice_id = $1", UUID(int=7))
    assert (await of_database())["backup"][1].startswith("no backup")
    await owner.close()

    async def later(sql: str, *args: object) -> Any:
        found = await type(DB).fetchval(DB, sql, *args)
        return found + timedelta(seconds=30) if sql == "SELECT clock_timestamp()" else found

    monkeypatch.setattr(DB, "fetchval", later)
    state, message = (await of_database())["time"]
    assert state is State.WARN
    assert message.startswith(("the database's clock is 30.0 s", "the database's clock is 29."))


def test_the_doctor_tells_them_all(tmp_path: Path) -> None:
    found = {
        each["name"] for each in json.loads(bedside("doctor", "--json", given={"BEDSIDE_DATA": str(tmp_path)}).stdout)
    }
    assert {"anchor's place", "disk", "permissions", "mail", "address"} <= found
