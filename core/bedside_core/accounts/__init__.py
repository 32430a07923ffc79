"""How people come to an account and back into it, and what they set for themselves."""

from __future__ import annotations

from bedside_core.accounts.joining import Joiner
from bedside_core.accounts.links import Link, LinkOver, Links, LinkState

__all__ = ["Joiner", "Link", "LinkOver", "LinkState", "Links"]
