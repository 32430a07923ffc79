"""The servers that are compared: Bedside as its command starts it, and Node servers that the benchmark installs."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import parse_qs, urlsplit

from .load import Unexpected, ask, operation, post
from .machine import Tree

PEERS = Path(__file__).parent / "peers"
BEDSIDE = str(Path(sys.executable).parent / "bedside")
READY_SECONDS = 120.0

ALIVE = "{ __typename }"


@dataclass(frozen=True)
class Server:
    """A server that answers.

    Args:
        name: what tables call it.
        url: where it takes operations.
        tree: its processes.
        ready_seconds: from the start of its process to the first right answer.
    """

    name: str
    url: str
    tree: Tree
    ready_seconds: float

    def kill(self) -> None:
        """End it without a word, where it is too busy to hear one."""
        os.kill(self.tree.pid, signal.SIGKILL)


def install_peers() -> None:
    """Install the Node servers from their lock, unless that was done."""
    if shutil.which("npm") is None:
        raise SystemExit("The peers need Node 20.19 or newer with npm, and there is no npm on the PATH.")
    lock, done = PEERS / "package-lock.json", PEERS / "node_modules" / ".package-lock.json"
    if not done.exists() or done.stat().st_mtime < lock.stat().st_mtime:
        subprocess.run(("npm", "ci", "--no-audit", "--no-fund"), cwd=PEERS, check=True)
        done.touch()


def bedside_environment(**settings: str) -> dict[str, str]:
    """Return an environment in which nothing but these settings configures Bedside."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BEDSIDE_")}
    return kept | {f"BEDSIDE_{name.upper()}": value for name, value in settings.items()}


@asynccontextmanager
async def bedside(log: Path, *, ready: str = ALIVE, token: str = "", **settings: str) -> AsyncGenerator[Server]:
    """Run `bedside serve`.

    Args:
        log: file for what it writes; the access log is part of what it does.
        ready: the query whose first right answer counts as being ready.
        token: who asks it.
        settings: further configuration, by the names of BEDSIDE_* variables.
    """
    port = _free_port()
    command = (BEDSIDE, "serve", "--port", str(port))
    async with _running("Bedside", command, bedside_environment(**settings), log, ready, token, port) as server:
        yield server


@asynccontextmanager
async def peer(kind: str, dsn: str, log: Path, *, ready: str = ALIVE, token: str = "") -> AsyncGenerator[Server]:
    """Run a Node server over a database.

    Args:
        kind: `mercurius` or `yoga`, a module of peers/.
        dsn: URL of the database as the owner of the tables, through its Unix socket.
        log: file for what it writes.
        ready: the query whose first right answer counts as being ready.
        token: who asks it.
    """
    parts = urlsplit(dsn)
    environment = {
        **os.environ,
        "NODE_ENV": "production",
        "PEER_DATABASE_HOST": parse_qs(parts.query)["host"][0],
        "PEER_DATABASE": parts.path.lstrip("/"),
        "PEER_DATABASE_USER": parts.username or "",
        "PEER_PORT": str(port := _free_port()),
    }
    command = ("node", str(PEERS / f"{kind}.mjs"))
    async with _running(kind.capitalize(), command, environment, log, ready, token, port) as server:
        yield server


@asynccontextmanager
async def _running(
    name: str, command: Sequence[str], environment: Mapping[str, str], log: Path, ready: str, token: str, port: int
) -> AsyncGenerator[Server]:
    url = f"http://127.0.0.1:{port}/graphql"
    request = post(url, operation(ready), {"authorization": f"Bearer {token}"} if token else {})
    with log.open("ab") as output:
        began = time.perf_counter()
        process = _started(command, environment, output)
        try:
            await _answers(process, url, request, log)
            yield Server(name, url, Tree(process.pid), time.perf_counter() - began)
        finally:
            _stop(process, output)


async def _answers(process: subprocess.Popen[bytes], url: str, request: bytes, log: Path) -> None:
    """Wait for the first right answer, looking every two milliseconds."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        if process.poll() is not None:
            raise Unexpected(f"it ended with {process.returncode}: {_tail(log)}")
        if time.monotonic() > deadline:
            raise Unexpected(f"it gave no answer in {READY_SECONDS:g} s: {_tail(log)}")
        try:
            status, body = await ask(url, request)
        except OSError:
            await asyncio.sleep(0.002)
            continue
        if status != 200 or b'"errors"' in body:
            raise Unexpected(f"{status}: {body[:500]!r}")
        return


def _started(command: Sequence[str], environment: Mapping[str, str], output: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, env=environment, stdout=output, stderr=output, cwd=Path(output.name).parent)


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def _stop(process: subprocess.Popen[bytes], output: IO[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        output.write(b"\ndid not stop in 30 s\n")
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
