"""Chat's settings."""

from __future__ import annotations

from dataclasses import dataclass

from bedside_core.api import setting


@dataclass(frozen=True)
class ChatSettings:
    """How a practice chats."""

    longest_message: int = setting(10_000, "Most characters of one message; 1 to 10,000.", least=1, most=10_000)
