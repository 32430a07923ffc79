"""The way to the sign-in page and back: to a path of this deployment, never to another place (RFC 9700, 4.11)."""

from __future__ import annotations

import re
from urllib.parse import urlencode

SIGN_IN = "/sign-in"
"""The sign-in page's address."""
RETURN = "return"
"""The parameter that names where somebody came from."""

# One slash, and no sign that browsers take for another one or leave out before they look (URL Standard, 4.4).
_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x1f\x7f-\x9f]*")


def is_way_back(given: str) -> bool:
    """Tell whether somebody may be sent there: it begins at this deployment's root."""
    return _PATH.fullmatch(given) is not None


def sign_in_and_back(path: str) -> str:
    """Return the sign-in page's address for somebody who is to come back to a path afterwards."""
    return f"{SIGN_IN}?{urlencode({RETURN: path})}"
