"""The inbox of a person: which things that concern them have changed, and in which order; never what changed.

A change of a thing takes a new position in the inbox of each person whom it concerns, in its own transaction. There is
one row for each thing, with the position of its last change: who comes back after a break is told of each thing once,
and loads it as it is then. What has not changed for `KEPT` leaves, and who was away for longer is told to reload.
"""

from bedside_core.inbox.following import Gap, Happened, Item, Items, Opened, PracticeMoved
from bedside_core.inbox.jobs import JOBS, KEPT
from bedside_core.inbox.service import INBOX_STREAM, PERMISSIONS, Inbox

__all__ = [
    "INBOX_STREAM",
    "JOBS",
    "KEPT",
    "PERMISSIONS",
    "Gap",
    "Happened",
    "Inbox",
    "Item",
    "Items",
    "Opened",
    "PracticeMoved",
]
