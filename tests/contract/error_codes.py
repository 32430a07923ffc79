"""Every published error code, out of the code itself, and the table that documents them."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from bedside_core.errors import Problem, problem_types

PACKAGES = (
    "bedside_core", "bedside_graphql", "bedside_chat", "bedside_plans", "bedside_portal", "bedside_scheduling",
    "bedside_telehealth",
)  # fmt: skip


def published() -> list[type[Problem]]:
    """Return our kinds of problems, by code, once the modules that declare them are imported."""
    for package in PACKAGES:
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if ".migrations" not in module.name and not module.name.endswith((".testing", ".__main__")):
                importlib.import_module(module.name)
    kinds = {kind for kind in problem_types() if kind.__module__.split(".")[0] in PACKAGES}
    return sorted(kinds, key=lambda kind: kind.code)


def rows() -> list[str]:
    """Return the documented table's rows as they should be."""
    return [
        f"| `{kind.code}` | {kind.meaning} | {'yes' if kind.retryable else 'no'} | {kind.status} |"
        for kind in published()
    ]


def documented(file: Path) -> list[str]:
    """Return the table's rows as they are."""
    return [line for line in file.read_text().splitlines() if line.startswith("| `")]


def faults(file: Path) -> list[str]:
    """Return what is missing in the documentation, or stands there without being in the code."""
    wanted, there = rows(), documented(file)
    return [f"missing: {row}" for row in wanted if row not in there] + [
        f"stale: {row}" for row in there if row not in wanted
    ]
