"""`make` builds the client with the versions of Node that web/package.json asks for, and says so of others."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOLD = "Node 20.19 or later of 20, or 22.12 or newer"


def build(folder: Path, node: str | None) -> subprocess.CompletedProcess[str]:
    """Build the client in a folder of its own, where npm does nothing but say that it was called, and fail."""
    bin, web = folder / "bin", folder / "web"
    bin.mkdir()
    web.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    (web / "package.json").write_text("{}")
    for name, body in {"node": f"echo {node}" if node else "exit 127", "npm": "echo npm was called; exit 1"}.items():
        (bin / name).write_text(f"#!/bin/sh\n{body}\n")
        (bin / name).chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", "web/node_modules/.bedside-bundle"],
        cwd=folder, env={**environment, "PATH": f"{bin}:{os.environ['PATH']}"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


@pytest.mark.parametrize("node", ["v20.19.0", "v20.20.2", "v22.12.0", "v22.21.1", "v23.0.0", "v24.11.1", "v30.0.0"])
def test_a_fitting_node_builds(tmp_path: Path, node: str) -> None:
    assert "npm was called" in build(tmp_path, node).stdout


@pytest.mark.parametrize("node", ["v18.20.8", "v20.9.0", "v20.18.3", "v21.7.3", "v22.2.0", "v22.11.0", "v8.0.0", None])
def test_another_is_refused_with_what_is_needed_and_what_is_there(tmp_path: Path, node: str | None) -> None:
    done = build(tmp_path, node)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == (f"The client bundle is built with {TOLD}; on the PATH is {node or 'none'}.")
    assert "npm was called" not in done.stdout


def test_that_is_what_the_package_asks_for_and_the_readme_says() -> None:
    assert json.loads((ROOT / "web" / "package.json").read_text())["engines"]["node"] == "^20.19.0 || >=22.12.0"
    assert TOLD in " ".join((ROOT / "README.md").read_text().split())
