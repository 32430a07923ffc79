"""One schema out of many parts: what Strawberry's `get_fields` has to go on doing for us (ADR 0004)."""

# No postponed annotations: the types of the schema are made here.

from dataclasses import dataclass

import pytest
import strawberry
from graphql import GraphQLNonNull
from strawberry.types.base import get_object_definition

from bedside_core.settings import Scope, setting
from bedside_graphql.api import GraphQLPart, Info, gate, public
from bedside_graphql.platform import PARTS, Patient
from bedside_graphql.schema import CompositionError, Schema, compose
from bedside_graphql.settings import settings_part

READ = gate("patients.read")


@strawberry.type
class BedQuery:
    """A root field with a type of its own."""

    @strawberry.field(description="A bed.", extensions=[gate("patients.read", "beds")])
    def bed(self, number: int) -> "Bed | None":
        """Return a bed."""
        return Bed(number=number)


@strawberry.type(description="A bed.")
class Bed:
    """A type that another part extends."""

    number: int = strawberry.field(description="Its number.")


@strawberry.type(name="Bed")
class BedLinen:
    """What another part adds to a bed; it reads the bed's number and a secret that is not the schema's."""

    number: strawberry.Private[int]

    @strawberry.field(description="Its linen.", extensions=[public])
    def linen(self) -> str | None:
        """Return the linen of this very bed."""
        return f"linen of {self.number}"


@strawberry.type(name="Patient")
class PatientBed:
    """What a part adds to core's patient."""

    @strawberry.field(description="The patient's bed.", extensions=[READ])
    def bed_number(self) -> int | None:
        """Return the number."""
        return 7


@strawberry.type(name="Wardrobe")
class Absent:
    """What a part would add to a type that nobody has."""

    @strawberry.field(description="Its lock.", extensions=[READ])
    def lock(self) -> str | None:
        """Return the lock."""
        return None


BEDS = GraphQLPart(query=BedQuery, extend=(PatientBed,))
LINEN = GraphQLPart(extend=(BedLinen,))


def built(**parts: GraphQLPart) -> Schema:
    """A schema of core's part and these."""
    return Schema({"graphql": PARTS, **{name: (part,) for name, part in parts.items()}})


def fields(schema: Schema, kind: str) -> list[str]:
    """The names of a type's fields in a built schema."""
    return list(schema._schema.type_map[kind].fields)  # pyright: ignore[reportAttributeAccessIssue]


async def test_fields_are_added_to_another_parts_type_and_read_its_objects() -> None:
    schema = built(beds=BEDS, linen=LINEN)
    assert fields(schema, "Bed") == ["number", "linen"]

    @strawberry.type
    class Query:
        @strawberry.field(description="A bed.", extensions=[public])
        def any_bed(self) -> Bed | None:
            return Bed(number=3)

    result = await built(beds=GraphQLPart(query=Query), linen=LINEN).execute("{ anyBed { number linen } }")
    assert (result.data, result.errors) == ({"anyBed": {"number": 3, "linen": "linen of 3"}}, None)


def test_nothing_is_mutated_and_another_schema_is_unaffected() -> None:
    before = [field.python_name for field in get_object_definition(Patient, strict=True).fields]
    with_beds, without = built(beds=BEDS), built()
    assert "bedNumber" in fields(with_beds, "Patient")
    assert "bedNumber" not in fields(without, "Patient")
    assert "bed" not in fields(without, "Query")
    assert [field.python_name for field in get_object_definition(Patient, strict=True).fields] == before
    assert with_beds.as_str() == built(beds=BEDS).as_str()


def test_private_fields_are_read_and_not_added() -> None:
    assert fields(built(beds=BEDS, linen=LINEN), "Bed").count("number") == 1


def test_the_gate_is_shown_in_the_schema_once_in_however_many_schemas_it_stands() -> None:
    for _ in range(2):
        sdl = built(beds=BEDS).as_str()
        assert 'bed(number: Int!): Bed @gated(permission: "patients.read", feature: "beds")' in sdl
        assert 'bedNumber: Int @gated(permission: "patients.read")' in sdl
        assert "viewer: Viewer @public" in sdl


def test_an_extension_of_a_type_that_nobody_has_is_left_out_and_reported() -> None:
    schema = built(beds=BEDS, wardrobe=GraphQLPart(extend=(Absent,)))
    assert schema.absent == ["Portal", "Wardrobe"]  # what is added to a patient's view, where there is one
    assert "Wardrobe" not in schema.as_str()


