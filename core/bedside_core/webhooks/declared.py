"""What a plugin says of an event that partners may be told of by a webhook (G6)."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass

from bedside_core.events import Event

_KEY = re.compile(r"[a-z][a-z_]{1,30}\.[a-z][a-z_]{1,30}")
_IDS = frozenset({"UUID", "UUID | None"})


@dataclass(frozen=True, kw_only=True)
class PublicEvent:
    """An event of a practice of which its webhooks may be told: its type and ids, nothing else.

    Args:
        key: `<subject>.<what happened>`, e.g. `patient.created`; stable, for partners write it in their programs.
        event: the class of events.
        doc: when it is told, for partners.
        ids: the names of the event's fields that are told, each of them an id.

    Raises:
        ValueError: something can't be right, in words for the plugin's author.
    """

    key: str
    event: type[Event]
    doc: str
    ids: tuple[str, ...]

    def __post_init__(self) -> None:
        if not _KEY.fullmatch(self.key):
            raise ValueError(f"public event {self.key!r}: the key is not <subject>.<what_happened>")
        types = {field.name: str(field.type) for field in dataclasses.fields(self.event)}
        if wrong := [name for name in self.ids if types.get(name) not in _IDS]:
            raise ValueError(f"public event {self.key}: {wrong[0]} is no id of {self.event.__name__}")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the ids in JSON."""
        return ("practiceId", *map(_camel, self.ids))

    def told(self, event: Event) -> Mapping[str, str | None]:
        """Return the ids of an event by their names in JSON, the practice's first."""
        values = (event.practice_id, *(getattr(event, name) for name in self.ids))
        return {name: None if value is None else str(value) for name, value in zip(self.names, values, strict=True)}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
