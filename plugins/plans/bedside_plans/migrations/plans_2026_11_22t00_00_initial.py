"""Plans with their overrides, add-ons and limits."""

from __future__ import annotations

from bedside_core.api import definer_function, practice_table, sql_migration

ID = "plans_2026_11_22t00_00"
VERSION = "1.38.0"
DESCRIPTION = "Plans with their overrides, add-ons and limits."

TABLES = """
CREATE TABLE plan (
    practice_id uuid PRIMARY KEY REFERENCES practice,
    tier text NOT NULL CHECK (tier IN ('starter', 'enhanced', 'premium')),
    trial_tier text CHECK (trial_tier IN ('enhanced', 'premium')),
    trial_ends_at timestamptz,
    changed_at timestamptz NOT NULL,
    CHECK ((trial_tier IS NULL) = (trial_ends_at IS NULL))
);
CREATE TABLE plan_item (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL REFERENCES plan (practice_id),
    kind text NOT NULL CHECK (kind IN ('override', 'add_on', 'limit')),
    key text NOT NULL CHECK (key <> ''),
    enabled boolean NOT NULL DEFAULT true CHECK (enabled OR kind = 'override'),
    amount integer CHECK (amount >= 0),
    ends_at timestamptz,
    UNIQUE (practice_id, kind, key),
    CHECK (amount IS NULL OR kind = 'limit')
);
"""

FUNCTIONS = [
    # Whose plan counts is not always the acting practice's: the owning practice decides limits (L9). A service asks for
    # one practice at a time; tiers and keys come out, nothing of what the practice does.
    *definer_function(
        "plan_of(wanted uuid)",
        """TABLE (tier text, trial_tier text, trial_ends_at timestamptz, changed_at timestamptz,
        kind text, key text, enabled boolean, amount integer, ends_at timestamptz)""",
        """SELECT p.tier, p.trial_tier, p.trial_ends_at, p.changed_at, i.kind, i.key, i.enabled, i.amount, i.ends_at
        FROM plan p LEFT JOIN plan_item i ON i.practice_id = p.practice_id
        WHERE p.practice_id = wanted ORDER BY i.kind, i.key""",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration(
        "plans", ID, DESCRIPTION, [TABLES, *practice_table("plan"), *practice_table("plan_item"), *FUNCTIONS]
    )
