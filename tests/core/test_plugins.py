"""The loader: plugins are found, checked, ordered and asked, and each that fails is disabled by name and reason."""

from __future__ import annotations

import dataclasses
import itertools
import time
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from core_stage import plugin

from bedside_core import plugins as loader
from bedside_core.access import Feature, Permission
from bedside_core.hookspecs import CoreHooks, hookimpl, hookspec
from bedside_core.jobs import Job, JobRun
from bedside_core.manifest import Manifest
from bedside_core.plugins import PluginError, PluginReport, Plugins, Source, Status, from_module, listing

SECONDS = 0.2


def facts(name: str, **more: Any) -> Manifest:
    """A manifest in order."""
    return Manifest(**{"name": name, "title": name.title(), "api": ">=1.0,<2", **more})


def loaded(*sources: Source, strict: bool = False, enabled: tuple[str, ...] | None = None) -> Plugins:
    """Load plugins, by default all that are given."""
    return Plugins(
        enabled if enabled is not None else [source.name for source in sources],
        hook_seconds=SECONDS,
        strict=strict,
        sources={source.name: source for source in sources},
    )


def reasons(plugins: Plugins) -> dict[str, str | None]:
    """What is told of the plugins that are not active."""
    return {report.name: report.reason for report in plugins.report() if report.status is not Status.ACTIVE}


def kept(plugin: str, value: Any) -> Any:
    return value


def raising(error: BaseException) -> Callable[[], Any]:
    def hook() -> Any:
        raise error

    return hook


def hanging() -> Any:
    while True:
        time.sleep(0.01)


def looping() -> Any:
    while True:
        pass


def stubborn() -> Any:
    """Swallow everything that can be swallowed."""
    while True:
        try:
            time.sleep(0.01)
        except Exception:
            continue


def source_that(load: Callable[[], Any]) -> Source:
    return Source(name="ward", load=load, package="ward", version="1.2")


def imported(module: str) -> Callable[[], Any]:
    return lambda: __import__(module)


def saying(manifest: Callable[[], Any]) -> Source:
    """The plugin `ward` with this hook `manifest`."""
    module = types.ModuleType("ward")
    module.manifest = hookimpl(manifest)  # pyright: ignore[reportAttributeAccessIssue]
    return from_module(module, name="ward")


# -- what a plugin may do wrong at start -----------------------------------------------------------------------------


class Exploding:
    """An iterable that fails when it is looked at."""

    def __iter__(self) -> Iterator[Job]:
        raise SystemExit(3)


async def coroutine() -> tuple[()]:
    return ()


@dataclass
class Loose:
    """Not frozen."""


async def turn_off(run: JobRun) -> None: ...


JOB = Job(name="night", function=turn_off, doc="Turns off the light.", public=True)
NO_MODULE = types.ModuleType("ward")

