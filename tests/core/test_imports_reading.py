"""A table of patients is read out of a file's bytes: encodings, delimiters, headers, dates, quotation marks."""

from __future__ import annotations

from datetime import date

import pytest

from bedside_core.imports import Dates, Encoding, Options, ProblemCode
from bedside_core.imports.checking import date_of
from bedside_core.imports.columns import Field, layout_of
from bedside_core.imports.model import Unreadable
from bedside_core.imports.reading import Table, table_of

HEADER = "First Name,Last Name,DOB,MRN,Sex,Phone"
ROW = "José,Núñez,1950-02-03,7,f,2025550143"


def read(text: str, encoding: str = "utf-8", **how: object) -> Table:
    return table_of(text.encode(encoding), Options(dry_run=True, **how))  # type: ignore[arg-type]


@pytest.mark.rule("P5")
@pytest.mark.parametrize(
    ("written", "told"),
    [("utf-8", Encoding.UTF_8), ("utf-8-sig", Encoding.UTF_8), ("windows-1252", Encoding.WINDOWS_1252)],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_delimiters_and_ends_of_lines_are_told_by_the_file(
    written: str, told: Encoding, delimiter: str, end: str
) -> None:
    found = read(end.join([HEADER, "", ROW]).replace(",", delimiter), written)
    assert (found.encoding, found.delimiter) == (told, delimiter)
    assert [(row.line, row.cells) for row in found.rows] == [(3, ROW.split(","))]


@pytest.mark.rule("P5")
def test_what_is_not_in_the_encoding_is_refused() -> None:
    for content, said in [
        ("é".encode("windows-1252"), Encoding.UTF_8),
        (b"\x81", None),
        (HEADER.encode("utf-16"), None),
    ]:
        with pytest.raises(Unreadable) as refused:
            table_of(content, Options(dry_run=True, encoding=said))
        assert refused.value.code is ProblemCode.ENCODING


@pytest.mark.rule("P5")
def test_lines_are_counted_as_an_editor_does_and_quotation_marks_that_cannot_be_read_cost_one_row() -> None:
    rows = ['"a\nb","c ""d""",1,2,3,4', '"e"f,,,,,', ROW, '"never closed,1', ROW]
    found = read("\n".join([HEADER, *rows]))
    assert [(row.line, row.cells) for row in found.rows] == [
        (2, ["a\nb", 'c "d"', "1", "2", "3", "4"]),
        (4, None),
        (5, ROW.split(",")),
        (6, None),  # what is never closed takes the rest with it
    ]


@pytest.mark.rule("P5")
def test_headers_are_known_in_english_and_spanish_in_any_order_and_mapping_goes_before_them() -> None:
    english = ["E-Mail", "SURNAME", "date_of_birth", "Medical Record Number", "given  name", "Gender", "Room"]
    spanish = ["Correo electrónico", "Apellidos", "Fecha de Nacimiento", "N.º historia", "Nombre", "Género", "Sala"]
    for headers in (english, spanish):
        layout = layout_of(headers, {headers[3]: Field.MRN})
        assert [layout.places[field] for field in Field if field is not Field.PHONE] == [4, 1, 2, 3, 5, 0]
        assert (layout.width, list(layout.ignored)) == (7, headers[-1:])
    two = ["Nombre", "Apellido", "FDN", "NHC", "Sexo", "Teléfono", "Móvil"]
    with pytest.raises(Unreadable) as unclear:
        layout_of(two, {})
    assert unclear.value.code is ProblemCode.COLUMNS_UNCLEAR
    assert layout_of(two, {"movil": Field.PHONE}).places[Field.PHONE] == 6
    with pytest.raises(Unreadable) as missing:
        layout_of(two[:5], {})
    assert missing.value.message == "The first line names no column for: phone or e-mail."


@pytest.mark.rule("P5")
@pytest.mark.parametrize(
    ("typed", "dates", "found"),
    [
        ("1950-02-03", Dates.ISO, date(1950, 2, 3)),
        ("1950-02-03", Dates.DAY_FIRST, date(1950, 2, 3)),
        ("02/03/1950", Dates.ISO, None),
        ("02/03/1950", Dates.MONTH_FIRST, date(1950, 2, 3)),
        ("02/03/1950", Dates.DAY_FIRST, date(1950, 3, 2)),
        ("3.2.1950", Dates.DAY_FIRST, date(1950, 2, 3)),
        ("3.2/1950", Dates.DAY_FIRST, None),
        ("03/02/50", Dates.DAY_FIRST, None),
        ("31/02/1950", Dates.DAY_FIRST, None),
        ("13/01/1950", Dates.MONTH_FIRST, None),
        ("0000-01-01", Dates.ISO, None),
        ("", Dates.ISO, None),
    ],
)
def test_dates_are_read_as_they_are_told_to_be_written(typed: str, dates: Dates, found: date | None) -> None:
    assert date_of(typed, dates) == found
