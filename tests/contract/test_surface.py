"""What plugins build on is written down in surface.txt, name by name: it grows by decision and shrinks by none.

A new name is a new line, and a minor version of PLUGIN_API. A name or an event's field that goes or changes is a major
version, and is announced a release before.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
from collections.abc import Iterator
from pathlib import Path

import bedside_core.api
import bedside_graphql.api
from bedside_core.api import PLUGIN_API, Event, fact
from bedside_core.config import FIRST_PARTY

SURFACE = Path(__file__).parent / "surface.txt"


def events(kind: type[Event]) -> Iterator[type[Event]]:
    """The events that core and plugins publish, each once."""
    for sub in kind.__subclasses__():
        if sub.__module__.startswith("bedside_"):
            yield sub
        yield from events(sub)


def described(event: type[Event]) -> str:
    """`bedside_chat.api.MessageSent(practice_id: UUID, …)`, with the types as they are written."""
    fields = ", ".join(f"{field.name}: {field.type}" for field in dataclasses.fields(event))
    return f"{event.__module__}.{event.__name__}({fields})"


def surface() -> list[str]:
    """Every line of surface.txt, as the code is now."""
    for package in (*(f"bedside_{name}" for name in FIRST_PARTY), "bedside_vitals"):
        if importlib.util.find_spec(package) is not None and importlib.util.find_spec(f"{package}.api") is not None:
            importlib.import_module(f"{package}.api")
    names = [
        f"{module.__name__}.{name}" for module in (bedside_core.api, bedside_graphql.api) for name in module.__all__
    ]
    told = sorted({described(event) for event in events(Event)})
    return [f"PLUGIN_API {PLUGIN_API}", *sorted(names, key=str.casefold), *told]


def test_the_surface_is_the_one_written_down() -> None:
    assert surface() == SURFACE.read_text(encoding="utf-8").splitlines()


def test_every_name_of_the_surface_is_there() -> None:
    for module in (bedside_core.api, bedside_graphql.api):
        assert [name for name in module.__all__ if not hasattr(module, name)] == []
        assert len(set(module.__all__)) == len(module.__all__)


def test_a_function_of_one_name_is_one_function() -> None:
    """Types may share a name, as a patient of core and the patient of the schema: a function does one thing."""
    both = set(bedside_core.api.__all__) & set(bedside_graphql.api.__all__)
    pairs = {name: (getattr(bedside_core.api, name), getattr(bedside_graphql.api, name)) for name in both}
    assert [name for name, (one, other) in pairs.items() if one is not other and inspect.isfunction(one)] == []


def test_every_field_of_an_event_says_what_it_tells() -> None:
    bare = [
        f"{event.__name__}.{field.name}"
        for event in events(Event)
        for field in dataclasses.fields(event)
        if not field.metadata.get("doc")
    ]
    assert bare == []


def test_events_are_frozen_and_have_keywords_only() -> None:
    loose = [
        event.__name__
        for event in events(Event)
        if not event.__dataclass_params__.frozen  # pyright: ignore[reportAttributeAccessIssue]
        or not all(field.kw_only for field in dataclasses.fields(event))
    ]
    assert loose == []


def test_a_further_field_of_an_event_is_another_surface() -> None:
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Rung(Event):
        """Somebody rang."""

        bed: int = fact("Which bed.")

    assert described(Rung) == f"{__name__}.Rung(practice_id: UUID, bed: int)"
