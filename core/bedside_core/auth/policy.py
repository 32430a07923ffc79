"""Which passwords may be chosen (promise A7): long ones that nobody tries first; no composition rules.

After NIST SP 800-63B-4, 3.1.1: 15 characters where the password stands alone, 8 beside a second factor, a blocklist of
what is common, expected or made of the person's own words, and nothing asked of which characters there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from zxcvbn import zxcvbn  # pyright: ignore[reportUnknownVariableType]

from bedside_core import errors
from bedside_core.auth.passwords import MOST_BYTES

ALONE = 15
"""Fewest characters of a password that stands alone."""
BESIDE_A_FACTOR = 8
"""Fewest characters of one beside a second factor."""

_GUESSES = 1_000_000
"""Whatever is found within this many tries is on everybody's list."""
_LOOKED_AT = 72
"""How many characters are looked at; the time it takes grows with their square."""
_WORD = re.compile(r"[^\W\d_]{3,}")
_REST = re.compile(r"[\W\d_]+")
_FEWEST_LETTERS = 4


class WeakPassword(errors.InvalidInput):
    """The password may not be chosen."""

    code = "PASSWORD_REFUSED"
    meaning = "The password is too short, or among those that are tried first; `wayOn` tells what would do."


def check(password: str, words: Iterable[str] = (), *, with_factor: bool = False, field: str = "new") -> None:
    """Refuse a password that may not be chosen.

    Args:
        password: the new one, as it was typed or pasted.
        words: what others expect: the person's names and address, the practice's name.
        with_factor: whether the account has a second factor.
        field: the argument it came in.

    Raises:
        WeakPassword: it may not.
    """
    check_length(password, with_factor=with_factor, field=field)
    if len(password.encode()) > MOST_BYTES:
        raise WeakPassword(f"The password is longer than {MOST_BYTES} bytes.", field=(field,))
    own = sorted({word.lower() for text in (*words, "bedside") for word in _WORD.findall(text)}, key=len, reverse=True)
    if is_expected(password, own):
        raise WeakPassword(
            "This password is among those that are tried first.",
            way_on="Take several words that have nothing to do with you or your practice.",
            field=(field,),
        )


def check_length(password: str, *, with_factor: bool, field: str = "new") -> None:
    """Refuse a password that is too short; the rest of the arguments is as in `check`.

    Raises:
        WeakPassword: it is.
    """
    least = BESIDE_A_FACTOR if with_factor else ALONE
    if len(password) < least:
        raise WeakPassword(
            f"The password is shorter than {least} characters.",
            way_on="Take several words; spaces count."
            + ("" if with_factor else f" With a second factor, {BESIDE_A_FACTOR} characters are enough."),
            field=(field,),
            detail={"least": least},
        )


def is_expected(password: str, own: list[str]) -> bool:
    """Tell whether a password is common, a pattern, or made of somebody's own words.

    Args:
        password: the whole of it; its beginning decides.
        own: words in lower case, the longest first.
    """
    rest = password.lower()
    for word in own:
        rest = rest.replace(word, "")
    if len(rest) < len(password) and len(_REST.sub("", rest)) < _FEWEST_LETTERS:
        return True
    found = zxcvbn(password[:_LOOKED_AT], user_inputs=own)  # pyright: ignore[reportUnknownVariableType]
    return int(found["guesses"]) < _GUESSES  # pyright: ignore[reportUnknownArgumentType]
