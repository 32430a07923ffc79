"""Each hook is documented and tested, and the check that says so fails where one is not."""

from __future__ import annotations

from pathlib import Path

from bedside_core.hookspecs import CoreHooks, hookspec
from bedside_graphql.api import GraphQLHooks
from contract.hook_rules import hooks_of, undocumented, untested

ROOT = Path(__file__).parents[2]
BROKEN = Path(__file__).parent / "fixtures" / "broken_hooks"


class BrokenHooks:
    """The hooks of the broken fixture."""

    @hookspec
    def answer(self, question: str) -> str:
        """Give an answer."""
        return question

    @hookspec
    def greet(self, name: str) -> str:
        """Say good morning."""
        return name

    @hookspec
    def wave(self, hand: str) -> None:
        """Wave."""

    @hookspec
    def nod(self) -> None:
        """Nod."""

    def helper(self) -> None:
        """No hook."""


def test_the_contract_is_eight_hooks() -> None:
    assert hooks_of(CoreHooks, GraphQLHooks) == {
        "manifest": "manifest() -> Manifest | None",
        "hookspecs": "hookspecs() -> type | None",
        "services": "services(platform: Platform) -> Mapping[type[Any], object]",
        "listeners": "listeners(platform: Platform) -> Iterable[Listener]",
        "jobs": "jobs(platform: Platform) -> Iterable[Job]",
        "routes": "routes(platform: Platform) -> Iterable[Route]",
        "lifespan": "lifespan(platform: Platform) -> AbstractAsyncContextManager[None] | None",
        "graphql": "graphql(platform: Platform) -> GraphQLPart | None",
    }


def test_each_hook_is_documented() -> None:
    document = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")
    assert undocumented(document, hooks_of(CoreHooks, GraphQLHooks)) == []


def test_each_hook_is_tested() -> None:
    modules = [path for path in (ROOT / "tests").rglob("test_*.py") if "fixtures" not in path.parts]
    assert untested(modules, hooks_of(CoreHooks, GraphQLHooks)) == []


def test_what_a_document_lacks_is_told() -> None:
    document = (BROKEN / "hooks.md").read_text(encoding="utf-8")
    assert undocumented(document, hooks_of(BrokenHooks)) == [
        "whistle is documented, but there is no such hook",
        "wave is not documented as `def wave(hand: str) -> None`",
        "wave does not say: What happens when it fails.",
        "wave has no example of an implementation",
        "nod has no section",
        "the sections are not in the order of the calls: greet, wave, answer",
    ]


def test_a_hook_without_a_test_is_told() -> None:
    assert untested([BROKEN / "test_hooks.py"], hooks_of(BrokenHooks)) == [
        "answer has no test",
        "wave has no test",
        "nod has no test",
        "a test is for shout, but there is no such hook",
    ]
