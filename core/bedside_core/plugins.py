"""Finds plugins, checks them, collects what their hooks return, and disables each one that fails, by name and reason.

A fault stays its plugin's own: an import error, a wrong signature, an unknown hook, a wrong api range, a missing
requirement, a hook that raises, hangs or returns nonsense disables that plugin and those that require it. What it had
contributed until then is dropped, and everything else serves.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any, TypeVar, cast

import pluggy
import structlog

from bedside_core.guard import HookTimeout, bounded
from bedside_core.hookspecs import PROJECT, CoreHooks
from bedside_core.manifest import PLUGIN_API, Manifest
from bedside_core.settings import faults_of

log = structlog.get_logger("bedside.plugins")

GROUP = "bedside"
"""The entry-point group in which first-party plugins and partners' register alike."""

T = TypeVar("T")


class Status(StrEnum):
    """How a plugin fares."""

    ACTIVE = "ACTIVE"
    DISABLED = "DISABLED"
    FAILED = "FAILED"


class PluginError(Exception):
    """A plugin's fault, in words for its author and the operator.

    Args:
        reason: the fault in our words, which anybody may read.
        said: what foreign code said of it. That may name hosts, statements or credentials.
    """

    def __init__(self, reason: str, said: str | None = None) -> None:
        super().__init__(reason if said is None else f"{reason}: {said}")
        self.reason = reason
        self.said = said


@dataclass(frozen=True, kw_only=True)
class PluginReport:
    """One line of `bedside plugins`: how a plugin fares and, if it does not, why."""

    name: str
    title: str
    version: str
    status: Status
    reason: str | None
    outline: str | None
    """The reason without what foreign code said, for anybody to read."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a plugin comes from: its entry point's name, how to import it, and its distribution's version."""

    name: str
    load: Callable[[], object]
    package: str
    version: str


def installed() -> dict[str, Source]:
    """Return the installed plugins by name, from the entry-point group `bedside`; our own win a contested name."""
    found: dict[str, Source] = {}
    ours: set[str] = set()
    for point in entry_points(group=GROUP):
        distribution = point.dist.name if point.dist else ""
        if point.name in found and (point.name in ours or distribution != "bedside"):
            log.error("two distributions offer the same plugin", plugin=point.name, ignored=distribution)
            continue
        version = point.dist.version if point.dist else "0"
        found[point.name] = Source(
            name=point.name, load=point.load, package=point.module.split(".")[0], version=version
        )
        if distribution == "bedside":
            ours.add(point.name)
    return found


