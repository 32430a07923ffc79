"""Reads a table of patients out of a file's bytes: encoding, delimiter, header, and rows with their lines' numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bedside_core.imports.columns import Field, Layout, layout_of, recognised
from bedside_core.imports.model import MOST_BYTES, MOST_ROWS, Encoding, Options, ProblemCode, Unreadable

DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True, kw_only=True)
class Raw:
    """A row as it is written.

    Args:
        line: number of the file's line it begins in.
        cells: what stands in it; None where its quotation marks can't be read.
    """

    line: int
    cells: Sequence[str] | None


@dataclass(frozen=True, kw_only=True)
class Table:
    """What a file says.

    Args:
        encoding: in what it was read.
        delimiter: what stands between its cells.
        layout: which column is what.
        rows: those that are not empty, in order.
    """

    encoding: Encoding
    delimiter: str
    layout: Layout
    rows: Sequence[Raw]


def table_of(content: bytes, options: Options) -> Table:
    """Read a file.

    Args:
        content: all of it.
        options: its encoding, and which column is what, where who imports has said so.

    Raises:
        Unreadable: it is no table of patients, or too long.
    """
    if len(content) > MOST_BYTES:
        raise Unreadable(
            ProblemCode.TOO_LONG, f"The file has more than {MOST_BYTES // 1_000_000} megabytes.", "Import it in parts."
        )
    encoding, text = _decoded(content, options.encoding)
    first = _first_row(text)
    if first is None:
        raise Unreadable(ProblemCode.EMPTY, "The file is empty.")
    delimiter, header = first
    layout = layout_of(header, {name: Field(field) for name, field in options.mapping.items()})
    rows: list[Raw] = []
    for number, row in enumerate(_rows(text, delimiter)):
        if number:  # the first is the header
            if len(rows) == MOST_ROWS:
                raise Unreadable(
                    ProblemCode.TOO_LONG, f"The file has more than {MOST_ROWS:,} rows.", "Import it in parts."
                )
            rows.append(row)
    if not rows:
        raise Unreadable(ProblemCode.EMPTY, "The file has a header and no rows.")
    return Table(encoding=encoding, delimiter=delimiter, layout=layout, rows=rows)


def _decoded(content: bytes, said: Encoding | None) -> tuple[Encoding, str]:
    """Return encoding and text; a byte order mark is taken off."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unreadable(ProblemCode.ENCODING, "The file is written in UTF-16.", "Save it as CSV in UTF-8.")
    for encoding in (said,) if said is not None else (Encoding.UTF_8, Encoding.WINDOWS_1252):
        try:
            return encoding, content.decode("utf-8-sig" if encoding is Encoding.UTF_8 else encoding.value)
        except UnicodeDecodeError:
            continue
    tried = "UTF-8 or Windows-1252" if said is None else said.value.upper()
    raise Unreadable(ProblemCode.ENCODING, f"The file is not written in {tried}.", "Save it as CSV in UTF-8.")


def _first_row(text: str) -> tuple[str, Sequence[str]] | None:
    """Return the header, read with the delimiter by which most of it is known, or else has most columns."""
    best: tuple[tuple[int, int], str, Sequence[str]] | None = None
    for delimiter in DELIMITERS:
        row = next(_rows(text, delimiter), None)
        if row is None:
            return None
        cells = row.cells or ()
        found = ((recognised(cells), len(cells)), delimiter, cells)
        if best is None or found[0] > best[0]:
            best = found
    return None if best is None else best[1:]


def _rows(text: str, delimiter: str) -> Iterator[Raw]:
    """Yield the rows that are not empty; one whose quotation marks can't be read has no cells."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield Raw(line=line, cells=None)
            continue
        if any(cell.strip() for cell in cells):
            yield Raw(line=line, cells=cells)
