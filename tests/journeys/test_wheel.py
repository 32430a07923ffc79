"""The wheel, installed into an empty environment, serves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def run(*command: str | Path, **options: object) -> None:
    subprocess.run([str(part) for part in command], cwd=ROOT, check=True, capture_output=True, **options)  # type: ignore[call-overload]


@pytest.mark.timeout(400)
def test_the_wheel_in_an_empty_environment_serves(tmp_path: Path) -> None:
    run(BIN / "hatchling", "build", "-d", tmp_path, "-t", "wheel")
    [wheel] = tmp_path.glob("bedside-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {"bedside_core/web/graphiql.html", "bedside_core/py.typed", "bedside_chat/plugin.py"} <= set(names)
    assert any(name.startswith("bedside_core/migrations/core_") for name in names)
    empty = tmp_path / "empty"
    run(BIN / "uv", "venv", "--python", sys.executable, empty)
    python = empty / "bin" / "python"
    run(BIN / "uv", "pip", "install", "--python", python, "--require-hashes", "-r", ROOT / "requirements.lock")
    run(BIN / "uv", "pip", "install", "--python", python, "--no-deps", wheel)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("BEDSIDE_", "PYTHON"))}
    serving = subprocess.Popen(
        [str(empty / "bin" / "bedside"), "serve", "--port", "0"],
        cwd=tmp_path, env={**environment, "BEDSIDE_DATA": str(tmp_path / "data")}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert serving.stdout is not None
        url = next(line for line in serving.stdout if "serves at" in line).rpartition(" ")[2].strip()
        body = json.dumps({"query": "{ plugins { name status } }"}).encode()
        request = urllib.request.Request(f"{url}/graphql", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            plugins = {plugin["name"]: plugin["status"] for plugin in json.load(answer)["data"]["plugins"]}
        first_party = ("graphql", "plans", "chat", "telehealth", "portal", "scheduling")
        assert plugins == dict.fromkeys(first_party, "ACTIVE")
        with urllib.request.urlopen(f"{url}/graphiql", timeout=30) as page:
            assert b"/web/assets/" in page.read()
    finally:
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(timeout=60) == 0