class Plugins:
    """The plugins of one platform.

    Args:
        enabled: names out of `BEDSIDE_PLUGINS`; installed is not enabled.
        hook_seconds: longest time a hook may take.
        strict: raise at the first fault instead of disabling (tests and CI).
        sources: where plugins come from; by default what is installed.
    """

    def __init__(
        self,
        enabled: Sequence[str],
        *,
        hook_seconds: float = 5.0,
        strict: bool = False,
        sources: Mapping[str, Source] | None = None,
    ) -> None:
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(CoreHooks)
        self._seconds = hook_seconds
        self._strict = strict
        self._sources = dict(installed() if sources is None else sources)
        self._implemented: dict[str, Mapping[str, Callable[..., Any]]] = {}
        self._reasons: dict[str, PluginError] = {}
        self._titles: dict[str, str] = {}
        self._collected: dict[str, dict[str, Any]] = {}
        self.manifests: dict[str, Manifest] = {}
        """Manifests of the active plugins, in the order in which they are called."""
        for name in dict.fromkeys(enabled):
            self._attempt(name, lambda name=name: self._admit(name))
        self._arrange()
        for name in list(self.manifests):
            self._attempt(name, lambda name=name: self._publish(name))
        for name in list(self.manifests):
            self._attempt(name, lambda name=name: self._check_hooks(name))

    # -- what others ask ------------------------------------------------------------------------------------------

    def collect(self, hook: str, accept: Callable[[str, Any], T], **arguments: Any) -> Mapping[str, T]:
        """Call a hook of each active plugin, in order, and keep what it returns.

        Args:
            hook: the hook's name.
            accept: given plugin name and returned value; returns what is kept or raises PluginError.
            arguments: what the hook is called with.

        Returns:
            Plugin name -> what `accept` returned, of the plugins that are still active.
        """
        kept = self._collected.setdefault(hook, {})
        for name in list(self.manifests):
            if name in self.manifests and self._implements(name, hook):

                def call(name: str = name) -> None:
                    value = self._call(name, hook, **arguments)
                    if value is not None:  # a generator runs its body in accept
                        kept[name] = self._limited(hook, lambda: accept(name, value))

                self._attempt(name, call)
        return self.collected(hook)

    def collected(self, hook: str) -> Mapping[str, Any]:
        """Return what `collect` kept, of the plugins that are active now, in plugin order."""
        kept = self._collected.get(hook, {})
        return {name: kept[name] for name in self.manifests if name in kept}

    def fail(self, name: str, reason: str, said: str | None = None) -> None:
        """Disable a plugin, with the ones that require it.

        Args:
            name: the plugin's.
            reason: why, in our words; anybody is told that.
            said: what foreign code said of it, for the author and the operator alone.

        Raises:
            PluginError: instead, where strict.
        """
        if self._strict:
            raise PluginError(f"plugin {name}: {reason}", said)
        if self._manager.has_plugin(name):
            self._manager.unregister(name=name)
        self.manifests.pop(name, None)
        self._reasons[name] = fault = PluginError(reason, said)
        log.error("plugin disabled", plugin=name, reason=str(fault))
        for other, manifest in list(self.manifests.items()):
            if name in manifest.requires:
                self.fail(other, f"requires {name}, which failed")

    def active(self, name: str) -> bool:
        """Tell whether a plugin is active."""
        return name in self.manifests

    def packages(self) -> Mapping[str, str]:
        """Return top-level package -> plugin name, by which running code is attributed."""
        return {self._sources[name].package: name for name in self.manifests}

    def report(self) -> list[PluginReport]:
        """Return how each installed or enabled plugin fares: the active ones first, in order."""
        names = [
            *self.manifests,
            *self._reasons,
            *sorted(set(self._sources) - set(self.manifests) - set(self._reasons)),
        ]
        return [self._reported(name) for name in names]

    def _reported(self, name: str) -> PluginReport:
        fault = self._reasons.get(name)
        if fault is None and name not in self.manifests:
            fault = PluginError("not named in BEDSIDE_PLUGINS")
        return PluginReport(
            name=name,
            title=self.manifests[name].title if name in self.manifests else self._titles.get(name, name),
            version=self._sources[name].version if name in self._sources else "",
            status=self._status(name),
            reason=str(fault) if fault else None,
            outline=fault.reason if fault else None,
        )

    def _status(self, name: str) -> Status:
        if name in self.manifests:
            return Status.ACTIVE
        return Status.FAILED if name in self._reasons else Status.DISABLED

    # -- admission, in the order of __init__ ----------------------------------------------------------------------

    def _attempt(self, name: str, step: Callable[[], None]) -> None:
        """Take a step on behalf of a plugin; whatever goes wrong disables it."""
        try:
            step()
        except KeyboardInterrupt:
            raise
        except PluginError as error:
            if self._strict and str(error).startswith("plugin "):
                raise
            if error.__cause__ is not None:
                log.debug("plugin raised", plugin=name, exc_info=error.__cause__)
            self.fail(name, error.reason, error.said)
        except HookTimeout as error:  # it says what took too long
            self.fail(name, str(error))
        except BaseException as error:
            log.debug("plugin raised", plugin=name, exc_info=True)
            self.fail(name, type(error).__name__, str(error))

    def _admit(self, name: str) -> None:
        if name not in self._sources:
            raise PluginError("enabled, but not installed")
        with bounded(self._seconds * 4, "its import"):  # which may compile
            module = self._sources[name].load()
        implemented = dict(implementations(self._manager, module))
        for hook, function in implemented.items():
            spec = getattr(CoreHooks, hook, None)
            if spec is not None:
                check_signature(hook, spec, function)
        self._implemented[name] = implemented
        self._manager.register(module, name)
        manifest = self._call(name, "manifest") if self._implements(name, "manifest") else None
        if not isinstance(manifest, Manifest):
            raise PluginError("has no manifest() that returns a Manifest")
        self._titles[name] = manifest.title
        if manifest.name != name:
            raise PluginError(f"its manifest calls it {manifest.name!r}, its entry point {name!r}")
        if not manifest.fits():
            raise PluginError(f"works with plugin API {manifest.api}, this is {PLUGIN_API}")
        if manifest.settings is not None and (faults := faults_of(manifest.settings)):
            raise PluginError("; ".join(faults))
        self._check_keys(manifest)
        self.manifests[name] = manifest

    def _check_keys(self, manifest: Manifest) -> None:
        for permission in manifest.permissions:
            if not permission.key.startswith(f"{manifest.name}."):
                raise PluginError(f"permission {permission.key!r} does not start with {manifest.name + '.'!r}")
        for name, other in self.manifests.items():
            both = {item.key for item in other.features} & {item.key for item in manifest.features}
            if both:
                raise PluginError(f"{manifest.name} and {name} both declare the feature {', '.join(sorted(both))}")

    def _arrange(self) -> None:
        """Check requirements and bring the plugins into an order in which each comes after what it names."""
        for name, manifest in list(self.manifests.items()):
            missing = [other for other in manifest.requires if other not in self.manifests]
            if missing and name in self.manifests:
                self._attempt(
                    name, lambda missing=missing: _raise(f"requires {', '.join(missing)}, which is not active")
                )
        ordered: dict[str, Manifest] = {}

        def place(name: str, above: tuple[str, ...]) -> None:
            if name in ordered or name not in self.manifests:
                return
            if name in above:
                cycle = " -> ".join((*above[above.index(name) :], name))
                raise PluginError(f"waits for itself: {cycle}")
            for other in (*self.manifests[name].requires, *self.manifests[name].after):
                place(other, (*above, name))
            if name in self.manifests:
                ordered[name] = self.manifests[name]

        for name in list(self.manifests):
            self._attempt(name, lambda name=name: place(name, ()))
        self.manifests = {name: manifest for name, manifest in ordered.items() if name in self.manifests}

    def _publish(self, name: str) -> None:
        """Add the hooks that a plugin publishes, once those who implement them have been checked."""
        if not self._implements(name, "hookspecs"):
            return
        spec = self._call(name, "hookspecs")
        if not (spec is None or isinstance(spec, type)):
            raise PluginError(f"hookspecs() returned {type(spec).__name__}, not a class")
        if spec is None:
            return
        for hook, function in inspect.getmembers(spec, inspect.isfunction):
            for other in list(self.manifests):
                implemented = self._implemented[other].get(hook)
                if implemented is not None:
                    self._attempt(other, lambda h=hook, f=function, i=implemented: check_signature(h, f, i))
        self._manager.add_hookspecs(spec)

    def _check_hooks(self, name: str) -> None:
        known = {hook for hook in vars(self._manager.hook) if getattr(self._manager.hook, hook).has_spec()}
        unknown = [hook for hook in self._implemented[name] if hook not in known]
        if unknown:
            raise PluginError(f"implements unknown hooks: {', '.join(sorted(unknown))}")

    def _implements(self, name: str, hook: str) -> bool:
        return hook in self._implemented[name]

    def _call(self, name: str, hook: str, **arguments: Any) -> Any:
        others = [plugin for other, plugin in self._manager.list_name_plugin() if other != name]
        caller = self._manager.subset_hook_caller(hook, others)
        result = self._limited(hook, lambda: caller(**arguments))
        if not isinstance(result, list):
            return result  # the hook takes the first result
        results = cast("list[Any]", result)
        return results[0] if results else None

    def _limited(self, hook: str, step: Callable[[], T]) -> T:
        """Run a plugin's code on behalf of a hook, under the timer; what it raises names the hook."""
        try:
            with bounded(self._seconds, f"{hook}()"):
                return step()
        except (KeyboardInterrupt, HookTimeout, PluginError):
            raise
        except BaseException as error:
            raise PluginError(f"{hook}() raised {type(error).__name__}", str(error)) from error


