"""The actions that chat knows, and who may do them."""

from __future__ import annotations

from bedside_chat.kinds import TEAM_CHAT
from bedside_chat.rules import (
    may_export,
    may_follow,
    may_send_files,
    may_send_text,
    may_start_with,
    may_start_with_contact,
    may_start_with_patient,
    may_start_with_practitioner,
    may_take_part,
)
from bedside_core.api import EVERYONE, GUESTS, LEADERS, PATIENTS, Permission

ALL = EVERYONE | PATIENTS | GUESTS
"""Whoever can take part: guests in the one conversation that their link leads to (C6)."""

PERMISSIONS = (
    Permission(
        key="chat.read", doc="Read one's conversations, whatever the plan (L5).", roles=ALL, check=may_take_part
    ),
    Permission(key="chat.search", doc="Search one's messages.", roles=EVERYONE | PATIENTS, check=may_take_part),
    Permission(key="chat.follow", doc="Follow one's conversations live.", roles=ALL, check=may_follow),
    Permission(key="chat.send", doc="Write in one's conversations.", roles=ALL, check=may_send_text),
    Permission(key="chat.share_files", doc="Share files in one's conversations.", roles=ALL, check=may_send_files),
    Permission(
        key="chat.export",
        doc="Export one's conversations, and as an owner the practice's.",
        roles=EVERYONE | PATIENTS,
        check=may_export,
    ),
    Permission(key="chat.leave", doc="Leave a conversation.", roles=ALL, check=may_take_part),
    Permission(key="chat.delete", doc="Delete messages that one wrote, for good.", roles=ALL),
    Permission(key="chat.moderate", doc="Delete messages of others, and remove people.", roles=LEADERS),
    Permission(key="chat.start", doc="Start a conversation with a member.", feature=TEAM_CHAT, check=may_start_with),
    Permission(
        key="chat.start_with_patient",
        doc="Start a conversation with a patient.",
        check=may_start_with_patient,
    ),
    Permission(
        key="chat.start_with_contact",
        doc="Start a conversation with a contact.",
        check=may_start_with_contact,
    ),
    Permission(
        key="chat.start_with_practitioner",
        doc="Start a conversation with a practitioner, as a patient.",
        roles=PATIENTS,
        check=may_start_with_practitioner,
    ),
    Permission(key="chat.open_team", doc="Open the conversation of the whole team.", feature=TEAM_CHAT),
    Permission(key="chat.create_group", doc="Create a group.", feature=TEAM_CHAT),
    Permission(key="chat.find_groups", doc="Find the practice's groups.", feature=TEAM_CHAT),
    Permission(key="chat.join_group", doc="Join a group of the practice.", feature=TEAM_CHAT),
    Permission(
        key="chat.send_link", doc="Send somebody without an account the link to a conversation.", check=may_follow
    ),
    Permission(key="chat.revoke_link", doc="Call such a link off.", check=may_take_part),
    Permission(key="chat.own_quick_texts", doc="Use quick texts, and keep one's own."),
    Permission(key="chat.quick_texts", doc="Keep the practice's quick texts.", roles=LEADERS),
    Permission(key="chat.add_people", doc="Add people to a conversation, and change groups.", check=may_follow),
    Permission(key="chat.remove_people", doc="Remove people from a conversation.", check=may_take_part),
)
"""Contributed by the manifest."""
