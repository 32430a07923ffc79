"""The kinds of conversation, and how they differ, as data (C1, L2, L9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

TEAM_CHAT = "team_chat"
PATIENT_MESSAGES = "patient_messages"
FILE_SHARE = "file_share"


class ConversationKind(StrEnum):
    """The kinds of conversation (C1)."""

    DIRECT = "direct"
    """Two members, of one practice or of connected ones."""
    EXTERNAL = "external"
    """A member and a contact."""
    PATIENT = "patient"
    """Members and a patient."""
    GROUP = "group"
    """Named; members, and outsiders where the practice allows them."""
    TEAM = "team"
    """All members of a practice; each practice has one."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """What holds for the conversations of one kind.

    Args:
        text: the feature that text needs (L2).
        files: the feature that files need (L2).
        comes_back: whether a new message brings it back to those who left it (C9).
        members_join: whether members can be added to it.
        about_somebody: whether it is with somebody outside, whom the last member's leaving would leave alone (C9).
    """

    text: str
    files: str
    comes_back: bool
    members_join: bool
    about_somebody: bool = False

    @property
    def features(self) -> frozenset[str]:
        """The features of which one is enough to follow it live."""
        return frozenset({self.text, self.files})


WAYS: Mapping[ConversationKind, Way] = {
    ConversationKind.DIRECT: Way(text=TEAM_CHAT, files=TEAM_CHAT, comes_back=True, members_join=False),
    ConversationKind.EXTERNAL: Way(
        text=PATIENT_MESSAGES, files=FILE_SHARE, comes_back=True, members_join=True, about_somebody=True
    ),
    ConversationKind.PATIENT: Way(
        text=PATIENT_MESSAGES, files=FILE_SHARE, comes_back=True, members_join=True, about_somebody=True
    ),
    ConversationKind.GROUP: Way(text=TEAM_CHAT, files=TEAM_CHAT, comes_back=False, members_join=True),
    ConversationKind.TEAM: Way(text=TEAM_CHAT, files=TEAM_CHAT, comes_back=False, members_join=False),
}
"""A conversation with outsiders in it stays behind its kind's gate: adding one lifts nothing (L9)."""


def only_key(one: UUID, other: UUID) -> str:
    """Return the key of the only conversation of two people."""
    return "/".join(sorted((str(one), str(other))))