def _raise(reason: str) -> None:
    raise PluginError(reason)


def implementations(manager: pluggy.PluginManager, module: object) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the hooks that a plugin implements; pluggy's own marker tells which."""
    for name in dir(module):
        if manager.parse_hookimpl_opts(module, name) is not None:
            yield name, getattr(module, name)


def check_signature(hook: str, spec: Callable[..., Any], function: Callable[..., Any]) -> None:
    """See that a hook can be called as its specification says.

    Raises:
        PluginError: it is a coroutine, or asks for something that it is not given.
    """
    allowed = set(inspect.signature(spec).parameters) - {"self"}
    if inspect.iscoroutinefunction(function):
        raise PluginError(f"hook {hook} is a coroutine; hooks are synchronous")
    wrong = [name for name in inspect.signature(function).parameters if name not in allowed | {"self"}]
    if wrong:
        raise PluginError(
            f"hook {hook} asks for {', '.join(wrong)}; it is called with {', '.join(sorted(allowed)) or 'nothing'}"
        )


def listing(kind: type[T], hook: str) -> Callable[[str, Any], Sequence[T]]:
    """Return an `accept` for hooks that return several things of one kind."""

    def accept(plugin: str, value: Any) -> Sequence[T]:
        if not isinstance(value, Iterable):
            raise PluginError(f"{hook}() returned {type(value).__name__}, not several of {kind.__name__}")
        items: list[T] = []
        for item in cast("Iterable[object]", value):  # in Python, so that the timer can end what never ends
            if not isinstance(item, kind):
                raise PluginError(f"{hook}() returned a {type(item).__name__} among its {kind.__name__}s")
            items.append(item)
        return items

    return accept


def from_module(module: ModuleType, *, name: str, version: str = "0") -> Source:
    """Return a source for a module at hand: for `bedside plugins check` and tests."""
    return Source(name=name, load=lambda: module, package=module.__name__.split(".")[0], version=version)
