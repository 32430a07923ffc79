"""Tells Piccolo of the rounds."""

from __future__ import annotations

from pathlib import Path

from piccolo.conf.apps import AppConfig

APP_CONFIG = AppConfig("rounds", Path(__file__).parent / "migrations")
