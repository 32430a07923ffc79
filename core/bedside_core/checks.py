"""Says everything that is wrong with a plugin, for its author and for CI, without a database.

What is contributed to another plugin is checked by that one: it offers a module in the entry-point group
`bedside.checks` (its own name -> the module) with `rehearse(platform)` and `faults(platform, plugin)`.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import pluggy

from bedside_core.boot import outlined
from bedside_core.config import FIRST_PARTY, Config
from bedside_core.database import MigrationRefused
from bedside_core.database.migrate import CORE, App, read_app
from bedside_core.guard import bounded
from bedside_core.hookspecs import PROJECT, CoreHooks
from bedside_core.manifest import Manifest
from bedside_core.platform import Platform
from bedside_core.plugins import PluginError, Source, check_signature, from_module, implementations, installed
from bedside_core.sources import NoPlugin, located

GROUP = "bedside.checks"
"""The entry-point group of the modules that check what is contributed to a plugin."""

IMPORT_SECONDS = 20.0
CHECK_SECONDS = 120.0
"""Longest time that the process of one check may take."""

_CHILD = "import sys; from bedside_core.checks import child; child(*sys.argv[1:])"


class Checker(Protocol):
    """What a module in the entry-point group `bedside.checks` has."""

    def rehearse(self, platform: Platform) -> None:
        """Put together what plugins contributed, as at a start; disable those whose part does not fit."""
        ...

    def faults(self, platform: Platform, plugin: str) -> Sequence[str]:
        """Return what is wrong with the part of one plugin that fits, in words for its author."""
        ...


def check_plugin(plugin: ModuleType | Path | str) -> list[str]:
    """Return every fault of a plugin, in words for its author; nothing where it is in order.

    Args:
        plugin: its module, checked in this process. Or the folder of its `pyproject.toml`, its package or module as a
            path, or as a dotted name, or an installed plugin's name: checked in a process of its own, so that a hang or
            an exit is a fault like others.
    """
    if isinstance(plugin, ModuleType):
        return list(dict.fromkeys(_faults(from_module(plugin, name=""))))
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "faults.json"
        try:
            done = subprocess.run(  # noqa: S603 - ourselves
                (sys.executable, "-c", _CHILD, str(plugin), str(told)),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=CHECK_SECONDS,
                text=True,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return [f"its import or a hook hangs: the check took longer than {CHECK_SECONDS:g} s"]
        if not told.exists():
            last = (done.stderr.strip().splitlines() or [""])[-1]
            return [f"its import or a hook ended the process with {done.returncode}{f': {last}' if last else ''}"]
        return json.loads(told.read_text(encoding="utf-8"))


def child(plugin: str, told: str) -> None:
    """Check the plugins found at a place, and write the faults to a file; what the check's own process runs."""
    faults: list[str] = []
    try:
        sources = located(plugin)
    except NoPlugin as error:
        faults.append(str(error))
    else:
        for source in sources:
            prefix = f"{source.name}: " if len(sources) > 1 else ""
            faults += [f"{prefix}{fault}" for fault in dict.fromkeys(_faults(source))]
    Path(told).write_text(json.dumps(faults), encoding="utf-8")


def rehearse(platform: Platform) -> None:
    """Put together what plugins contributed to each other, as at a start; what does not fit disables its plugin."""
    for checker in _checkers(platform):
        checker.rehearse(platform)


def _checkers(platform: Platform) -> Iterator[Checker]:
    for point in entry_points(group=GROUP):
        if platform.plugins.active(point.name):
            yield point.load()


def _faults(source: Source) -> Iterator[str]:
    """Yield the faults; it ends early where what follows would only repeat them."""
    try:
        with bounded(IMPORT_SECONDS, "its import"):
            module = source.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        yield f"can't be imported: {type(error).__name__}: {error}"
        return
    hooks = dict(implementations(pluggy.PluginManager(PROJECT), module))
    wrong = list(_signatures(hooks))
    yield from wrong
    if "manifest" not in hooks:
        yield "has no manifest() that is marked with @hookimpl"
        return
    if wrong:
        return
    try:
        with bounded(5.0, "manifest()"):
            manifest = hooks["manifest"]()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        yield f"manifest() failed: {type(error).__name__}: {error}"
        return
    if not isinstance(manifest, Manifest):
        yield f"manifest() returned {type(manifest).__name__}, not a Manifest"
        return
    yield from _undocumented(manifest)
    yield from _collected(dataclasses.replace(source, name=source.name or manifest.name), manifest)


