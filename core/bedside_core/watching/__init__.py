"""What an operator's monitoring is told: figures for Prometheus, and traces. Neither names a person or a practice."""

from __future__ import annotations

from bedside_core.watching.figures import Figures
from bedside_core.watching.tracing import span, tracing

__all__ = ["Figures", "span", "tracing"]
