"""A deployment from its first day, by its operator's commands: migrate, doctor, serve, worker, and how they end."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from select import select
from socket import create_server
from typing import Any

import httpx
import psutil
import pytest
from cli_stage import logging_as_before, server_folder
from click.testing import CliRunner, Result
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as connect_socket

from bedside_core import cli
from bedside_core.database import EmbeddedServer
from bedside_core.database.engine import connect
from bedside_core.testing import Templates

DEADLINE = 60.0


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment has the variables that a test gives it."""
    for name in [name for name in os.environ if name.startswith("BEDSIDE_")]:
        monkeypatch.delenv(name)


def bedside(*arguments: str, typed: str = "", **given: str) -> Result:
    """Run a command to its end, in this process: to begin a Python takes longer than most of them."""
    with logging_as_before():
        return CliRunner().invoke(cli.bedside, arguments, input=typed, env=given)


@dataclass
class Running:
    """A command that runs until told to stop."""

    process: subprocess.Popen[str]
    errors: Path

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)


@contextmanager
def running(tmp_path: Path, *arguments: str, **given: str) -> Iterator[Running]:
    errors = tmp_path / f"{arguments[0]}.log"
    with errors.open("w") as log:
        process = subprocess.Popen(
            (sys.executable, "-m", "bedside_core.cli", *arguments),
            env={**os.environ, **given},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        with process:
            try:
                yield Running(process, errors)
            finally:
                if process.poll() is None:
                    process.kill()


@dataclass(frozen=True)
class External:
    """An empty database of somebody's own, as an operator is given one."""

    owner: str
    application: str

    @property
    def variables(self) -> dict[str, str]:
        return {"BEDSIDE_DATABASE_URL": self.application, "BEDSIDE_DATABASE_OWNER_URL": self.owner}


@pytest.fixture
def external(postgres_server: EmbeddedServer, database_templates: Templates) -> Iterator[External]:
    """Give a database without tables, whose application role, named otherwise than ours, is not there yet."""
    name = database_templates.fresh_name()
    asyncio.run(postgres_server.create_database(name))
    application = postgres_server.application_dsn(name).replace("bedside_app@", f"clinic_{name}@")
    yield External(postgres_server.owner_dsn(name), application)
    asyncio.run(postgres_server.drop_database(name))


def as_owner(external: External, sql: str) -> None:
    async def execute() -> None:
        owner = await connect(external.owner)
        try:
            await owner.execute(sql)
        finally:
            await owner.close()

    asyncio.run(execute())


def findings(**given: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """The doctor's exit code, and by name the worst finding."""
    done = bedside("doctor", "--json", **given)
    told: dict[str, tuple[str, str]] = {}
    for finding in json.loads(done.stdout):
        told.setdefault(finding["name"], (finding["state"], finding["message"]))
    return done.exit_code, told


def test_migrate_makes_roles_and_tables_and_says_which_once(external: External) -> None:
    first = bedside("migrate", **external.variables)
    assert first.exit_code == 0, first.stderr
    applied = [line.removeprefix("applied ") for line in first.stdout.splitlines() if line.startswith("applied ")]
    assert applied[0].startswith("core_")
    assert any(name.startswith("chat_") for name in applied)
    again = bedside("migrate", **external.variables)
    assert again.stdout == "Everything is up to date.\n"
    code, told = findings(**external.variables)
    assert code == 0
    not_yet = {"address", "mail", "backup", "worker", "disk"}
    assert {name: state for name, (state, _) in told.items() if state != "ok" and name not in not_yet} == {}
    assert [told[name][0] for name in ("address", "mail", "backup", "worker")] == ["warn"] * 4
    assert told["tables"][1].endswith("tables are secured as their kinds say")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "no external database is configured"),
        ({"BEDSIDE_DATABASE_URL": "postgresql://clinic@db/clinic"}, "BEDSIDE_DATABASE_OWNER_URL is not set"),
        ({"BEDSIDE_DATABASE_OWNER_URL": "postgresql://owner@db/clinic"}, "BEDSIDE_DATABASE_URL is not set"),
    ],
)
def test_migrate_refuses_clearly_without_both_roles(given: dict[str, str], told: str) -> None:
    done = bedside("migrate", **given)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"bedside: {told}")
    assert len(done.stderr.splitlines()) == 1


