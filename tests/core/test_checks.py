"""`check_plugin` and `bedside plugins check`: every fault of a plugin is told, in words for its author."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from bedside_core.cli import bedside
from bedside_core.config import FIRST_PARTY
from bedside_core.sources import NoPlugin, located
from bedside_core.testing import check_plugin

ROOT = Path(__file__).parents[2]

HEAD = """
import strawberry
from bedside_core.api import *
from bedside_graphql.api import *

def made(**more):
    return Manifest(**{"name": "sample", "title": "Sample", "api": ">=1.0,<2", "requires": ("graphql",), **more})
"""
GOOD = "@hookimpl\ndef manifest():\n    return made()\n"

FAULTS: dict[str, tuple[str, list[str]]] = {
    "good": (GOOD, []),
    "no manifest": ("", ["has no manifest() that is marked with @hookimpl"]),
    "manifest without hookimpl": (
        "def manifest():\n    return made()\n",
        ["has no manifest() that is marked with @hookimpl"],
    ),
    "manifest of nothing": ("@hookimpl\ndef manifest():\n    return 3\n", ["manifest() returned int, not a Manifest"]),
    "manifest raises": (
        "@hookimpl\ndef manifest():\n    return made(name='No!')\n",
        ["manifest() failed: ValueError: name 'No!' is not 2 to 31 lower case letters, digits or underscores"],
    ),
    "api": ("@hookimpl\ndef manifest():\n    return made(api='>=2')\n", ["works with plugin API >=2, this is 1.0"]),
    "signatures": (
        GOOD + "@hookimpl\ndef routes(app): ...\n@hookimpl\nasync def jobs(platform): ...\n",
        [
            "hook jobs is a coroutine; hooks are synchronous",
            "hook routes asks for app; it is called with platform",
        ],
    ),
    "unknown hook": (GOOD + "@hookimpl\ndef graphqls(platform): ...\n", ["implements unknown hooks: graphqls"]),
    "graphql's signature": (
        GOOD + "@hookimpl\ndef graphql(schema): ...\n",
        ["hook graphql asks for schema; it is called with platform"],
    ),
    "missing requirement": (
        "@hookimpl\ndef manifest():\n    return made(requires=('nowhere',))\n",
        ["requires nowhere, which is not active"],
    ),
    "words": (
        "import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass SampleSettings:\n    'Settings.'\n"
        "    loud: bool = setting(False, ' ', feature='noise')\n"
        "@hookimpl\ndef manifest():\n    return made(title=' ', settings=SampleSettings,\n"
        "        features=(Feature(key='sample_feature', title='', doc=''),),\n"
        "        permissions=(Permission(key='sample.read', doc='', roles=frozenset(), feature='nothing'),))\n",
        [
            "its manifest has no title",
            "feature sample_feature has no title",
            "feature sample_feature has no doc",
            "permission sample.read has no doc",
            "permission sample.read is for no role, so nobody has it",
            "setting loud has no doc",
            "permission sample.read belongs to the feature nothing, which no active plugin declares",
            "setting loud belongs to the feature noise, which no active plugin declares",
        ],
    ),
    "permission's name": (
        "@hookimpl\ndef manifest():\n    return made(permissions=(Permission(key='read', doc='Read.'),))\n",
        ["permission 'read' does not start with 'sample.'"],
    ),
    "raising hook": (
        GOOD + "@hookimpl\ndef listeners(platform):\n    raise KeyError('x')\n",
        ["listeners() raised KeyError: 'x'"],
    ),
    "open route": (
        GOOD + "from litestar import get\n@get('/all')\nasync def everything() -> str:\n    return ''\n"
        "@hookimpl\ndef routes(platform):\n    return [everything]\n",
        ["routes without a gate or public_route: /all"],
    ),
    "open job": (
        GOOD + "async def night(run): ...\n@hookimpl\ndef jobs(platform):\n"
        "    return [Job(name='night', function=night, doc='x')]\n",
        ["jobs() raised ValueError: job night: needs either a feature or public=True, for plans to decide on it"],
    ),
    "job of no feature": (
        GOOD + "async def night(run): ...\n@hookimpl\ndef jobs(platform):\n"
        "    return [Job(name='night', function=night, doc='x', feature='dark')]\n",
        ["job night belongs to the feature dark, which no active plugin declares"],
    ),
    "no part": (
        GOOD + "@hookimpl\ndef graphql(platform):\n    return 3\n",
        ["graphql() returned int, not a GraphQLPart"],
    ),
    "open field": (
        GOOD + "@strawberry.type\nclass SampleQuery:\n    @strawberry.field(description='x')\n"
        "    def sample(self) -> int | None: ...\n"
        "@hookimpl\ndef graphql(platform):\n    return GraphQLPart(query=SampleQuery)\n",
        ["Query.sample has neither a gate nor says public"],
    ),
    "field that can't be null": (
        GOOD + "@strawberry.type\nclass SampleQuery:\n"
        "    @strawberry.field(description='x', extensions=[gate('practice.read')])\n    def sample(self) -> int: ...\n"
        "@hookimpl\ndef graphql(platform):\n    return GraphQLPart(query=SampleQuery)\n",
        ["Query.sample can be refused, so it has to be nullable"],
    ),
    "undescribed schema": (
        GOOD + "import enum\n@strawberry.enum\nclass Colour(enum.Enum):\n    RED = 'red'\n"
        "@strawberry.type\nclass Thing:\n    id: strawberry.ID\n    colour: Colour\n"
        "@strawberry.type\nclass SampleQuery:\n"
        "    @strawberry.field(extensions=[gate('sample.read', feature='dark')])\n"
        "    def sample(self, wide: bool) -> Thing | None: ...\n"
        "@hookimpl\ndef graphql(platform):\n    return GraphQLPart(query=SampleQuery)\n",
        [
            "Query.sample has no description",
            "Query.sample(wide:) has no description",
            "Query.sample asks for the permission sample.read, which no active plugin declares",
            "Query.sample asks for the feature dark, which no active plugin declares",
            "type Thing has no description",
            "Thing.id has no description",
            "Thing.colour has no description",
            "type Colour has no description",
            "Colour.RED has no description",
        ],
    ),
    "another's field": (
        GOOD + "@strawberry.type\nclass SampleQuery:\n    @strawberry.field(description='x', extensions=[public])\n"
        "    def conversations(self) -> int: ...\n"
        "@hookimpl\ndef graphql(platform):\n    return GraphQLPart(query=SampleQuery)\n",
        ["sample and chat both define Query.conversations"],
    ),
}


@pytest.mark.parametrize("what", FAULTS)
def test_a_modules_faults(what: str) -> None:
    text, expected = FAULTS[what]
    module = ModuleType(f"bedside_sample_{[*FAULTS].index(what)}")
    sys.modules[module.__name__] = module
    try:
        exec(compile(HEAD + text, module.__name__, "exec"), module.__dict__)
        assert check_plugin(module) == expected
    finally:
        del sys.modules[module.__name__]


@pytest.mark.parametrize("name", FIRST_PARTY)
def test_our_own_plugins_have_none(name: str) -> None:
    assert check_plugin(importlib.import_module(f"bedside_{name}.plugin")) == []


def project(folder: Path, plugins: dict[str, str], files: dict[str, str] | None = None) -> Path:
    """Write a distribution with plugins, each a module of one package, below `src`."""
    package = folder / "src" / "partner_things"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    points = "".join(f'{name} = "partner_things.{name}"\n' for name in plugins)
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "partner-things"\nversion = "1.2"\n\n[project.entry-points.bedside]\n{points}'
    )
    for name, text in plugins.items():
        (package / f"{name}.py").write_text(text)
    for name, text in (files or {}).items():
        (package / name).parent.mkdir(exist_ok=True)
        (package / name).write_text(text)
    return folder


def named(name: str) -> str:
    return HEAD + GOOD.replace("made()", f"made(name='{name}')")


TABLES = """
from piccolo.columns import UUID
from piccolo.table import Table
from bedside_core.api import DB, Kind

