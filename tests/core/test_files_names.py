"""Names of files are made harmless, and said so that every browser takes them for names only."""

from __future__ import annotations

import unicodedata
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedside_core.files.names import LONGEST, attachment, clean_name


@pytest.mark.promise("F1")
@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a\0b.txt", "ab.txt"),
        ("\ud800x.txt", "x.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\a.txt", "a.txt"),
        ("a\r\nb.txt", "ab.txt"),
        ("invoice\u202etxt.exe", "invoicetxt.exe"),
        ("...", "file"),
        ("NUL", "_NUL"),
        ("lpt1.tar.gz", "_lpt1.tar.gz"),
        ("x" * 200 + "." + "y" * 20, "x" * LONGEST),
        ("a  b", "a b"),
    ],
)
def test_a_name_says_nothing_but_itself(given: str, shown: str) -> None:
    assert clean_name(given) == shown


def test_a_name_ends_as_files_of_its_type_do() -> None:
    assert clean_name("a.JPEG", (".jpg", ".jpeg")) == "a.JPEG"
    assert clean_name("a.pdf.exe", (".pdf",)) == "a.pdf.exe.pdf"
    assert clean_name("x" * 300 + ".pdf", (".pdf",)) == "x" * (LONGEST - 4) + ".pdf"


@pytest.mark.promise("F1")
@given(st.text(max_size=300), st.sampled_from([(), (".pdf",), (".jpg", ".jpeg")]))
def test_whatever_the_name_it_is_short_visible_and_no_path(given: str, endings: tuple[str, ...]) -> None:
    name = clean_name(given, endings)
    assert 1 <= len(name) <= LONGEST + 1
    assert not set(name) & set('/\\<>:"|?*')
    assert not [char for char in name if unicodedata.category(char)[0] == "C"]
    assert not name.startswith(".")
    assert not endings or name.lower().endswith(endings)
    name.encode()
    assert clean_name(name, endings) == name, "cleaning again changes nothing"


@pytest.mark.promise("F1")
@given(st.text(max_size=100))
def test_the_header_has_one_quoted_ascii_name_and_the_whole_one_encoded(given: str) -> None:
    name = clean_name(given)
    header = attachment(name)
    plain, _, encoded = header.partition("; filename*=UTF-8''")
    assert header.isascii()
    assert header.isprintable()
    assert plain.startswith('attachment; filename="')
    assert plain.count('"') == 2
    assert "\\" not in plain
    assert unquote(encoded) == name
    assert not set(encoded) & set(' ;"\\')
