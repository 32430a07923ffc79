"""Looks at what people type in about people: names, dates of birth, numbers and addresses (P3, P4)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import phonenumbers

from bedside_core import errors
from bedside_core.people.model import NewPatient

LONGEST_NAME = 100
LONGEST_WORD = 50
"""Of an MRN and of a gender, in characters."""
LONGEST_EMAIL = 254
"""In characters (RFC 5321, 4.5.3.1.3: a path of 256 with its brackets)."""
OLDEST_YEARS = 130
"""Nobody was ever older than 122."""

_EMAIL = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
    re.IGNORECASE,
)
_JOINERS = {"\u200c", "\u200d"}
"""Characters without a shape of their own that names in some scripts need."""

Path = tuple[str, ...]


def text(value: str, field: Path, *, longest: int = LONGEST_WORD) -> str:
    """Return a text without needless space.

    Args:
        value: what was typed.
        field: path of the input.
        longest: characters.

    Raises:
        errors.InvalidInput: empty, too long, or with characters that can't be seen.
    """
    tidy = " ".join(unicodedata.normalize("NFC", value[: 4 * longest + 1]).split())
    if not tidy:
        raise errors.InvalidInput("This is required.", field=field)
    if len(tidy) > longest or len(value) > 4 * longest:
        raise errors.InvalidInput(f"This has at most {longest} characters.", field=field)
    if any(unicodedata.category(sign).startswith("C") and sign not in _JOINERS for sign in tidy):
        raise errors.InvalidInput("This has characters that can't be seen.", field=field)
    return tidy


def name(value: str, field: Path) -> str:
    """Return a first or last name.

    Raises:
        errors.InvalidInput: as for `text`, or without any letter.
    """
    tidy = text(value, field, longest=LONGEST_NAME)
    if not any(unicodedata.category(sign).startswith("L") for sign in tidy):
        raise errors.InvalidInput("A name has at least one letter.", field=field)
    return tidy


def birthday(value: date, today: date, field: Path) -> date:
    """Return a date of birth.

    Args:
        value: what was given.
        today: the day it is for the practice.
        field: path of the input.

    Raises:
        errors.InvalidInput: in the future, or longer ago than anybody lives.
    """
    if value > today:
        raise errors.InvalidInput("A date of birth is not in the future.", field=field)
    if value.year < today.year - OLDEST_YEARS:
        raise errors.InvalidInput(f"Nobody is older than {OLDEST_YEARS} years.", field=field)
    return value


def email(value: str, field: Path) -> str:
    """Return an e-mail address as it can be written to (RFC 5321, without quotes and literal addresses).

    Raises:
        errors.InvalidInput: it is none.
    """
    tidy = value.strip()
    local = tidy.partition("@")[0]
    if len(tidy) > LONGEST_EMAIL or len(local) > 64 or not _EMAIL.fullmatch(tidy):
        raise errors.InvalidInput("This is not an e-mail address.", field=field)
    return tidy


def phone(value: str, regions: Sequence[str], field: Path, *, mobile: bool = False) -> str:
    """Return a telephone number as E.164 (P4).

    Args:
        value: as it is dialled in the first region, or with its country's code.
        regions: where it may be from; +1 787 is in PR and not in US.
        field: path of the input.
        mobile: whether it has to be one that takes text messages.

    Raises:
        errors.InvalidInput: it is no number, or none of these regions.
    """
    try:
        number = phonenumbers.parse(value[:100], regions[0])
    except phonenumbers.NumberParseException as error:
        raise errors.InvalidInput("This is not a phone number.", field=field) from error
    if number.extension:
        raise errors.InvalidInput("A phone number is given without an extension.", field=field)
    if not phonenumbers.is_valid_number(number):
        raise errors.InvalidInput("This is not a valid phone number.", field=field)
    if not any(phonenumbers.is_valid_number_for_region(number, region) for region in regions):
        raise errors.InvalidInput(
            f"The practice takes phone numbers of {', '.join(regions)}; this is one of "
            f"{phonenumbers.region_code_for_number(number)}.",
            way_on="Give an e-mail address, or ask for the region in the practice's settings.",
            field=field,
        )
    kinds = {phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE}
    if mobile and phonenumbers.number_type(number) not in kinds:
        raise errors.InvalidInput("This is not the number of a mobile phone.", field=field)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def patient(
    new: NewPatient, today: date, regions: Sequence[str], root: Path, changed: frozenset[str] | None = None
) -> tuple[NewPatient, Sequence[errors.InvalidInput]]:
    """Look at all that is said of a patient (P3, P4), one by one or in bulk (P5).

    Args:
        new: what was typed.
        today: the day it is for the practice.
        regions: where the practice's phone numbers may be from.
        root: path of the input that the fields are in.
        changed: names of the fields to look at; None is all.

    Returns:
        The values as they are stored, and what is wrong with them, in the order of the fields.
    """
    wrong: list[errors.InvalidInput] = []
    tidy: dict[str, Any] = {}

    def look(name: str, check: Callable[[Any, Path], Any]) -> None:
        if changed is None or name in changed:
            try:
                tidy[name] = check(getattr(new, name), (*root, name))
            except errors.InvalidInput as problem:
                wrong.append(problem)

    look("first_name", name)
    look("last_name", name)
    look("date_of_birth", lambda value, field: birthday(value, today, field))
    look("mrn", text)
    look("gender", text)
    if new.phone is None and new.email is None:
        wrong.append(errors.InvalidInput("A phone number or an e-mail address is required.", field=(*root, "phone")))
    if new.phone is not None:
        look("phone", lambda value, field: phone(value, regions, field))
    if new.email is not None:
        look("email", email)
    return replace(new, **tidy), wrong
