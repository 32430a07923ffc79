"""The house's layout as rules: each function takes the root of a tree and returns its faults, one line each.

tests/test_layout.py asks them of the repository, where they answer nothing, and of
tests/contract/fixtures/broken_layout/, where each has something to say.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

# What every plugin has, and what it has besides as soon as it does more than declare itself: the same for all, so that
# who knows one knows the others.
DECLARING = ("plugin.py", "py.typed")
DOING = ("api.py", "settings.py", "schema.py", "service.py")
# A plugin with one of these has all of them.
TABLE_FILES = ("tables.py", "piccolo_app.py", "migrations")
MOST_LINES = 400
SKIPPED_FOLDERS = {".git", ".venv", "node_modules", "__pycache__", "dist", "build"}

# Spelled so that they don't find themselves.
UNFINISHED = re.compile(r"\bT[O]DO\b|\bF[I]XME\b|\bX[X]X\b|\bNot[I]mplemented(?:Error)?\b")
REGISTRY = re.compile(r"https?://[a-z0-9.-]*(?:npm[j]s|py[p]i|python[h]osted|deb\.[d]ebian)[a-z0-9.-]*", re.IGNORECASE)

Rule = Callable[[Path], list[str]]


def source_roots(root: Path) -> list[Path]:
    """core, graphql and each folder of plugins: what `pip install -e .` puts on the path."""
    return [root / "core", root / "graphql", *sorted(path for path in (root / "plugins").glob("*") if path.is_dir())]


def modules(root: Path, *folders: str) -> Iterator[Path]:
    """The Python modules below the given folders, or below all source roots."""
    for folder in folders or ("core", "graphql", "plugins"):
        yield from (path for path in sorted((root / folder).rglob("*.py")) if not SKIPPED_FOLDERS & {*path.parts})


def tracked_files(root: Path) -> list[Path]:
    """What git tracks or would add; outside a repository (a fixture, a source distribution) every file of the tree."""
    git = ["git", "-C", str(root)]
    top = subprocess.run([*git, "rev-parse", "--show-toplevel"], capture_output=True, text=True, check=False)
    if top.returncode == 0 and Path(top.stdout.strip()) == root.resolve():
        listing = subprocess.run(
            [*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            capture_output=True,
            text=True,
            check=True,
        )
        found = {root / name for name in listing.stdout.split("\0") if name}
    else:
        found = {path for path in root.rglob("*") if not SKIPPED_FOLDERS & {*path.relative_to(root).parts}}
    return sorted(path for path in found if path.is_file())


def _lines(root: Path, paths: Iterator[Path] | list[Path], pattern: re.Pattern[str]) -> list[str]:
    """Where the pattern stands in the text files among the paths, as `file:line: match`."""
    faults: list[str] = []
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for match in pattern.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            faults.append(f"{path.relative_to(root)}:{line}: {match.group()}")
    return faults


def no_module_in_a_source_root(root: Path) -> list[str]:
    """A module directly in graphql/ would make that folder the package `graphql`, which is graphql-core's."""
    folders = [*source_roots(root), root / "plugins"]
    return [
        f"{path.relative_to(root)} stands directly in a source root"
        for folder in folders
        for path in folder.glob("*.py")
    ]


def each_source_root_holds_one_package(root: Path) -> list[str]:
    """core/bedside_core, graphql/bedside_graphql, plugins/<name>/bedside_<name>, and no other package beside."""
    faults: list[str] = []
    for folder in source_roots(root):
        found = sorted(path.parent.name for path in folder.glob("*/__init__.py"))
        if found != [f"bedside_{folder.name}"]:
            faults.append(f"{folder.relative_to(root)} holds {found or 'no package'}, not bedside_{folder.name} alone")
    return faults


def no_tests_below_graphql(root: Path) -> list[str]:
    """Pytest would put graphql/ on the path for them. The tests of GraphQL are tests/schema, for the same reason."""
    found = [
        path for pattern in ("test_*.py", "*_test.py", "conftest.py") for path in (root / "graphql").rglob(pattern)
    ]
    found += [path for path in [root / "tests" / "graphql"] if path.exists()]
    return [f"{path.relative_to(root)}: tests of GraphQL belong in tests/schema" for path in found]


def module(path: Path) -> Path:
    """Return where a module's surface is: in its file, or in the folder that it has outgrown to."""
    folder = path.with_suffix("") / "__init__.py"
    return folder if folder.is_file() else path


def plugins_have_one_shape(root: Path) -> list[str]:
    """Every plugin has the same files beyond its manifest, and one with tables has what tables need."""
    faults: list[str] = []
    for folder in sorted(path for path in (root / "plugins").glob("*") if path.is_dir()):
        package = folder / f"bedside_{folder.name}"
        wanted = [folder / "README.md", *(package / name for name in DECLARING)]
        if {path.name for path in package.glob("*.py")} - {"__init__.py", "plugin.py"}:
            wanted += [module(package / name) for name in DOING]
        tables = [package / name for name in TABLE_FILES]
        if any(path.exists() for path in tables):
            wanted += [*tables[:2], tables[2] / "__init__.py"]
        faults += [f"{path.relative_to(root)} is missing" for path in wanted if not path.is_file()]
    return faults


def each_package_is_typed(root: Path) -> list[str]:
    """Without py.typed a partner's type checker sees nothing of the package."""
    found = [path.parent / "py.typed" for folder in source_roots(root) for path in folder.glob("*/__init__.py")]
    return [f"{path.relative_to(root)} is missing" for path in found if not path.is_file()]


def each_module_says_what_it_is_for(root: Path) -> list[str]:
    """A module's docstring begins with a sentence that says its one purpose."""
    faults: list[str] = []
    for path in modules(root):
        first = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n\n")[0]
        if not re.search(r"\w.*[.?!:](?:\s|$)", first, re.DOTALL):
            faults.append(f"{path.relative_to(root)} has no docstring that begins with a sentence")
    return faults


def no_module_is_too_long(root: Path) -> list[str]:
    """A module past 400 lines holds two things; one of them wants to leave."""
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules(root)}
    return [f"{path.relative_to(root)} has {lines} lines" for path, lines in lengths.items() if lines > MOST_LINES]


def nothing_is_unfinished(root: Path) -> list[str]:
    """No note to self and no stub in what ships."""
    client = [path for suffix in ("ts", "tsx") for path in (root / "web" / "src").rglob(f"*.{suffix}")]
    return _lines(root, [*modules(root), *modules(root, "examples", "benchmarks"), *client], UNFINISHED)


def no_registry_host(root: Path) -> list[str]:
    """Locks and documents name no package registry: each machine's own configuration does."""
    return _lines(root, tracked_files(root), REGISTRY)


def no_path_of_this_machine(root: Path) -> list[str]:
    """Nothing tracked names where this checkout or its user's home happens to lie."""
    homes = {str(place) for place in (root.resolve(), Path.home()) if place != Path("/")}
    pattern = re.compile(
        r"(?<![\w.~-])(?:" + "|".join(map(re.escape, sorted(homes, key=len, reverse=True))) + r")(?![\w-])"
    )
    return _lines(root, tracked_files(root), pattern)


RULES: tuple[Rule, ...] = (
    no_module_in_a_source_root,
    each_source_root_holds_one_package,
    no_tests_below_graphql,
    plugins_have_one_shape,
    each_package_is_typed,
    each_module_says_what_it_is_for,
    no_module_is_too_long,
    nothing_is_unfinished,
    no_registry_host,
    no_path_of_this_machine,
)
