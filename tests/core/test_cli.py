"""The command line itself: quick to list, told in words what an operator can mend, open to plugins' commands."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from cli_stage import logging_as_before
from click.testing import CliRunner, Result

from bedside_core import cli
from bedside_core.cli import bedside


def run(*arguments: str, **environment: str | None) -> Result:
    with logging_as_before():
        return CliRunner().invoke(bedside, arguments, env=environment)


def test_the_list_of_commands_needs_none_of_what_they_need() -> None:
    code = (
        "import sys\nfrom bedside_core.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'litestar', 'piccolo', 'pydantic', 'strawberry', 'asyncpg', 'uvicorn'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip().endswith("[]")
    for command in (
        "serve",
        "worker",
        "migrate",
        "doctor",
        "plugins",
        "demo",
        "plan",
        "schema",
        "operator",
        "practice",
    ):
        assert command in shown


@pytest.fixture
def offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution that offers one good command, one whose module raises, one that is none, and one of our names."""
    (tmp_path / "bedside_greeting_commands.py").write_text(
        'import click\n\n@click.command()\ndef hello():\n    """Greet."""\n    click.echo("hello")\n\nnothing = 3\n'
    )
    (tmp_path / "bedside_broken_commands.py").write_text('raise RuntimeError("no luck")\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    points = {
        "hello": "bedside_greeting_commands:hello",
        "nothing": "bedside_greeting_commands:nothing",
        "broken": "bedside_broken_commands:command",
        "absent": "bedside_absent_commands:command",
        "serve": "bedside_broken_commands:serve",
    }
    found = [EntryPoint(name, value, cli.GROUP) for name, value in points.items()]
    monkeypatch.setattr(cli, "entry_points", lambda group: found)


@pytest.mark.usefixtures("offered")
def test_a_plugins_command_is_listed_with_its_docstring_and_runs() -> None:
    assert " hello Greet. " in " ".join(run("--help").output.split())
    assert run("hello").output == "hello\n"


@pytest.mark.usefixtures("offered")
def test_a_command_that_cant_be_loaded_is_told_and_harms_no_other() -> None:
    listed = run("--help")
    assert listed.exit_code == 0
    assert "can't be loaded: there is no module bedside_absent_commands" in " ".join(listed.output.split())
    broken = run("broken")
    assert broken.exit_code == 1
    assert "RuntimeError: no luck" in broken.output
    assert "Traceback" not in broken.output
    assert run("nothing").exit_code == 1
    assert run("hello").exit_code == 0


@pytest.mark.usefixtures("offered")
def test_a_plugin_cant_take_the_name_of_a_command_of_ours() -> None:
    assert "Port in place of BEDSIDE_PORT" in run("serve", "--help").output


def test_a_wrong_variable_is_told_by_its_name_without_a_traceback() -> None:
    result = run("doctor", BEDSIDE_PORT="eighty")
    assert result.exit_code == 1
    assert result.output.startswith("bedside: BEDSIDE_PORT: ")
    assert "Traceback" not in result.output
    assert "eighty" not in result.output


def test_debugging_shows_where_it_was_raised() -> None:
    result = run("migrate", BEDSIDE_DEBUG="1", BEDSIDE_DATABASE_URL=None, BEDSIDE_DATABASE_OWNER_URL=None)
    assert type(result.exception).__name__ == "NotReady"


def test_an_unknown_command_is_refused() -> None:
    result = run("serv")
    assert result.exit_code == 2
    assert "No such command" in result.output


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_deployment_does_not_run_with_a_clock_that_anybody_could_move(command: str) -> None:
    result = run(command, BEDSIDE_DEMO="true")
    assert result.exit_code == 1
    assert result.output.startswith("bedside: BEDSIDE_DEMO is set")


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_deployment_does_not_run_on_the_demos_folder(command: str, tmp_path: Path) -> None:
    (tmp_path / ".bedside-demo").write_text("complete")
    result = run(command, BEDSIDE_DATA=str(tmp_path), BEDSIDE_DATABASE_URL=None)
    assert result.exit_code == 1
    assert "is the demo's folder" in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == [".bedside-demo"]


def test_a_plugins_list_names_every_plugin_with_status_and_reason() -> None:
    result = run("plugins", BEDSIDE_PLUGINS="graphql,chat,nowhere")
    lines = {line.split()[1]: line for line in result.output.splitlines()}
    assert lines["graphql"].startswith("ACTIVE")
    assert lines["plans"].startswith("DISABLED")
    assert lines["plans"].endswith(": not named in BEDSIDE_PLUGINS")
    assert lines["nowhere"].split(maxsplit=2) == ["FAILED", "nowhere", "enabled, but not installed"]


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_a_plugins_list_ends_well_only_if_all_that_are_enabled_are_active(arguments: tuple[str, ...]) -> None:
    assert run("plugins", *arguments, BEDSIDE_PLUGINS="graphql,chat").exit_code == 0
    result = run("plugins", *arguments, BEDSIDE_PLUGINS="graphql,nowhere,chat")
    assert result.exit_code == 1
    assert "enabled, but not installed" in result.output
    assert "chat" in result.output
