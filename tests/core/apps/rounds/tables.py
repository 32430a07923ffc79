"""The rounds' one table."""

from __future__ import annotations

from bedside_core.database import Kind

TABLE_KINDS = {"round": Kind.PRACTICE}
