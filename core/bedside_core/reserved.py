"""Addresses that are nobody's: the only ones that the sandbox takes, where whoever owns it reads every link (G8)."""

from __future__ import annotations

from bedside_core import errors
from bedside_core.database import DB

_TOP = frozenset({"example", "invalid", "localhost", "test"})
"""Never given to anybody (RFC 2606, 2; RFC 6761)."""
_SECOND = frozenset({"example.com", "example.net", "example.org"})
"""The same (RFC 2606, 3)."""


def is_reserved(email: str) -> bool:
    """Tell whether nobody can ever have an e-mail address."""
    labels = email.rpartition("@")[2].lower().split(".")
    return labels[-1] in _TOP or ".".join(labels[-2:]) in _SECOND


async def refuse_real_address(email: str, field: tuple[str, ...] | None = None) -> None:
    """Refuse an address that may be somebody's, where the acting practice is the sandbox.

    Its owners read the letters to its people, and so could take anybody's user name by following the links (A4).

    Args:
        email: a user name that is to be, or where a link to one goes.
        field: path of the input.

    Raises:
        errors.InvalidInput: it may be, and it is.
    """
    if not is_reserved(email) and await DB.fetchval("SELECT practice_sandbox(app_practice())"):
        raise errors.InvalidInput(
            "The sandbox takes addresses alone that are nobody's.",
            way_on="Take one at example.com, example.net, example.org, or that ends with .example, .test or .invalid.",
            field=field,
        )