WRONG: dict[str, tuple[Callable[[], Source], str]] = {
    "an import error": (
        lambda: source_that(imported("no_such_module_here")),
        "ModuleNotFoundError: No module named 'no_such_module_here'",
    ),
    "an import that raises": (lambda: source_that(raising(RuntimeError("boom"))), "RuntimeError: boom"),
    "an import that exits": (lambda: source_that(raising(SystemExit(1))), "SystemExit: 1"),
    "an import that hangs": (lambda: source_that(hanging), "its import took longer than 0.8 s"),
    "no manifest": (lambda: from_module(NO_MODULE, name="ward"), "has no manifest() that returns a Manifest"),
    "a manifest that is none": (
        lambda: saying(lambda: {"name": "ward"}),
        "has no manifest() that returns a Manifest",
    ),
    "a manifest that raises": (
        lambda: saying(raising(ValueError("boom"))),
        "manifest() raised ValueError: boom",
    ),
    "a manifest that exits": (lambda: saying(raising(SystemExit(2))), "manifest() raised SystemExit: 2"),
    "a manifest that hangs": (lambda: saying(hanging), "manifest() took longer than 0.2 s"),
    "a manifest that loops": (lambda: saying(looping), "manifest() took longer than 0.2 s"),
    "a manifest that swallows exceptions": (
        lambda: saying(stubborn),
        "manifest() took longer than 0.2 s",
    ),
    "a manifest with a fact that can't be right": (
        lambda: saying(lambda: facts("ward", api="one")),
        "manifest() raised ValueError: api 'one' is not a version range like '>=1.0,<2'",
    ),
    "another name than its entry point": (
        lambda: plugin("ward", facts("wards")),
        "its manifest calls it 'wards', its entry point 'ward'",
    ),
    "an api range that is over": (
        lambda: plugin("ward", facts("ward", api="<1")),
        "works with plugin API <1, this is 1.0",
    ),
    "an api range to come": (
        lambda: plugin("ward", facts("ward", api=">=2")),
        "works with plugin API >=2, this is 1.0",
    ),
    "a missing requirement": (
        lambda: plugin("ward", facts("ward", requires=("beds",))),
        "requires beds, which is not active",
    ),
    "a permission of somebody else's": (
        lambda: plugin("ward", facts("ward", permissions=(Permission(key="chat.read", doc="Read."),))),
        "permission 'chat.read' does not start with 'ward.'",
    ),
    "settings that are not frozen": (
        lambda: plugin("ward", facts("ward", settings=Loose)),
        "the settings are not a frozen dataclass",
    ),
    "an unknown hook": (lambda: plugin("ward", job=lambda: ()), "implements unknown hooks: job"),
    "a hook of a plugin that is not there": (
        lambda: plugin("ward", graphql=lambda: None),
        "implements unknown hooks: graphql",
    ),
    "a hook with a wrong signature": (
        lambda: plugin("ward", jobs=lambda database: ()),
        "hook jobs asks for database; it is called with platform",
    ),
    "a hook that is a coroutine": (
        lambda: plugin("ward", jobs=coroutine),
        "hook jobs is a coroutine; hooks are synchronous",
    ),
    "hookspecs that are no class": (
        lambda: plugin("ward", hookspecs=lambda: "jobs"),
        "hookspecs() returned str, not a class",
    ),
    "hooks that raise": (
        lambda: plugin("ward", hookspecs=raising(KeyError("boom"))),
        "hookspecs() raised KeyError: 'boom'",
    ),
    "hooks that are core's already": (
        lambda: plugin("ward", hookspecs=lambda: CoreHooks),
        "ValueError: Hook 'hookspecs' is already registered within namespace "
        "<class 'bedside_core.hookspecs.CoreHooks'>",
    ),
}


@pytest.mark.promise("P1")
@pytest.mark.hook("manifest")
@pytest.mark.parametrize("wrong", WRONG)
def test_a_plugin_is_disabled_by_name_and_reason_for(wrong: str) -> None:
    made, reason = WRONG[wrong]
    plugins = loaded(plugin("garden"), made())
    assert reasons(plugins) == {"ward": reason}
    assert plugins.active("garden")
    [report] = [report for report in plugins.report() if report.name == "ward"]
    assert report.status is Status.FAILED


ANSWERED_WRONGLY: dict[str, tuple[Callable[..., Any], str]] = {
    "raises": (raising(RuntimeError("boom")), "jobs() raised RuntimeError: boom"),
    "exits": (raising(SystemExit(4)), "jobs() raised SystemExit: 4"),
    "hangs": (hanging, "jobs() took longer than 0.2 s"),
    "loops": (looping, "jobs() took longer than 0.2 s"),
    "swallows exceptions": (stubborn, "jobs() took longer than 0.2 s"),
    "returns a number": (lambda: 7, "jobs() returned int, not several of Job"),
    "returns other things": (lambda: ["a job"], "jobs() returned a str among its Jobs"),
    "explodes when it is read": (lambda: Exploding(), "jobs() raised SystemExit: 3"),
    "returns numbers without end": (lambda: itertools.count(), "jobs() returned a int among its Jobs"),
    "returns jobs without end": (lambda: itertools.repeat(JOB), "jobs() took longer than 0.2 s"),
    "declares what can't be": (
        lambda: [Job(name="Night", function=coroutine, doc="", public=True)],  # pyright: ignore[reportArgumentType]
        "jobs() raised ValueError: job 'Night': the name is not lower case letters, digits and underscores",
    ),
}