def _signatures(hooks: dict[str, Any]) -> Iterator[str]:
    for hook, function in hooks.items():
        if (spec := getattr(CoreHooks, hook, None)) is not None:
            try:
                check_signature(hook, spec, function)
            except PluginError as error:
                yield str(error)


def _undocumented(manifest: Manifest) -> Iterator[str]:
    if not manifest.title.strip():
        yield "its manifest has no title"
    for feature in manifest.features:
        for part in ("title", "doc"):
            if not getattr(feature, part).strip():
                yield f"feature {feature.key} has no {part}"
    for permission in manifest.permissions:
        if not permission.doc.strip():
            yield f"permission {permission.key} has no doc"
        if not permission.roles:
            yield f"permission {permission.key} is for no role, so nobody has it"
    fields = dataclasses.fields(manifest.settings) if dataclasses.is_dataclass(manifest.settings) else ()
    for field in fields:
        if not str(field.metadata.get("doc", "-")).strip():
            yield f"setting {field.name} has no doc"


def _collected(source: Source, manifest: Manifest) -> Iterator[str]:
    """Yield what is wrong once the plugin stands among those it works with."""
    sources = {**installed(), source.name: source}
    others = [name for name in (*manifest.requires, *manifest.after) if name in sources]
    enabled = tuple(dict.fromkeys((*FIRST_PARTY, *others, source.name)))
    platform = outlined(Config(plugins=enabled, strict=False), sources=sources)
    rehearse(platform)
    if not platform.plugins.active(source.name):
        yield from (report.reason or "failed" for report in platform.plugins.report() if report.name == source.name)
        return
    yield from _unknown_features(platform, source.name)
    for checker in _checkers(platform):
        yield from checker.faults(platform, source.name)
    if manifest.piccolo_app is not None:
        yield from _tables(platform, manifest)


def _unknown_features(platform: Platform, name: str) -> Iterator[str]:
    """Yield names of features that nobody declares: what hangs on them is refused to everybody."""
    manifest, known = platform.plugins.manifests[name], platform.access.features
    named = {f"permission {permission.key}": permission.feature for permission in manifest.permissions}
    named |= {f"job {job.name}": job.feature for job in platform.plugins.collected("jobs").get(name, ())}
    if manifest.settings is not None:
        fields = dataclasses.fields(manifest.settings)
        named |= {f"setting {field.name}": field.metadata["feature"] for field in fields}
    for what, feature in named.items():
        if feature is not None and feature not in known:
            yield f"{what} belongs to the feature {feature}, which no active plugin declares"


def _tables(platform: Platform, manifest: Manifest) -> Iterator[str]:
    before: list[App] = [read_app(CORE, ())]
    for name, other in platform.plugins.manifests.items():
        if other.piccolo_app is None:
            continue
        try:
            app = read_app(other.piccolo_app, before)
        except MigrationRefused as error:
            if name == manifest.name:
                yield str(error)
                return
            continue
        except Exception as error:
            if name == manifest.name:
                yield f"its Piccolo app can't be read: {type(error).__name__}: {error}"
                return
            continue
        if name == manifest.name:
            yield from _kinds(app)
            return
        before.append(app)


def _kinds(app: App) -> Iterator[str]:
    if not app.migrations:
        yield "it has a Piccolo app, but no migrations"
    config: Any = importlib.import_module(app.module).APP_CONFIG
    names: set[str] = {table._meta.tablename for table in config.table_classes}
    for name in sorted(names - set(app.kinds)):
        yield f"table {name} has no declared kind: name it in TABLE_KINDS"
    for name in sorted(set(app.kinds) - names):
        yield f"TABLE_KINDS names {name}, which is no table of the plugin's"