def test_the_same_field_from_two_parts_is_refused_naming_both() -> None:
    for part, target in (
        (GraphQLPart(extend=(PatientBed,)), "Patient.bedNumber"),
        (GraphQLPart(query=BedQuery), "Query.bed"),
    ):
        with pytest.raises(CompositionError) as refused:
            built(beds=BEDS, cots=part)
        assert (refused.value.plugin, refused.value.reason) == ("cots", f"cots and beds both define {target}")


def resolved() -> str | None:
    """What a field's resolver returns."""
    return None


def contributed(kind: str, **names: str | None) -> type:
    """A type with a public field for each Python name, called otherwise in the schema where that is given."""
    made = {
        python: strawberry.field(resolver=resolved, name=name, description="A field.", extensions=[public])
        for python, name in names.items()
    }
    return strawberry.type(type(kind, (), dict(made)))


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (GraphQLPart(query=contributed("Query", evil_viewer="viewer")), "evil and graphql both define Query.viewer"),
        (GraphQLPart(query=contributed("Query", viewEr="viewer")), "evil and graphql both define Query.viewer"),
        (
            GraphQLPart(extend=(contributed("Patient", other="dateOfBirth"),)),
            "evil and graphql both define Patient.dateOfBirth",
        ),
        (
            GraphQLPart(extend=(contributed("Patient", dateOfBirth=None),)),
            "evil and graphql both define Patient.dateOfBirth",
        ),
        (GraphQLPart(query=contributed("Query", my_thing=None, myThing=None)), "evil defines Query.myThing twice"),
        (GraphQLPart(types=(contributed("Cup", my_thing=None, myThing=None),)), "evil defines Cup.myThing twice"),
    ],
)
def test_fields_are_the_same_by_their_name_in_the_schema_whatever_python_calls_them(
    part: GraphQLPart, reason: str
) -> None:
    disabled: list[tuple[str, str]] = []
    schema = compose({"graphql": PARTS, "evil": (part,)}, lambda name, why, said: disabled.append((name, why)))
    assert disabled == [("evil", reason)]
    assert schema.as_str() == built().as_str()


def test_an_explicit_name_is_taken_as_it_is() -> None:
    schema = built(beds=GraphQLPart(query=contributed("Query", one="my_thing", two="myThing")))
    assert {"my_thing", "myThing"} <= set(fields(schema, "Query"))


def test_a_type_that_two_parts_define_is_refused_naming_both() -> None:
    one, two = (strawberry.type(type("Cup", (), {"__annotations__": {"size": int}})) for _ in range(2))
    one.__module__, two.__module__ = "first.schema", "second.schema"
    disabled: list[tuple[str, str]] = []
    parts = {"graphql": PARTS, "one": (GraphQLPart(types=(one,)),), "two": (GraphQLPart(types=(two,)),)}
    schema = compose(parts, lambda name, why, said: disabled.append((name, why)))
    assert [name for name, _ in disabled] == ["two"]
    assert disabled[0][1].startswith("two and one: ")
    assert "type Cup" in schema.as_str()


def test_a_field_that_can_be_refused_has_to_be_nullable() -> None:
    def never_null() -> str:
        return "here"

    field = strawberry.field(resolver=never_null, description="A field.", extensions=[READ])
    query = strawberry.type(type("Query", (), {"strict": field}))
    with pytest.raises(CompositionError) as refused:
        built(beds=GraphQLPart(query=query))
    assert refused.value.reason == "Query.strict can be refused, so it has to be nullable"


@strawberry.type(description="A shelf.")
class Shelf:
    """A type of a plugin's own, whose field is no better."""

    @strawberry.field(description="What lies there.")
    def item(self, place: int | None) -> str | None:
        """Return what lies in a place."""
        return f"item {place}"