@pytest.mark.promise("P1")
@pytest.mark.parametrize("wrong", ANSWERED_WRONGLY)
def test_a_hook_disables_its_plugin_alone_when_it(wrong: str) -> None:
    hook, reason = ANSWERED_WRONGLY[wrong]
    plugins = loaded(plugin("garden", jobs=lambda: ()), plugin("ward", jobs=hook), plugin("yard", jobs=lambda: ()))
    assert dict(plugins.collect("jobs", listing(Job, "jobs"), platform=None)) == {"garden": [], "yard": []}
    assert reasons(plugins) == {"ward": reason}


def test_a_generator_is_several_things_and_its_body_runs_under_the_timer() -> None:
    def good() -> Iterator[Job]:
        yield JOB

    def bad() -> Iterator[Job]:
        yield JOB
        looping()

    plugins = loaded(plugin("garden", jobs=good), plugin("ward", jobs=bad))
    assert dict(plugins.collect("jobs", listing(Job, "jobs"), platform=None)) == {"garden": [JOB]}
    assert reasons(plugins) == {"ward": "jobs() took longer than 0.2 s"}


def test_ctrl_c_ends_the_start_and_is_no_fault_of_a_plugin() -> None:
    with pytest.raises(KeyboardInterrupt):
        loaded(saying(raising(KeyboardInterrupt())))


@pytest.mark.parametrize("wrong", ["an import error", "a manifest that raises", "an unknown hook"])
def test_a_strict_start_is_refused_by_name_and_reason(wrong: str) -> None:
    made, reason = WRONG[wrong]
    with pytest.raises(PluginError) as refused:
        loaded(made(), strict=True)
    assert str(refused.value) == f"plugin ward: {reason}"


def test_a_strict_start_is_refused_for_what_a_hook_raises() -> None:
    plugins = loaded(plugin("ward", jobs=raising(RuntimeError("boom"))), strict=True)
    with pytest.raises(PluginError, match=r"^plugin ward: jobs\(\) raised RuntimeError: boom$"):
        plugins.collect("jobs", kept, platform=None)


# -- requirements and order ------------------------------------------------------------------------------------------


def test_each_plugin_comes_after_what_it_names() -> None:
    plugins = loaded(
        plugin("roof", facts("roof", requires=("wall",))),
        plugin("paint", facts("paint", after=("roof", "wall", "scaffold"))),
        plugin("wall", facts("wall", requires=("ground",))),
        plugin("ground"),
    )
    assert list(plugins.manifests) == ["ground", "wall", "roof", "paint"]
    assert reasons(plugins) == {}


def test_with_a_plugin_fall_those_that_require_it() -> None:
    plugins = loaded(
        plugin("roof", facts("roof", requires=("wall",))),
        plugin("wall", facts("wall", requires=("ground",))),
        plugin("paint", facts("paint", after=("roof",))),
    )
    assert reasons(plugins) == {
        "wall": "requires ground, which is not active",
        "roof": "requires wall, which failed",
    }
    assert list(plugins.manifests) == ["paint"]


def test_what_a_failed_plugin_had_contributed_is_dropped_with_that_of_its_dependents() -> None:
    plugins = loaded(
        plugin("ground", jobs=lambda: (), services=raising(RuntimeError("boom"))),
        plugin("wall", facts("wall", requires=("ground",)), jobs=lambda: ()),
        plugin("garden", jobs=lambda: ()),
    )
    assert list(plugins.collect("jobs", kept, platform=None)) == ["ground", "wall", "garden"]
    plugins.collect("services", kept, platform=None)
    assert list(plugins.collected("jobs")) == ["garden"]
    assert plugins.packages() == {"garden": "garden"}
    assert reasons(plugins) == {
        "ground": "services() raised RuntimeError: boom",
        "wall": "requires ground, which failed",
    }


def test_plugins_that_wait_for_each_other_are_disabled_with_the_circle() -> None:
    plugins = loaded(
        plugin("hen", facts("hen", requires=("egg",))), plugin("egg", facts("egg", requires=("hen",))), plugin("garden")
    )
    assert list(plugins.manifests) == ["garden"]
    assert reasons(plugins) == {"hen": "waits for itself: hen -> egg -> hen", "egg": "requires hen, which failed"}


