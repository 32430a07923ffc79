"""What a plugin says of itself before anything of it runs: static facts only."""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from bedside_core.access import Feature, Permission
from bedside_core.files.facts import FileOwner
from bedside_core.notify.kinds import NotificationKind
from bedside_core.records.declared import DataContribution
from bedside_core.timeline import TimelinePart
from bedside_core.webhooks.declared import PublicEvent

PLUGIN_API = Version("1.0")
"""Version of the plugin contract, apart from the product's: minor grows by addition, major removes."""

_NAME = re.compile(r"[a-z][a-z0-9_]{1,30}")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A plugin's static facts; behaviour is in its hooks.

    Args:
        name: short name, equal to its entry point: lower case letters, digits, underscores.
        title: what people read in lists of plugins.
        api: range of plugin API versions it works with, as a PEP 440 specifier (`">=1.0,<2"`).
        requires: names of plugins without which it can't run; it is disabled with them.
        after: names of plugins that come first if they are there.
        features: what a plan can switch on and off (L1).
        permissions: the actions it knows, with the roles that may do them.
        file_owners: the kinds of things that files are attached to, with the rules about them.
        settings: its frozen dataclass of settings, fields made by `setting()`.
        piccolo_app: dotted name of its Piccolo app module, where it has tables.
        data: what it keeps of practices and patients, with which it is exported and merged.
        public_events: the events that webhooks may be told of, ids only (G6).
        notifications: the kinds of notifications it sends; their keys begin with its name.
        timeline: what it contributes to patients' timelines (P9).
        kept_tables: its tables that a reset of the sandbox leaves: settings and the like (G8).
        assets: folder of built client files inside its package.

    Raises:
        ValueError: a fact that can't be right, in words for the plugin's author.
    """

    name: str
    title: str
    api: str
    requires: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    features: tuple[Feature, ...] = ()
    permissions: tuple[Permission, ...] = ()
    file_owners: tuple[FileOwner, ...] = ()
    settings: type | None = None
    piccolo_app: str | None = None
    data: DataContribution | None = None
    public_events: tuple[PublicEvent, ...] = ()
    notifications: tuple[NotificationKind, ...] = ()
    timeline: tuple[TimelinePart, ...] = ()
    kept_tables: tuple[str, ...] = ()
    assets: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"name {self.name!r} is not 2 to 31 lower case letters, digits or underscores")
        try:
            SpecifierSet(self.api)
        except InvalidSpecifier as error:
            raise ValueError(f"api {self.api!r} is not a version range like '>=1.0,<2'") from error
        if self.name in self.requires or self.name in self.after:
            raise ValueError("a plugin can't require itself or come after itself")
        for kind in self.notifications:
            if not kind.key.startswith(f"{self.name}."):
                raise ValueError(f"notification {kind.key!r}: the key does not begin with {self.name!r}")
        for key in (key for part in self.timeline for key in part.kinds):
            if not key.startswith(f"{self.name}."):
                raise ValueError(f"timeline {key!r}: the kind does not begin with {self.name!r}")
        if len({kind.key for kind in self.notifications}) < len(self.notifications):
            raise ValueError("two notifications have the same key")

    def fits(self, version: Version = PLUGIN_API) -> bool:
        """Tell whether the plugin works with this version of the plugin API."""
        return version in SpecifierSet(self.api)
