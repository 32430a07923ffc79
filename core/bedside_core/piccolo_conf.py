"""What Piccolo looks up by the environment variable PICCOLO_CONF: the engine, and the apps of core and enabled plugins."""

from __future__ import annotations

import os
from collections.abc import Sequence

from piccolo.conf.apps import AppRegistry

from bedside_core.database.engine import DB

__all__ = ["APP_REGISTRY", "DB", "register_apps"]

os.environ["PICCOLO_CONF"] = __name__

APP_REGISTRY = AppRegistry(apps=[])


def register_apps(modules: Sequence[str]) -> None:
    """Make apps known to Piccolo, which finds the tables of lazy references there.

    Args:
        modules: import paths of `piccolo_app` modules.
    """
    global APP_REGISTRY
    APP_REGISTRY = AppRegistry(apps=list(modules))
