"""Finds the plugins in a folder, a file or under a name, as `bedside plugins check` is given them."""

from __future__ import annotations

import importlib
import sys
import tomllib
from pathlib import Path

from bedside_core.plugins import GROUP, Source, installed

_SKIPPED = frozenset({".venv", "venv", "node_modules", "build", "dist", "__pycache__"})


class NoPlugin(Exception):
    """There is no plugin to be found; the message says where was looked."""


def located(place: str) -> list[Source]:
    """Return the plugins at a place, and make them importable from there.

    Args:
        place: the folder of a `pyproject.toml`, a package's folder or its parent, a module's file, a module's dotted
            name, or the name of an installed plugin.

    Raises:
        NoPlugin: there is none.
    """
    path = Path(place)
    if not path.exists():
        return [_named(place)]
    path = path.resolve()
    if path.is_dir() and (path / "pyproject.toml").is_file():
        return _registered(path)
    if path.is_file():
        return [_module(path)]
    for candidate in (path / "plugin.py", *sorted(path.glob("*/plugin.py")), path / "__init__.py"):
        if candidate.is_file():
            return [_module(candidate)]
    raise NoPlugin(f"{place} has neither a pyproject.toml nor a package with a plugin.py")


def _named(name: str) -> Source:
    known = installed()
    if name in known:
        return known[name]
    if not all(part.isidentifier() for part in name.split(".")):
        raise NoPlugin(f"there is no file, no module and no installed plugin {name!r}")
    return _source("", name, "0")


def _registered(folder: Path) -> list[Source]:
    """Return what a `pyproject.toml` registers."""
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        points: dict[str, str] = project["entry-points"][GROUP]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise NoPlugin(f"its pyproject.toml can't be read: {error}") from error
    except KeyError as error:
        raise NoPlugin(f"its pyproject.toml registers no plugin: [project.entry-points.{GROUP}] is missing") from error
    for module in points.values():
        sys.path.insert(0, str(_root(folder, module.split(".")[0])))
    return [_source(name, module, str(project.get("version", "0"))) for name, module in points.items()]


def _root(folder: Path, package: str) -> Path:
    """Return the folder from which a distribution's package is imported."""
    for init in sorted(folder.rglob(f"{package}/__init__.py"), key=lambda path: len(path.parts)):
        if not _SKIPPED & {*init.relative_to(folder).parts}:
            return init.parents[1]
    raise NoPlugin(f"its pyproject.toml registers {package}, which is not a package in {folder}")


def _module(file: Path) -> Source:
    top = file.parent
    parts = [] if file.stem == "__init__" else [file.stem]
    while (top / "__init__.py").is_file():
        parts.insert(0, top.name)
        top = top.parent
    sys.path.insert(0, str(top))
    return _source("", ".".join(parts), "0")


def _source(name: str, module: str, version: str) -> Source:
    return Source(
        name=name, load=lambda: importlib.import_module(module), package=module.split(".")[0], version=version
    )
