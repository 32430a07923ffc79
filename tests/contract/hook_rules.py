"""What is due for each hook of the plugin contract: its section in docs/hooks.md, and a test that says it is for it."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from bedside_core.hookspecs import PROJECT

LABELS = ("When it is called.", "What it returns.", "Example.", "What happens when it fails.")


def hooks_of(*specs: type) -> dict[str, str]:
    """The hooks that these classes publish, in their order, with the signature by which each is documented."""
    found: dict[str, str] = {}
    for spec in specs:
        for name, function in vars(spec).items():
            if hasattr(function, f"{PROJECT}_spec"):
                found[name] = signature_of(function)
    return found


def signature_of(function: object) -> str:
    """`jobs(platform: Platform) -> Iterable[Job]`, as it stands in the code."""
    signature = inspect.signature(function)  # pyright: ignore[reportArgumentType]
    arguments = ", ".join(
        f"{item.name}: {item.annotation}" for item in signature.parameters.values() if item.name != "self"
    )
    return f"{getattr(function, '__name__', '')}({arguments}) -> {signature.return_annotation}"


def undocumented(document: str, hooks: dict[str, str]) -> list[str]:
    """What docs/hooks.md, as text, lacks for these hooks, and what it says of hooks that there are not."""
    sections = dict(_sections(document))
    faults = [f"{name} is documented, but there is no such hook" for name in sections if name not in hooks]
    for name, signature in hooks.items():
        section = sections.get(name)
        if section is None:
            faults.append(f"{name} has no section")
            continue
        if f"def {signature}\n" not in section:
            faults.append(f"{name} is not documented as `def {signature}`")
        faults += [f"{name} does not say: {label}" for label in LABELS if f"**{label}**" not in section]
        if f"@hookimpl\ndef {name}(" not in section:
            faults.append(f"{name} has no example of an implementation")
    ordered = [name for name in sections if name in hooks]
    if ordered != [name for name in hooks if name in sections]:
        faults.append(f"the sections are not in the order of the calls: {', '.join(ordered)}")
    return faults


def _sections(document: str) -> Iterator[tuple[str, str]]:
    parts = re.split(r"^## `(\w+)`$", document, flags=re.MULTILINE)
    yield from zip(parts[1::2], (re.split(r"^## ", part, flags=re.MULTILINE)[0] for part in parts[2::2]), strict=True)


def untested(modules: Iterable[Path], hooks: Iterable[str]) -> list[str]:
    """Which of these hooks no test is marked for by `@pytest.mark.hook("<name>")`, and marks for hooks that are not."""
    marked = {name for module in modules for name in _marks(module)}
    return [f"{name} has no test" for name in hooks if name not in marked] + [
        f"a test is for {name}, but there is no such hook" for name in sorted(marked - {*hooks})
    ]


def _marks(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.hook":
                    yield from (str(ast.literal_eval(argument)) for argument in decorator.args)
