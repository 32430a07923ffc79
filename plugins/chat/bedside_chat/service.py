"""Chat's service: all its verbs, from reading to deleting.

With `records`, `auto_replies` and `quick_texts` it is the only writer of chat's tables.
"""

from __future__ import annotations

from bedside_chat.deleting import Deleting


class ChatService(Deleting):
    """Provides `Chats`: reads, starts, joins, sends, marks and deletes, each in a module of its own."""
