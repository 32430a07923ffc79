"""What every test of the house shares: the rule book's markers; the fixtures of the database stand below."""

from __future__ import annotations

pytest_plugins = ["rulebook"]
