"""Chat's settings."""

from __future__ import annotations

from dataclasses import dataclass

from bedside_core.api import Scope, setting


@dataclass(frozen=True)
class ChatSettings:
    """How a practice chats."""

    longest_message: int = setting(10_000, "Most characters of one message; 1 to 10,000.", least=1, most=10_000)
    patients_in_portal: bool = setting(
        False, "Chat for your patients available in Patient Portal: they can write, and be written to, there (C3)."
    )
    outsiders_in_groups: bool = setting(
        False, "Whether groups may have contacts, and members of connected practices, in them (C7)."
    )
    patients_delete: bool = setting(
        False, "Whether patients, and guests who came by a link, may delete what they wrote (C11)."
    )
    presence_for_patients: bool = setting(
        False,
        "Whether patients, and guests who came by a link, see which members are there and who is typing (C14).",
    )
    available_for_patients: bool = setting(
        True,
        "Available for Chat with Patients: off, patients can't start a conversation with this practitioner; "
        "conversations that there are go on (C4).",
        scopes=(Scope.MEMBER,),
    )
