"""Keeps a wheel or source distribution from being built without the client bundle, which git ignores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLE = "core/bedside_core/web"


class ClientBundleHook(BuildHookInterface[Any]):
    """Asks for the bundle in everything but an editable install, which serves whatever `make` built last."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Refuse to build, with what to do, where the bundle is missing."""
        bundle = Path(self.root, BUNDLE)
        if version != "editable" and not any(path.is_file() for path in bundle.rglob("*")):
            raise RuntimeError(f"{BUNDLE} is empty: the client bundle is packed in, so run `make build`")