@pytest.mark.parametrize(
    ("annotation", "default", "fits"),
    [
        (int | None, None, True),
        (int | None, 3, True),
        (int | None, strawberry.UNSET, True),
        (strawberry.Maybe[int], None, True),
        (int, ..., True),
        (int | None, ..., False),
        (strawberry.Maybe[int], ..., False),
    ],
)
def test_a_resolver_can_do_without_what_a_client_can(annotation: object, default: object, fits: bool) -> None:
    def resolve(number: object = default) -> str | None:
        return f"{number}"

    if default is ...:
        resolve.__defaults__ = None
    resolve.__annotations__["number"] = annotation
    field = strawberry.field(resolver=resolve, description="A field.", extensions=[public])
    query = strawberry.type(type("Query", (), {"lax": field}))
    if fits:
        assert "lax(number: Int" in built(beds=GraphQLPart(query=query)).as_str()
        return
    with pytest.raises(CompositionError) as refused:
        built(beds=GraphQLPart(query=query))
    assert refused.value.plugin == "beds"
    assert refused.value.reason == "Query.lax(number:) can be left out, so its resolver has to have a default"


def test_a_resolver_of_a_plugins_own_type_is_held_to_the_same() -> None:
    disabled: list[tuple[str, str]] = []
    parts = {"graphql": PARTS, "shelves": (GraphQLPart(types=(Shelf,)),)}
    schema = compose(parts, lambda name, why, said: disabled.append((name, why)))
    assert disabled == [("shelves", "Shelf.item(place:) can be left out, so its resolver has to have a default")]
    assert "Shelf" not in schema.as_str()


def test_an_added_field_is_nullable_in_the_built_schema() -> None:
    kind = built(beds=BEDS)._schema.type_map["Patient"].fields["bedNumber"].type  # pyright: ignore
    assert not isinstance(kind, GraphQLNonNull)


def test_what_does_not_fit_is_left_out_one_after_the_other_until_the_rest_does() -> None:
    @strawberry.type
    class Ungated:
        @strawberry.field(description="Open.")
        def open_door(self) -> str | None:
            return None

    disabled: list[tuple[str, str]] = []
    parts = {
        "graphql": PARTS,
        "ungated": (GraphQLPart(query=Ungated),),
        "beds": (BEDS,),
        "cots": (GraphQLPart(query=BedQuery),),
    }
    schema = compose(parts, lambda name, reason, said: disabled.append((name, reason)))
    assert disabled == [
        ("ungated", "Query.openDoor has neither a gate nor says public"),
        ("cots", "cots and beds both define Query.bed"),
    ]
    assert "bed" in fields(schema, "Query")


def test_a_part_falls_with_the_plugin_that_it_requires() -> None:
    gone: set[str] = set()

    def disable(name: str, reason: str, said: str | None) -> None:
        gone.update({name, "linen"})  # linen requires it

    parts = {"graphql": PARTS, "beds": (BEDS,), "cots": (GraphQLPart(query=BedQuery),), "linen": (LINEN,)}
    schema = compose(parts, disable, lambda name: name not in gone)
    assert gone == {"cots", "linen"}
    assert fields(schema, "Bed") == ["number"]


def test_a_strict_start_is_refused_by_what_disabling_raises() -> None:
    def refuse(name: str, reason: str, said: str | None) -> None:
        raise RuntimeError(f"{name}: {reason}")

    with pytest.raises(RuntimeError, match="^cots: cots and beds both define"):
        compose({"graphql": PARTS, "beds": (BEDS,), "cots": (BEDS,)}, refuse)


async def test_info_is_the_operations_own() -> None:
    seen: list[str] = []

    @strawberry.type
    class Query:
        @strawberry.field(description="Which field it is.", extensions=[public])
        def asked(self, info: Info) -> str | None:
            seen.append(info.field_name)
            return info.python_name

    result = await built(beds=GraphQLPart(query=Query)).execute("{ asked }")
    assert (result.data, seen) == ({"asked": "asked"}, ["asked"])


@dataclass(frozen=True)
class ITSettings:
    """How the machines behave."""

    beeps: bool = setting(True, "Whether they beep.", scopes=(Scope.PRACTICE, Scope.MEMBER))
    volume: int | None = setting(3, "How loud; null is as loud as can be.")


def test_a_settings_type_and_its_patches_are_named_alike() -> None:
    sdl = built(it=settings_part("it", ITSettings)).as_str()
    for part in ("type ITSettings {", "input ITSettingsPatch {", "input ITOwnSettingsPatch {"):
        assert part in sdl
    for part in ("updateItSettings(", "updateItOwnSettings(", "  itSettings: ITSettings "):
        assert part in sdl


def test_whether_a_reason_is_kept_from_strangers_is_said_where_it_is_read() -> None:
    assert built()._schema.type_map["Plugin"].fields["reason"].description == (  # pyright: ignore
        "Why it does not, if so; always null for those who are not signed in."
    )