def test_serve_names_the_migrations_that_are_pending(external: External) -> None:
    as_owner(external, f"CREATE ROLE {external.application.split('/')[2].rstrip('@')} LOGIN")
    done = bedside("serve", "--port", "0", BEDSIDE_DATABASE_URL=external.application)
    assert done.exit_code == 1
    assert "migrations are to be run first, `bedside migrate`: core_" in done.stderr
    assert "Traceback" not in done.stderr


def test_serve_refuses_a_role_that_row_level_security_does_not_bind(external: External) -> None:
    assert bedside("migrate", **external.variables).exit_code == 0
    done = bedside("serve", "--port", "0", BEDSIDE_DATABASE_URL=external.owner)
    assert done.exit_code == 1
    assert "is a superuser" in done.stderr
    code, told = findings(BEDSIDE_DATABASE_URL=external.owner)
    assert code == 1
    assert told["role"][0] == "fail"


def test_the_doctor_names_what_is_wrong_with_a_database(external: External) -> None:
    code, told = findings(BEDSIDE_DATABASE_URL=external.owner)
    assert (code, told["migrations"][0]) == (1, "fail")
    assert bedside("migrate", **external.variables).exit_code == 0
    as_owner(
        external,
        "UPDATE clock SET offset_seconds = 60; ALTER TABLE patient DISABLE ROW LEVEL SECURITY; "
        "INSERT INTO audit_unsealed VALUES (gen_random_uuid(), gen_random_uuid(), '2026-01-31 09:30Z')",
    )
    code, told = findings(
        **external.variables,
        BEDSIDE_DATABSE_URL="x",
        BEDSIDE_PUBLIC_URL="http://clinic.example",
        BEDSIDE_AUDIT_ANCHOR=f"{__file__}/anchor",
    )
    assert code == 1
    assert told["clock"] == ("warn", "its row says 60 s, which counts in demo and tests only")
    assert told["tables"] == ("fail", "table patient has row-level security off")
    assert told["variables"] == ("warn", "BEDSIDE_DATABSE_URL is no variable of Bedside's")
    assert told["address"] == ("fail", "http://clinic.example is not https")
    assert told["audit"] == ("warn", "1 entries wait for their seal, the oldest since 2026-01-31 09:30 UTC")
    assert told["anchor"] == ("fail", f"{__file__} can't be written")


def test_the_doctor_and_serve_tell_of_a_database_that_is_away(tmp_path: Path) -> None:
    away = f"postgresql://clinic@/clinic?host={tmp_path}"
    code, told = findings(BEDSIDE_DATABASE_URL=away)
    assert (code, told["database"][0]) == (1, "fail")
    done = bedside("serve", "--port", "0", BEDSIDE_DATABASE_URL=away)
    assert done.exit_code == 1
    assert done.stderr.startswith("bedside: The database is away for the moment.")
    assert len(done.stderr.splitlines()) == 1


def test_serve_tells_that_an_address_is_taken(tmp_path: Path) -> None:
    with create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = bedside("serve", "--port", port, BEDSIDE_DATA=str(tmp_path / "data"))
    assert done.exit_code == 1
    assert done.stderr.startswith(f"bedside: can't listen on 127.0.0.1, port {port}: Address already in use")
    assert not (tmp_path / "data").exists()


@pytest.fixture
def data() -> Iterator[Path]:
    with server_folder() as folder:
        yield folder / "data"


def processes_on(folder: Path) -> list[int]:
    """Processes that have a folder on their command line: our server's postmaster."""
    found: list[int] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.name() == "postgres" and any(str(folder) in part for part in process.cmdline()):
                found.append(process.pid)
    return found


