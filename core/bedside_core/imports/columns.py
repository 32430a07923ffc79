"""Which column of a table of patients is what: by its header in English or Spanish, or as who imports says."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bedside_core.imports.model import ProblemCode, Unreadable

LONGEST_HEADER = 100
"""Characters of a header that is told back."""
MOST_COLUMNS = 200


class Field(StrEnum):
    """What a column can be; the values are the names in `NewPatient`."""

    FIRST_NAME = "first_name"
    LAST_NAME = "last_name"
    DATE_OF_BIRTH = "date_of_birth"
    MRN = "mrn"
    GENDER = "gender"
    PHONE = "phone"
    EMAIL = "email"


_NAMES: Mapping[Field, str] = {
    Field.FIRST_NAME: "first name, firstname, given name, forename, nombre, nombres, primer nombre, nombre de pila",
    Field.LAST_NAME: "last name, lastname, surname, family name, apellido, apellidos",
    Field.DATE_OF_BIRTH: "date of birth, dob, birth date, birthdate, birthday, born, fecha de nacimiento, "
    "fecha nacimiento, f nacimiento, nacimiento, fdn",
    Field.MRN: "mrn, medical record number, medical record no, record number, chart number, chart no, nhc, "
    "historia clinica, numero de historia clinica, numero historia clinica, no de historia, n historia, "
    "expediente, numero de expediente, no de expediente",
    Field.GENDER: "gender, sex, genero, sexo",
    Field.PHONE: "phone, phone number, telephone, telephone number, mobile, mobile phone, mobile number, cell, "
    "cell phone, cellphone, telefono, numero de telefono, movil, telefono movil, celular, telefono celular",
    Field.EMAIL: "email, e mail, email address, e mail address, mail, correo, correo electronico, "
    "direccion de correo, direccion de correo electronico",
}
_KNOWN: Mapping[str, Field] = {
    name.replace(" ", ""): field for field, names in _NAMES.items() for name in names.split(", ")
}
_NEEDED = (Field.FIRST_NAME, Field.LAST_NAME, Field.DATE_OF_BIRTH, Field.MRN, Field.GENDER)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where in a row each field stands.

    Args:
        places: field -> index of its column.
        width: columns that the header names.
        ignored: headers of the columns that are nothing to us.
    """

    places: Mapping[Field, int]
    width: int
    ignored: Sequence[str]


def key_of(header: str) -> str:
    """Return a header as it is compared: without case, accents, space and signs."""
    plain = unicodedata.normalize("NFKD", header[: 4 * LONGEST_HEADER]).casefold()
    return "".join(sign for sign in plain if sign.isalnum() and not unicodedata.combining(sign))


def recognised(headers: Sequence[str]) -> int:
    """Return how many of the headers are known."""
    return sum(key_of(header) in _KNOWN for header in headers)


def layout_of(headers: Sequence[str], mapping: Mapping[str, Field]) -> Layout:
    """Return where each field stands.

    Args:
        headers: the first row.
        mapping: header -> field, as who imports says; it goes before what the headers are known as.

    Raises:
        Unreadable: a field is missing or stands in several columns, or the mapping names what is not there.
    """
    keys = [key_of(header) for header in headers[:MOST_COLUMNS]]
    said = {key_of(header): field for header, field in mapping.items()}
    if strange := [header for header in mapping if key_of(header) not in keys]:
        raise Unreadable(
            ProblemCode.COLUMNS_UNCLEAR,
            f"The file has no column {strange[0][:LONGEST_HEADER]!r}.",
            "Name columns in the mapping as the file's first line does.",
        )
    places: dict[Field, int] = {}
    taken: set[int] = set()
    for chosen in (said, {key: field for key, field in _KNOWN.items() if field not in said.values()}):
        for index, key in enumerate(keys):
            field = chosen.get(key)
            if field is None or (chosen is not said and key in said):
                continue
            if field in places:
                raise Unreadable(
                    ProblemCode.COLUMNS_UNCLEAR,
                    f"Columns {places[field] + 1} and {index + 1} are both the {told(field)}.",
                    "Say by the mapping which of them it is.",
                )
            places[field] = index
            taken.add(index)
    _check_whole(places)
    ignored = [header.strip()[:LONGEST_HEADER] for index, header in enumerate(headers) if index not in taken]
    return Layout(places=places, width=len(headers), ignored=[header for header in ignored if header][:MOST_COLUMNS])


def _check_whole(places: Mapping[Field, int]) -> None:
    missing = [told(field) for field in _NEEDED if field not in places]
    if Field.PHONE not in places and Field.EMAIL not in places:
        missing.append("phone or e-mail")
    if missing:
        raise Unreadable(
            ProblemCode.COLUMNS_MISSING,
            f"The first line names no column for: {', '.join(missing)}.",
            "Give each column its name in the first line, or say by the mapping which column is what.",
        )


def told(field: Field) -> str:
    """Return what a field is called to people."""
    return "MRN" if field is Field.MRN else field.value.replace("_", " ")