class Drawer(Table, tablename="drawer", db=DB):
    practice_id = UUID()

TABLE_KINDS = {"cupboard": Kind.PRACTICE}
"""
APP = """
from pathlib import Path
from piccolo.conf.apps import AppConfig, table_finder

APP_CONFIG = AppConfig(
    app_name="stored",
    migrations_folder_path=str(Path(__file__).parent / "migrations"),
    table_classes=table_finder(modules=["partner_things.tables"]),
)
"""


def test_a_projects_plugins_are_found_and_each_is_told_of_by_name(tmp_path: Path) -> None:
    folder = project(
        tmp_path,
        {
            "fine": named("fine"),
            "raising": "raise RuntimeError('no luck')\n",
            "leaving": "raise SystemExit(3)\n",
            "misnamed": named("other"),
            "stored": HEAD
            + GOOD.replace("made()", "made(name='stored', piccolo_app='partner_things.piccolo_app')")
            + "print('on standard output')\n",
        },
        {"tables.py": TABLES, "piccolo_app.py": APP, "migrations/__init__.py": ""},
    )
    result = CliRunner().invoke(bedside, ["plugins", "check", str(folder)])
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "raising: can't be imported: RuntimeError: no luck",
        "leaving: can't be imported: SystemExit: 3",
        "misnamed: its manifest calls it 'other', its entry point 'misnamed'",
        "stored: it has a Piccolo app, but no migrations",
        "stored: table drawer has no declared kind: name it in TABLE_KINDS",
        "stored: TABLE_KINDS names cupboard, which is no table of the plugin's",
    ]


def test_a_wrongly_named_migration_is_told(tmp_path: Path) -> None:
    text = HEAD + GOOD.replace("made()", "made(name='stored', piccolo_app='partner_things.piccolo_app')")
    tables = TABLES.replace("cupboard", "drawer")
    files = {"tables.py": tables, "piccolo_app.py": APP, "migrations/0001_initial.py": "ID = '0001_initial'\n"}
    faults = check_plugin(project(tmp_path, {"stored": text}, files))
    assert len(faults) == 1
    assert "0001_initial.py must be named stored_….py" in faults[0]


def test_a_plugin_that_ends_the_process_is_a_fault_like_others(tmp_path: Path) -> None:
    folder = project(tmp_path, {"abrupt": "import os\nos._exit(7)\n"})
    assert check_plugin(folder) == ["its import or a hook ended the process with 7"]


def test_a_hook_that_hangs_is_ended_and_told(tmp_path: Path) -> None:
    text = named("slow") + "@hookimpl\ndef jobs(platform):\n    while True: pass\n"
    assert check_plugin(project(tmp_path, {"slow": text})) == ["jobs() took longer than 5 s"]


def test_a_place_without_a_plugin_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoPlugin, match="has neither a pyproject.toml nor a package with a plugin.py"):
        located(str(tmp_path))
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    with pytest.raises(NoPlugin, match="registers no plugin"):
        located(str(tmp_path))
    (tmp_path / "pyproject.toml").write_text("[project")
    with pytest.raises(NoPlugin, match="can't be read"):
        located(str(tmp_path))
    with pytest.raises(NoPlugin, match="no installed plugin 'no such thing'"):
        located("no such thing")


@pytest.mark.parametrize("place", ["plugins/chat", "plugins/chat/bedside_chat", "plugins/chat/bedside_chat/plugin.py"])
def test_a_folder_a_package_and_a_file_lead_to_the_same_plugin(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", sys.path[:])
    [source] = located(str(ROOT / place))
    assert source.package == "bedside_chat"
    assert source.load() is importlib.import_module("bedside_chat.plugin")


def test_a_plugin_is_checked_by_its_name_too() -> None:
    result = CliRunner().invoke(bedside, ["plugins", "check", "telehealth"])
    assert (result.exit_code, result.output) == (0, "telehealth is in order.\n")
