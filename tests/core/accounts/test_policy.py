"""Which passwords may be chosen (promise A7)."""

from __future__ import annotations

import time

import pytest

from bedside_core.auth.policy import ALONE, BESIDE_A_FACTOR, WeakPassword, check

WORDS = ("ada.moss@bayview.example", "Ada", "Moss", "Bay View Pediatrics")


def allowed(password: str, *, with_factor: bool = False) -> bool:
    try:
        check(password, WORDS, with_factor=with_factor)
    except WeakPassword as refused:
        assert refused.field == ("new",)
        return False
    return True


@pytest.mark.promise("A7")
def test_fifteen_characters_alone_and_eight_beside_a_second_factor() -> None:
    long = "quill fern ox bramble"
    assert (ALONE, BESIDE_A_FACTOR) == (15, 8)
    assert [allowed(long[:count]) for count in (14, 15, 21)] == [False, True, True]
    assert [allowed("zu9#kelp"[:count], with_factor=True) for count in (7, 8)] == [False, True]


@pytest.mark.promise("A7")
def test_characters_count_not_bytes_and_a_kilobyte_is_the_most() -> None:
    assert allowed("соловей и рябина")
    assert not allowed("соловей рябина")
    unlike = "".join(chr(0x4E00 + 37 * number) for number in range(341))  # three bytes each
    assert allowed(unlike)
    assert not allowed(unlike + "xx")


@pytest.mark.promise("A7")
@pytest.mark.parametrize(
    "expected",
    ["password", "letmein1", "iloveyou", "P@ssw0rd", "12345678", "abcdefgh", "adamoss1", "Bayview9", "Pediatrics2026!",
     "bedside1"],
)  # fmt: skip
def test_what_is_tried_first_is_refused_beside_a_second_factor_too(expected: str) -> None:
    assert not allowed(expected, with_factor=True)


@pytest.mark.promise("A7")
@pytest.mark.parametrize(
    "own", ["adamossbayview1234", "Ada Moss & Bay View!", "MossMossMossMoss!!", "bayviewpediatrics2026"]
)
def test_what_is_made_of_one_s_own_words_is_refused(own: str) -> None:
    assert allowed("of heron and nine violins")
    assert not allowed(own)


@pytest.mark.promise("G1")
def test_looking_at_a_password_takes_no_longer_however_long_it_is() -> None:
    began = time.monotonic()
    for text in ("a1" * 512, "password" * 128, "x" * 1024, "qwerty!" * 146):
        allowed(text)
    assert time.monotonic() - began < 10