def test_two_plugins_with_one_feature_are_named_both() -> None:
    feature = Feature(key="tea", title="Tea", doc="A cup of tea.")
    plugins = loaded(
        plugin("ward", facts("ward", features=(feature,))), plugin("cafe", facts("cafe", features=(feature,)))
    )
    assert reasons(plugins) == {"cafe": "cafe and ward both declare the feature tea"}


# -- what is installed and enabled -----------------------------------------------------------------------------------


def test_installed_is_not_enabled() -> None:
    plugins = loaded(plugin("garden"), source_that(raising(AssertionError("imported"))), enabled=("garden",))
    why = "not named in BEDSIDE_PLUGINS"
    assert plugins.report() == [
        PluginReport(name="garden", title="garden", version="0", status=Status.ACTIVE, reason=None, outline=None),
        PluginReport(name="ward", title="ward", version="1.2", status=Status.DISABLED, reason=why, outline=why),
    ]


def test_a_plugin_that_is_enabled_and_not_installed_has_failed() -> None:
    plugins = loaded(plugin("garden"), enabled=("garden", "ward"))
    assert reasons(plugins) == {"ward": "enabled, but not installed"}


@dataclass(frozen=True)
class Point:
    """An entry point."""

    name: str
    module: str
    dist: Any

    def load(self) -> object:
        return self.module


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_our_own_plugin_wins_a_contested_name(order: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    points = (
        Point("chat", "bedside_chat.plugin", types.SimpleNamespace(name="bedside", version="0.1")),
        Point("chat", "usurper.plugin", types.SimpleNamespace(name="usurper", version="9")),
    )
    monkeypatch.setattr(loader, "entry_points", lambda group: [points[number] for number in order])
    found = loader.installed()
    assert (found["chat"].package, found["chat"].version) == ("bedside_chat", "0.1")


def test_the_partners_plugin_is_found_by_its_entry_point() -> None:
    found = loader.installed()["vitals"]
    assert (found.package, found.version) == ("bedside_vitals", "0.1.0")
    assert found.load().__name__ == "bedside_vitals.plugin"  # pyright: ignore[reportAttributeAccessIssue]


# -- hooks that plugins publish --------------------------------------------------------------------------------------


class Menus:
    """A plugin's own hooks."""

    @hookspec
    def dishes(self, platform: Any) -> list[str]:
        """Return what you cook."""
        return []


@pytest.mark.hook("hookspecs")
def test_a_plugin_publishes_hooks_that_others_implement() -> None:
    plugins = loaded(
        plugin("ward", dishes=lambda platform: [f"soup for {platform}"]),
        plugin("cafe", dishes=lambda: ["cake"]),
        plugin("kitchen", hookspecs=lambda: Menus),
        plugin("garden", dishes=lambda guests: ["salad"]),
    )
    assert dict(plugins.collect("dishes", kept, platform="two")) == {"ward": ["soup for two"], "cafe": ["cake"]}
    assert reasons(plugins) == {"garden": "hook dishes asks for guests; it is called with platform"}


def test_a_hook_that_returns_nothing_contributes_nothing() -> None:
    plugins = loaded(plugin("kitchen", hookspecs=lambda: None), plugin("ward", jobs=lambda: None))
    assert dict(plugins.collect("jobs", listing(Job, "jobs"), platform=None)) == {}
    assert reasons(plugins) == {}


def test_two_loaders_in_one_process_do_not_know_of_each_other() -> None:
    shared = plugin("ward", jobs=lambda: ())
    one, other = loaded(shared), loaded(shared, plugin("kitchen", hookspecs=lambda: Menus))
    one.fail("ward", "for a test")
    assert not one.active("ward")
    assert other.active("ward")


def test_a_manifest_is_a_value() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        facts("ward").name = "other"  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ValueError, match="is not 2 to 31 lower case letters"):
        facts("Ward")
    with pytest.raises(ValueError, match="can't require itself"):
        facts("ward", requires=("ward",))


def test_what_is_collected_comes_in_plugin_order() -> None:
    order: Mapping[str, Any] = loaded(
        plugin("roof", facts("roof", requires=("wall",)), jobs=lambda: "roof"), plugin("wall", jobs=lambda: "wall")
    ).collect("jobs", kept, platform=None)
    assert list(order.values()) == ["wall", "roof"]
