"""Tells Piccolo of the ward."""

from __future__ import annotations

from pathlib import Path

from piccolo.conf.apps import AppConfig

from ward.tables import Note

APP_CONFIG = AppConfig("ward", Path(__file__).parent / "migrations", table_classes=[Note])
