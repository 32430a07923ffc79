"""What plugins contribute to the inbox fits, or they are told why it does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest
import strawberry

from bedside_graphql.gate import public
from bedside_graphql.part import GraphQLPart, InboxKind
from bedside_graphql.schema import CompositionError, Schema


async def load(info: Any, cursors: Mapping[UUID, str]) -> Mapping[UUID, object]:
    return {}


@strawberry.type(description="A bed was made.")
class BedMade:
    cursor: str = strawberry.field(description="Where it stands.")


@strawberry.type(description="A bed was made, who knows when.")
class BedSomehow:
    bed: str = strawberry.field(description="Which.")


@strawberry.type
class Beds:
    """A query, without which there is no schema."""

    beds: int = strawberry.field(description="How many.", extensions=[public])


def test_events_of_all_plugins_are_one_union() -> None:
    beds = GraphQLPart(query=Beds, inbox={"beds.bed": InboxKind(event=BedMade, load=load)})
    schema = Schema({"graphql": [GraphQLPart(inbox={})], "beds": [beds]}).as_str()
    assert "union InboxEvent = InboxOpened | InboxGap | PracticeChanged | InboxItemRemoved | BedMade" in schema
    assert "inbox(\n" in schema
    assert '@gated(permission: "inbox.follow")' in schema


def test_without_anybody_s_part_in_it_there_is_no_inbox() -> None:
    assert "InboxEvent" not in Schema({"beds": [GraphQLPart(query=Beds, types=(BedMade,))]}).as_str()


@pytest.mark.parametrize(
    ("kind", "event", "reason"),
    [
        ("chat.bed", BedMade, "does not begin with beds."),
        ("beds.bed", BedSomehow, "no event with a field `cursor: str`"),
        ("beds.bed", str, "no event with a field `cursor: str`"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(kind: str, event: type, reason: str) -> None:
    part = GraphQLPart(inbox={kind: InboxKind(event=event, load=load)})
    with pytest.raises(CompositionError, match=reason) as refused:
        Schema({"beds": [part]})
    assert refused.value.plugin == "beds"
