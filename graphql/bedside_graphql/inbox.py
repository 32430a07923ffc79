"""The subscription `inbox`: one stream of everything that concerns a person, out of what plugins contribute (C16)."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Annotated, Any, Union, cast

import strawberry
import structlog
from strawberry.types.base import StrawberryObjectDefinition, get_object_definition

from bedside_core import errors
from bedside_core.inbox import Gap, Item, Items, Opened, PracticeMoved
from bedside_graphql.context import Info
from bedside_graphql.errors import contained, described
from bedside_graphql.gate import gate
from bedside_graphql.part import GraphQLPart, InboxKind
from bedside_graphql.platform.practices import Practice, own_practice
from bedside_graphql.types import After

log = structlog.get_logger("bedside.graphql")

CURSOR = "Give the last one you have as `after`."


@strawberry.type(
    description="The first event of a stream that began without a cursor: what happens from now on will be told, so "
    "fetch the state after it."
)
class InboxOpened:
    """The beginning."""

    cursor: str = strawberry.field(description=CURSOR)


@strawberry.type(
    description="What happened since the cursor can't be told: it is too old, or another person's. Fetch anew; "
    "the stream goes on from here."
)
class InboxGap:
    """A gap."""

    cursor: str = strawberry.field(description=CURSOR)


@strawberry.type(description="The practice's plan, or its people's rights or connections, have changed.")
class PracticeChanged:
    """A change of plan or rights."""

    cursor: str = strawberry.field(description=CURSOR)

    @strawberry.field(description="The practice, with its features as they are now; null for patients.")
    async def practice(self, info: Info) -> Practice | None:
        """Return the practice."""
        return await own_practice(info) if info.context.signed_in().member_id is not None else None


@strawberry.type(description="Something that concerned one is gone, or one may not see it any more.")
class InboxItemRemoved:
    """A thing that is gone."""

    cursor: str = strawberry.field(description=CURSOR)
    kind: str = strawberry.field(description="What kind of thing: `chat.conversation`, …")
    id: strawberry.ID = strawberry.field(description="Its id.")


def cursor_in(event: type) -> bool:
    """Tell whether a type can be an event of the inbox."""
    definition: StrawberryObjectDefinition | None = get_object_definition(event)
    return definition is not None and any(
        field.python_name == "cursor" and field.type is str for field in definition.fields
    )


def inbox_part(kinds: Mapping[str, InboxKind]) -> GraphQLPart:
    """Return the subscription over what was contributed.

    Args:
        kinds: kind of thing -> how it is shown.
    """
    events = [InboxOpened, InboxGap, PracticeChanged, InboxItemRemoved, *dict.fromkeys(k.event for k in kinds.values())]
    union = Annotated[
        Union[cast("Any", tuple(events))],  # noqa: UP007 - of how many types, is known at run time only
        strawberry.union("InboxEvent", description="Something that concerns one, as it is now."),
    ]

    async def inbox(info: Info, after: After = None) -> AsyncGenerator[Any, None]:
        stream = info.context.platform.inbox.follow(info.context.signed_in(), after, kinds)
        async with aclosing(stream) as happened:
            async for each in happened:
                match each:
                    case Opened():
                        yield InboxOpened(cursor=each.cursor)
                    case Gap():
                        yield InboxGap(cursor=each.cursor)
                    case PracticeMoved():
                        yield PracticeChanged(cursor=each.cursor)
                    case Items():
                        for event in await _events(info, each.items, kinds):
                            yield event

    inbox.__annotations__["return"] = AsyncGenerator[union, None]
    field: Any = strawberry.subscription(
        resolver=inbox,
        description="Everything that concerns one, each thing in its present state, in the order of last changes. "
        "Without a cursor it begins with `InboxOpened`: subscribe first and fetch after that event, and nothing is "
        "missed. With one it begins with what has changed since; what has changed several times comes once.",
        extensions=[gate("inbox.follow")],
    )
    made = type("InboxSubscription", (), {"inbox": field, "__annotations__": {}, "__module__": __name__})
    return GraphQLPart(subscription=strawberry.type(made))


async def _events(info: Info, items: Sequence[Item], kinds: Mapping[str, InboxKind]) -> list[object]:
    """Return the events of things that have changed, in order; each kind is loaded once.

    Where a plugin fails to load its things, the others' are told all the same, and the client is told to reload.
    """
    found: dict[Item, object] = {}
    for name in dict.fromkeys(item.kind for item in items):
        several = {item.subject_id: item for item in items if item.kind == name}
        try:
            with contained:
                loaded = await kinds[name].load(info, {key: item.cursor for key, item in several.items()})
        except errors.Problem:
            raise
        except Exception as error:
            log.error("things of the inbox could not be loaded", kind=name, **described(error))  # noqa: TRY400
            found.update({item: InboxGap(cursor=item.cursor) for item in several.values()})
        else:
            found.update({several[key]: event for key, event in loaded.items()})
    return [
        found.get(item) or InboxItemRemoved(cursor=item.cursor, kind=item.kind, id=strawberry.ID(str(item.subject_id)))
        for item in items
    ]
