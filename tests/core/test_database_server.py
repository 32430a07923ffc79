"""The private server: made, started, shared, left, crashed and taken over."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from bedside_core.database import EmbeddedServer, ServerFailed
from bedside_core.testing import sweep, until

QUICK = {"fsync": "off", "max_wal_size": "64MB", "shared_buffers": "16MB"}


BASE = "/dev/shm" if Path("/dev/shm").is_dir() else None


@pytest.fixture
def new_folder() -> Iterator[Path]:
    """A folder for a server to be made in; pytest's own may be too deep."""
    base = Path(tempfile.mkdtemp(prefix="bedside-server-", dir=BASE))
    yield base / "data"
    shutil.rmtree(base)


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A server that has been made and stopped, to copy: making one takes a second."""
    base = Path(tempfile.mkdtemp(prefix="bedside-server-", dir=BASE))

    async def make() -> None:
        server = await EmbeddedServer.start(base / "data", settings=QUICK)
        await server.stop()

    asyncio.run(make())
    yield base / "data"
    shutil.rmtree(base)


@pytest.fixture
def folder(new_folder: Path, made: Path) -> Path:
    """The folder of a server that does not run."""
    subprocess.run(["cp", "-a", str(made), str(new_folder)], check=True)
    return new_folder


@pytest.fixture
async def server(folder: Path) -> AsyncGenerator[EmbeddedServer]:
    server = await EmbeddedServer.start(folder, settings=QUICK)
    yield server
    await server.stop()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def ask(dsn: str, sql: str, *args: object) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql, *args)
    finally:
        await connection.close()


async def test_it_is_made_on_first_use_kept_and_started_again(new_folder: Path) -> None:
    server = await EmbeddedServer.start(new_folder, database="clinic", settings=QUICK)
    first = server.pid
    await ask(server.owner_dsn("clinic"), "CREATE TABLE kept AS SELECT 7 AS n")
    assert await server.stop()
    assert server.pid is None
    assert not await server.stop()

    server = await EmbeddedServer.start(new_folder, database="clinic", settings=QUICK)
    assert server.pid not in (None, first)
    assert await ask(server.owner_dsn("clinic"), "SELECT n FROM kept") == 7
    assert await server.stop()


async def test_only_our_own_socket_leads_to_it(server: EmbeddedServer, folder: Path) -> None:
    assert await ask(server.owner_dsn(), "SHOW listen_addresses") == ""
    assert server.pid is not None
    assert [c for c in psutil.Process(server.pid).net_connections("inet") if c.status == psutil.CONN_LISTEN] == []
    assert [mode(path) for path in (folder, folder / "cluster", folder / ".s.PGSQL.5432")] == [0o700] * 3
    assert mode(folder / "postgres.log") == 0o600


async def test_text_sorts_alike_on_every_machine(server: EmbeddedServer) -> None:
    sql = "SELECT string_agg(w, ' ' ORDER BY w) || lower('ÄÖ') FROM unnest(ARRAY['b', 'a', 'B', 'ä']) w"
    assert await ask(server.owner_dsn(), sql) == "B a b ääö"
    assert await ask(server.owner_dsn(), "SHOW timezone") == "UTC"


async def test_it_is_not_reached_by_ctrl_c_on_our_terminal(server: EmbeddedServer) -> None:
    assert server.pid is not None
    assert os.getsid(server.pid) != os.getsid(0)
    assert os.getpgid(server.pid) != os.getpgid(0)


async def test_several_share_it_and_the_last_to_leave_stops_it(folder: Path) -> None:
    servers = await asyncio.gather(*(EmbeddedServer.start(folder, settings=QUICK) for _ in range(3)))
    assert len({server.pid for server in servers}) == 1
    assert await servers[0].stop() is False
    assert await servers[2].stop() is False
    assert await ask(servers[1].owner_dsn(), "SELECT 1") == 1
    assert await servers[1].stop() is True
    assert servers[1].pid is None


USER = """
import asyncio, sys
from pathlib import Path
from bedside_core.database import EmbeddedServer

async def main():
    server = await EmbeddedServer.start(Path(sys.argv[1]), settings={"fsync": "off"})
    print(server.pid, flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    print(await server.stop(), flush=True)

asyncio.run(main())
"""


def sleeper(path: Path) -> subprocess.Popen[bytes]:
    """Start a process of the user that a path belongs to."""
    return subprocess.Popen(["sleep", "60"], user=path.stat().st_uid)


def runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


class User:
    """Another process that uses the server of a folder."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def begin(cls, folder: Path) -> User:
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable, "-c", USER, str(folder), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
            )
        )

    async def told(self) -> str:
        assert self.process.stdout is not None
        return (await self.process.stdout.readline()).decode().strip()

    async def leave(self) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        told = await self.told()
        assert await self.process.wait() == 0
        return told


async def test_it_survives_the_process_that_started_it_and_is_taken_over_and_stopped(folder: Path) -> None:
    starter, sharer = await User.begin(folder), None
    pid = int(await starter.told())
    sharer = await User.begin(folder)
    assert int(await sharer.told()) == pid
    starter.process.kill()
    await starter.process.wait()
    assert runs(pid)
    assert await sharer.leave() == "True"  # although the one that was killed never left
    assert not runs(pid)


async def test_a_server_left_over_by_a_killed_process_is_taken_over(folder: Path) -> None:
    starter = await User.begin(folder)
    pid = int(await starter.told())
    starter.process.kill()
    await starter.process.wait()
    server = await EmbeddedServer.start(folder, settings=QUICK)
    assert server.pid == pid
    assert await server.stop() is True


