"""The README does what it says: its commands and queries, as printed, and its first plugin."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import types
from pathlib import Path

import pytest
from deployment import APPS, served

from bedside_core.plugins import Source, from_module, installed
from bedside_core.testing import Database

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def console() -> list[tuple[str, str]]:
    """Return (command, what it prints) of each command in the README."""
    found: list[tuple[str, str]] = []
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, printed = part.partition("\n")
            found.append((command, printed))
    return found


def matches(printed: str, wanted: str) -> bool:
    """Tell whether an output is what the README prints, where `…` stands for anything."""
    pattern = ".*".join(re.escape(piece.strip()) for piece in wanted.strip().split("…"))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


@pytest.mark.timeout(300)
def test_the_commands_and_the_first_query_work_as_printed(tmp_path: Path) -> None:
    demo, tests, *asked = console()
    assert (demo[0], tests[0]) == ("make demo", "make test")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]  # the README's 8000 may be taken by somebody's own demo
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("BEDSIDE_", "MAKE"))}
    running = subprocess.Popen(
        ["make", "demo", f"ARGS=--port {port} --data {tmp_path / 'demo'}"],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert running.stdout is not None
        first = next(line for line in running.stdout if line.startswith("Bedside"))
        assert matches(first, demo[1].splitlines()[0].replace("8000", str(port)))
        script = "\n".join(command for command, _ in asked).replace(":8000", f":{port}")
        shell = ["bash", "-c", re.sub(r"\n(?=curl|node)", "\necho; ", script)]
        outputs = subprocess.run(shell, capture_output=True, text=True, check=True, timeout=60).stdout
        printed = [line for line in outputs.splitlines() if line]
        wanted = [text for _, text in asked if text.strip()]
        assert len(printed) == len(wanted)
        for output, text in zip(printed, wanted, strict=True):
            assert matches(output, text), output
            assert "errors" not in json.loads(output)
    finally:
        os.killpg(running.pid, signal.SIGINT)
        assert running.wait(timeout=150) is not None


def test_the_live_conversation_s_script_is_printed_whole() -> None:
    [printed] = blocks("js")
    assert printed == (ROOT / "web/examples/live.mjs").read_text()


async def test_the_first_plugin_is_whole(fresh_database: Database) -> None:
    [code] = blocks("python")
    module = types.ModuleType("bedside_hello")
    sys.modules["bedside_hello"] = module
    exec(compile(code, "README.md", "exec"), module.__dict__)
    hello: Source = from_module(module, name="hello")
    sources = {**installed(), "hello": hello}
    plugins = ("graphql", "plans", "chat", "hello")
    try:
        async with served(fresh_database, sources=sources, plugins=plugins, strict=True) as deployment:
            ada = await deployment.person(await deployment.practice(tier="enhanced"))
            assert await deployment.data("{ hello }", ada.token) == {"hello": "Hello from your plugin."}
            eve = await deployment.person(await deployment.practice(tier="starter"))
            assert await deployment.code("{ hello }", eve.token) == "FEATURE_NOT_IN_PLAN"
    finally:
        del sys.modules["bedside_hello"]
