"""What one part of the demo's story can't do keeps nothing else from being done."""

from __future__ import annotations

import threading

import pytest

from bedside_core.demo.run import STORY, Scene, act
from bedside_core.demo.story import Cast, StoryFailed, together

NOWHERE = Cast("http://127.0.0.1:9")


async def test_a_part_that_fails_is_named_and_the_others_are_played() -> None:
    played: list[str] = []
    told: list[str] = []

    def scene(name: str, failure: str | None = None) -> tuple[str, Scene]:
        async def play(cast: Cast) -> None:
            assert cast is NOWHERE
            played.append(name)
            if failure:
                raise StoryFailed(failure)

        return name, play

    assert not await act(NOWHERE, [scene("talking"), scene("writing", "refused"), scene("booking")], told.append)
    assert played == ["talking", "writing", "booking"]
    assert [("writing" in each, "refused" in each) for each in told] == [(True, True)]
    assert await act(NOWHERE, [scene("talking")], told.append)
    assert len(told) == 1


async def test_a_practice_that_fails_does_not_cut_off_the_others() -> None:
    failed, done = threading.Event(), threading.Event()

    def fail() -> None:
        failed.set()
        raise StoryFailed("refused")

    def finish() -> None:
        assert failed.wait(60)
        done.set()

    with pytest.raises(StoryFailed, match="refused"):
        await together(fail, finish)
    assert done.is_set()


async def test_what_builds_on_something_missing_fails_like_what_is_refused() -> None:
    nothing: list[str] = []
    for part in (lambda: nothing[0], lambda: next(iter(nothing)), lambda: dict[str, str]()["id"]):
        with pytest.raises(StoryFailed, match="builds on"):
            await together(part)


async def test_where_no_server_answers_every_part_is_named() -> None:
    told: list[str] = []
    assert not await act(NOWHERE, STORY, told.append)
    named = [what for what, _ in STORY[:-1]]  # nobody is signed in who could be signed out
    assert [any(what in each for each in told) for what in named] == [True] * len(named)