def test_serve_ends_with_sockets_told_why_and_its_database_stopped(tmp_path: Path, data: Path) -> None:
    with running(tmp_path, "serve", "--port", "0", BEDSIDE_DATA=str(data)) as server:
        url = server.line().rpartition(" ")[2].strip()
        assert url.startswith("http://127.0.0.1:"), server.errors.read_text()
        secret = "never-to-be-logged"
        answer = httpx.post(
            f"{url}/graphql",
            json={"query": f'{{ plugins {{ name }} can(action: "{secret}") {{ allowed }} }}'},
            headers={"cookie": f"__Host-other={secret}", "x-secret": secret},
        )
        assert answer.status_code == 200
        assert httpx.get(f"{url}/demo").status_code == 404
        assert httpx.post(f"{url}/demo/clock", json={"seconds": 60}).status_code == 404
        assert processes_on(data)
        with connect_socket(f"{url.replace('http', 'ws')}/graphql", subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
            socket.send('{"type": "connection_init"}')
            assert json.loads(socket.recv(timeout=DEADLINE))["type"] == "connection_ack"
            began = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=DEADLINE)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1012, "Service restart")
        assert server.process.wait(DEADLINE) == 0
        assert time.monotonic() - began < 10
        assert processes_on(data) == []
        lines = [json.loads(line) for line in server.errors.read_text().splitlines()]
    assert [line["route"] for line in lines if line["event"] == "request"] != []
    assert secret not in server.errors.read_text()


def test_serve_told_to_stop_while_it_starts_leaves_nothing_running(tmp_path: Path, data: Path) -> None:
    with running(tmp_path, "serve", "--port", "0", BEDSIDE_DATA=str(data)) as server:
        until(lambda: bool(processes_on(data)), "the database did not start")
        assert server.stop() in {0, 128 + signal.SIGTERM}
        assert processes_on(data) == []
    assert "Traceback" not in server.errors.read_text()


def test_a_worker_runs_apart_from_the_server(external: External, tmp_path: Path) -> None:
    assert bedside("migrate", **external.variables).exit_code == 0
    with running(tmp_path, "worker", BEDSIDE_DATABASE_URL=external.application) as worker:
        assert worker.line() == "Bedside runs background jobs.\n", worker.errors.read_text()
        assert worker.stop(signal.SIGINT) == 0
    assert worker.errors.read_text() == ""


OPERATOR = ("operator", "create", "ops@bay.example")
PRACTICE = (
    "practice", "create", "Bay View", "--zone", "America/Chicago", "--owner", "ada@bay.example",
    "--first-name", "Ada", "--last-name", "Moss",
)  # fmt: skip
PASSWORD = "a tall glass of water"


REGISTER = """mutation ($s: String!, $p: String!, $a: [SecurityAnswerInput!]!) {
    register(secret: $s, password: $p, answers: $a, termsVersion: 1, clientId: "c") { email } }"""


@pytest.mark.rule("A1")
@pytest.mark.rule("A15")
def test_a_new_deployment_gets_its_operator_and_a_practice_whose_owner_registers(
    external: External, tmp_path: Path
) -> None:
    assert bedside("migrate", **external.variables).exit_code == 0
    given = {"BEDSIDE_DATABASE_URL": external.application, "BEDSIDE_PUBLIC_URL": "https://clinic.example"}
    done = bedside(*OPERATOR, typed=f"{PASSWORD}\n", **given)
    assert (done.exit_code, done.stdout) == (0, "The operator ops@bay.example can sign in.\n"), done.stderr
    done = bedside(*PRACTICE, **given)
    assert done.exit_code == 0, done.stderr
    said = re.fullmatch(
        r"The practice Bay View \([0-9a-f-]{36}\) is there.\n"
        r"There is no mail server \(BEDSIDE_SMTP_URL\). Hand this link to its owner:\n"
        r"https://clinic.example/register#([A-Za-z0-9_-]{43})\n",
        done.stdout,
    )
    assert said is not None, done.stdout
    with running(tmp_path, "serve", "--port", "0", BEDSIDE_DATABASE_URL=external.application) as server:
        url = server.line().rpartition(" ")[2].strip()

        def ask(query: str, token: str = "", **variables: Any) -> Any:
            headers = {"authorization": f"Bearer {token}"} if token else {}
            body = {"query": query, "variables": variables}
            return httpx.post(f"{url}/graphql", json=body, headers=headers, timeout=DEADLINE).json()["data"]

        answers = [
            {"question": key, "answer": f"{key} of mine"} for key in ("first_job", "first_book", "first_teacher")
        ]
        made = ask(REGISTER, s=said[1], p=PASSWORD, a=answers)
        assert made == {"register": {"email": "ada@bay.example"}}
        sign_in = "mutation ($e: String!, $p: String!) { signIn(email: $e, password: $p) { token } }"
        tokens = [ask(sign_in, e=e, p=PASSWORD)["signIn"]["token"] for e in ("ops@bay.example", "ada@bay.example")]
        listed = ask("{ practices { nodes { name zone } } }", tokens[0])
        assert listed == {"practices": {"nodes": [{"name": "Bay View", "zone": "America/Chicago"}]}}
        found = ask("{ practice { name } viewer { role member { name } } }", tokens[1])
        assert found == {
            "practice": {"name": "Bay View"},
            "viewer": {"role": "OWNER", "member": {"name": "Ada Moss"}},
        }
        assert server.stop() == 0


