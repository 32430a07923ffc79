"""The actions that telehealth knows, and who may do them."""

from __future__ import annotations

from bedside_core.api import EVERYONE, GUESTS, LEADERS, PATIENTS, Permission
from bedside_telehealth.rules import TELEHEALTH, may_chair, may_host, may_join, may_see, may_set

ALL = EVERYONE | PATIENTS | GUESTS

PERMISSIONS = (
    Permission(
        key="telehealth.host",
        doc="Create sessions, as who may host video (T1).",
        feature=TELEHEALTH,
        check=may_host,
    ),
    Permission(
        key="telehealth.read",
        doc="See the sessions that one takes part in, and follow them live, whatever the plan (L5).",
        roles=ALL,
        check=may_see,
    ),
    # No feature: what runs may finish after a downgrade (L4); who comes to it is asked for the owning practice's plan.
    Permission(key="telehealth.join", doc="Join sessions, and leave them.", roles=ALL, check=may_join),
    Permission(
        key="telehealth.chair",
        doc="Chair a session: its settings, people and roles, who is admitted, and its end (T9).",
        check=may_chair,
    ),
    Permission(
        key="telehealth.waiting_rooms",
        doc="Say whether patients and guests of other members' sessions wait to be admitted (T15).",
        roles=LEADERS,
        check=may_set,
    ),
)
"""Contributed by the manifest."""

GUEST_SCOPES = ("telehealth.read", "telehealth.join")
"""All that who came by a guest link may do, and in that session alone (A6)."""
