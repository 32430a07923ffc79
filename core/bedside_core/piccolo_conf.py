"""What Piccolo looks up by the environment variable PICCOLO_CONF: the engine, and the apps in use."""

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
    known = AppRegistry(apps=list(modules))
    APP_REGISTRY.apps, APP_REGISTRY.app_configs = known.apps, known.app_configs