def test_the_server_of_a_killed_test_run_is_swept_away_and_one_in_use_is_not(made: Path, new_folder: Path) -> None:
    base = new_folder.parent
    killed, used = base / "bedside-test-killed", base / "bedside-test-used"
    servers: dict[Path, EmbeddedServer] = {}
    for folder in (killed, used):
        subprocess.run(["cp", "-a", str(made), str(folder)], check=True)

    async def start() -> None:
        for folder in (killed, used):
            servers[folder] = await EmbeddedServer.start(folder, settings=QUICK)

    asyncio.run(start())
    del servers[killed]  # as when its process is killed: the kernel drops the lock, and nobody stops it
    gc.collect()
    for folder in (killed, used):
        os.utime(folder, (0, 0))
    sweep(base)
    assert [folder.exists() for folder in (killed, used)] == [False, True]
    assert asyncio.run(servers[used].stop()) is True


async def test_a_crash_loses_nothing_committed(server: EmbeddedServer) -> None:
    await ask(server.owner_dsn(), "CREATE TABLE kept AS SELECT 7 AS n")
    before = server.pid
    await server.restart("immediate")
    assert server.pid not in (None, before)
    assert await ask(server.owner_dsn(), "SELECT n FROM kept") == 7


async def test_a_killed_server_is_started_again(server: EmbeddedServer, folder: Path) -> None:
    await ask(server.owner_dsn(), "CREATE TABLE kept AS SELECT 7 AS n")
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    await until(lambda: server.pid is None, "the server to be gone")
    again = await EmbeddedServer.start(folder, settings=QUICK)
    assert await ask(again.owner_dsn(), "SELECT n FROM kept") == 7
    await again.stop()


async def test_recovery_is_waited_for(folder: Path) -> None:
    # pg_ctl's own wait ends after a time; ours while the server says that it is starting up does not.
    server = await EmbeddedServer.start(folder, settings=QUICK)
    await ask(server.owner_dsn(), "CREATE TABLE kept AS SELECT 7 AS n")
    await server.stop()
    (folder / "cluster" / "recovery.signal").touch(mode=0o666)
    slow = {"restore_command": "sleep 0.5; false", "recovery_target_timeline": "current"}
    began = asyncio.get_running_loop().time()
    server = await EmbeddedServer.start(folder, settings={**QUICK, **slow})
    assert asyncio.get_running_loop().time() - began > 0.5
    assert await ask(server.owner_dsn(), "SELECT n FROM kept") == 7
    await server.stop()


async def test_a_pid_file_that_names_another_process_of_today_is_no_hindrance(folder: Path) -> None:
    server = await EmbeddedServer.start(folder, settings=QUICK)
    pid_file = folder / "cluster" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    await server.stop()
    bystander = sleeper(folder / "cluster")
    pid_file.write_text("\n".join([str(bystander.pid), *lines[1:]]) + "\n")
    (folder / ".s.PGSQL.5432.lock").write_text(f"{bystander.pid}\n")
    server = await EmbeddedServer.start(folder, settings=QUICK)
    assert await ask(server.owner_dsn(), "SELECT 1") == 1
    assert server.pid not in (None, bystander.pid)
    await server.stop()
    bystander.kill()
    bystander.wait()


async def test_a_server_half_made_is_made_anew(new_folder: Path) -> None:
    half = new_folder / "cluster.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    server = await EmbeddedServer.start(new_folder, settings=QUICK)
    assert await ask(server.owner_dsn(), "SELECT 1") == 1
    assert not half.exists()
    await server.stop()


async def test_a_folder_of_another_version_is_refused(new_folder: Path) -> None:
    (new_folder / "cluster").mkdir(parents=True)
    (new_folder / "cluster" / "PG_VERSION").write_text("16\n")
    with pytest.raises(ServerFailed, match="made by PostgreSQL 16, and this is 18: restore a backup into a new folder"):
        await EmbeddedServer.start(new_folder, settings=QUICK)


async def test_a_server_that_does_not_start_says_why_and_leaves_the_folder_free(folder: Path) -> None:
    with pytest.raises(ServerFailed, match='does not start; its log ends with:\n(.*\n)*.*"no_such_setting"'):
        await EmbeddedServer.start(folder, settings={"no_such_setting": "1"})
    server = await EmbeddedServer.start(folder, settings=QUICK)
    assert await server.stop() is True


async def test_a_path_too_long_for_a_socket_gets_one_in_a_private_folder(new_folder: Path) -> None:
    deep = new_folder / ("a" * 60) / ("b" * 60)
    server = await EmbeddedServer.start(deep, settings=QUICK)
    sockets = Path(server.owner_dsn().partition("host=")[2])
    assert mode(sockets) == 0o700
    assert await ask(server.owner_dsn(), "SELECT 1") == 1
    await server.stop()
    os.rmdir(sockets)  # it holds nothing when the server is down


async def test_neither_statements_nor_details_of_errors_reach_the_servers_log(
    server: EmbeddedServer, folder: Path
) -> None:
    connection = await asyncpg.connect(server.owner_dsn())
    await connection.execute("CREATE TABLE patient (name text PRIMARY KEY); INSERT INTO patient VALUES ('Ada Canary')")
    for statement in ("INSERT INTO patient VALUES ('Ada Canary')", "SELECT 'Ada Canary' FROM nowhere"):
        with pytest.raises(asyncpg.PostgresError):
            await connection.execute(statement)
        with pytest.raises(asyncpg.PostgresError):
            await connection.execute("INSERT INTO patient VALUES ($1)", "Ada Canary")
    await connection.close()
    log = (folder / "postgres.log").read_text()
    assert "duplicate key value" in log
    assert "Canary" not in log


async def test_names_of_databases_are_names(server: EmbeddedServer) -> None:
    with pytest.raises(ValueError, match="no name for a database"):
        await server.create_database('x"; DROP TABLE y')
