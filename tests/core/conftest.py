"""Lets the tests of core find the small Piccolo apps in `apps/`, which stand in for core's own and a plugin's."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent / "apps"))