@pytest.mark.rule("A1")
def test_where_there_is_a_mail_server_the_owner_is_invited_by_mail_and_the_link_is_not_shown(
    external: External,
) -> None:
    assert bedside("migrate", **external.variables).exit_code == 0
    mail = {"BEDSIDE_SMTP_URL": "smtp://127.0.0.1:9", "BEDSIDE_MAIL_SENDER": "no-reply@clinic.example"}
    done = bedside(*PRACTICE, "--language", "es", BEDSIDE_DATABASE_URL=external.application, **mail)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[1:] == ["Its owner ada@bay.example is invited by mail."]


@pytest.mark.rule("A3")
def test_new_terms_are_published_once_however_often_the_command_is_given(external: External, tmp_path: Path) -> None:
    assert bedside("migrate", **external.variables).exit_code == 0
    english, spanish = tmp_path / "en.txt", tmp_path / "es.txt"
    english.write_text("Be kind.\n")
    spanish.write_text("Sea amable, señor.\n", encoding="utf-8")
    given = {"BEDSIDE_DATABASE_URL": external.application, "BEDSIDE_PLUGINS": ""}
    for _ in range(2):
        done = bedside("terms", "publish", str(english), str(spanish), **given)
        assert done.exit_code == 0, done.stderr
        assert done.stdout.startswith("Version 2 of the Terms of Use is there since ")
    english.write_text(" \n")
    done = bedside("terms", "publish", str(english), str(spanish), **given)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "bedside: A text has 1 to 100000 characters.\n"


def test_what_can_not_be_made_is_told_in_a_line_and_changes_nothing(external: External) -> None:
    assert bedside("migrate", **external.variables).exit_code == 0
    given = {"BEDSIDE_DATABASE_URL": external.application, "BEDSIDE_PLUGINS": ""}
    for arguments, typed, told in (
        (OPERATOR, "", "The password is shorter than 15 characters."),
        (OPERATOR, "short\n", "The password is shorter than 15 characters."),
        (("operator", "create", "ops"), PASSWORD, "This is not an e-mail address."),
        ([part.replace("America/Chicago", "Mars/Base") for part in PRACTICE], PASSWORD, "There is no time zone"),
    ):
        done = bedside(*arguments, typed=typed, **given)
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr.startswith(f"bedside: {told}")
        assert len(done.stderr.splitlines()) == 1
    assert bedside(*OPERATOR, typed=PASSWORD, **given).exit_code == 0
    done = bedside(*OPERATOR, typed="another glass of water", **given)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "bedside: There is an account with the address ops@bay.example already.\n"


@pytest.mark.parametrize("arguments", [OPERATOR, PRACTICE])
def test_nobody_is_made_in_the_demos_folder(arguments: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / ".bedside-demo").write_text("complete")
    done = bedside(*arguments, typed=PASSWORD, BEDSIDE_DATA=str(tmp_path))
    assert done.exit_code == 1
    assert "is the demo's folder" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [".bedside-demo"]


def test_a_terminal_is_asked_for_a_password_twice_and_does_not_show_it() -> None:
    asks = "from bedside_core.cli.common import new_password; print('got', len(new_password('Password')))"
    pid, terminal = pty.fork()
    if pid == 0:  # pragma: no cover - the child's
        os.execv(sys.executable, [sys.executable, "-c", asks])
    shown = b""

    def until_shown(what: bytes) -> None:
        nonlocal shown
        deadline = time.monotonic() + DEADLINE
        while what not in shown:
            assert select([terminal], [], [], deadline - time.monotonic())[0], shown
            shown += os.read(terminal, 1000)

    try:
        for question in (b"Password: ", b"Repeat for confirmation: "):
            until_shown(question)
            os.write(terminal, f"{PASSWORD}\n".encode())
        until_shown(b"got 21")
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
    assert PASSWORD.encode() not in shown
