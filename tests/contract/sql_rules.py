"""No statement is built from values: what goes to the database is a literal, and values go beside it as parameters.

A statement may be put together from literals and constants, which have names in capitals. tests/contract/test_sql.py
asks this of the repository, and of fixtures/broken_sql/, where each line that ends in "breach" is one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

METHODS = {"fetch", "fetchrow", "fetchval", "execute", "executemany", "cursor", "raw", "run_ddl"}
FOLDERS = ("core", "graphql", "plugins", "examples")
DATABASE = Path("core/bedside_core/database")
"""What passes statements on to the driver, and runs those of the owner with names of roles and databases."""
GRAPHQL = {"_executor", "_engine"}
"""What has an `execute` that takes operations."""


def is_fixed(node: ast.expr) -> bool:
    """Tell whether an expression has no part that could come from outside."""
    match node:
        case ast.Constant():
            return True
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.isupper()
        case ast.JoinedStr(values=parts):
            return all(is_fixed(part.value if isinstance(part, ast.FormattedValue) else part) for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right) | ast.IfExp(body=left, orelse=right):
            return is_fixed(left) and is_fixed(right)
        case _:
            return False


def statement_of(call: ast.Call) -> ast.expr | None:
    """Return what a call sends to the database; None where it is no such call."""
    match call.func:
        case ast.Attribute(value=ast.Attribute(attr=name), attr="execute") if name in GRAPHQL:
            return None
        case ast.Attribute(attr=name) if name in METHODS:
            named = [keyword.value for keyword in call.keywords if keyword.arg in {"sql", "query", None}]
            return next(iter((*call.args, *named)), None)
        case _:
            return None


def faults(root: Path) -> Iterator[str]:
    """Yield `file:line: call` of every call with a statement that is not fixed."""
    for path in sorted(path for folder in FOLDERS for path in (root / folder).rglob("*.py")):
        name = path.relative_to(root)
        if not name.is_relative_to(DATABASE):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                statement = statement_of(node) if isinstance(node, ast.Call) else None
                if statement is not None and not is_fixed(statement):
                    yield f"{name}:{statement.lineno}: {ast.unparse(node)}"
