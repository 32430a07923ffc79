"""The actions that scheduling knows, and who may do them."""

from __future__ import annotations

from bedside_core.api import EVERYONE, LEADERS, PATIENTS, Permission
from bedside_scheduling.rules import SCHEDULING, may_book, may_keep, may_see
from bedside_scheduling.standing import may_cancel, may_move, may_read

SELF_SCHEDULING = "self_scheduling"
"""The feature of patients who book by themselves (S4)."""

PERMISSIONS = (
    Permission(
        key="scheduling.read",
        doc="See the practice's appointments, as a patient one's own, whatever the plan (L5).",
        roles=EVERYONE | PATIENTS,
        check=may_read,
    ),
    Permission(key="scheduling.follow", doc="Follow the practice's schedule live.", roles=EVERYONE, feature=SCHEDULING),
    # For both, since both do it by the same fields; what patients may of it, `scheduling.self_schedule` tells besides.
    Permission(
        key="scheduling.book",
        doc="Hold, book and move appointments, and wait for a time; as a patient one's own (S4, S7).",
        roles=EVERYONE | PATIENTS,
        feature=SCHEDULING,
        check=may_move,
    ),
    Permission(
        key="scheduling.keep",
        doc="Convert appointments, and keep series and group appointments.",
        roles=EVERYONE,
        feature=SCHEDULING,
    ),
    Permission(
        key="scheduling.cancel",
        doc="Cancel appointments, as a patient one's own, whatever the plan (L5, S7).",
        roles=EVERYONE | PATIENTS,
        check=may_cancel,
    ),
    Permission(
        key="scheduling.record_visit",
        doc="Record that a patient came, that a visit began or ended, or that nobody came.",
        roles=EVERYONE,
        feature=SCHEDULING,
    ),
    Permission(
        key="scheduling.find_slots",
        doc="See the free slots, as a patient those open to self-scheduling (S4).",
        roles=EVERYONE | PATIENTS,
        feature=SCHEDULING,
    ),
    Permission(
        key="scheduling.self_schedule",
        doc="Book and move one's own appointments, and wait for a slot, without asking the practice (S4, S7).",
        roles=PATIENTS,
        feature=SELF_SCHEDULING,
        check=may_book,
    ),
    Permission(
        key="scheduling.see_availability",
        doc="See the sections and closures of the practice's people, whatever the plan (L5).",
        roles=EVERYONE,
        check=may_see,
    ),
    Permission(
        key="scheduling.availability",
        doc="Keep one's own sections and closures; owners, managers and staff those of others, too (S3).",
        roles=EVERYONE,
        feature=SCHEDULING,
        check=may_keep,
    ),
    Permission(
        key="scheduling.types",
        doc="Keep the types of appointments, and close the whole practice.",
        roles=LEADERS,
        feature=SCHEDULING,
    ),
    Permission(
        key="scheduling.make_feed",
        doc="Make calendar feeds of one's own (S8).",
        roles=EVERYONE | PATIENTS,
        feature=SCHEDULING,
    ),
    Permission(
        key="scheduling.feeds",
        doc="See the calendar feeds that one has, and revoke them, whatever the plan (S8, L5).",
        roles=EVERYONE | PATIENTS,
    ),
    Permission(key="scheduling.figures", doc="See figures on visits.", roles=EVERYONE, feature=SCHEDULING),
)
"""Contributed by the manifest."""
