"""Sessions, and who takes part in them."""

from __future__ import annotations

from bedside_core.api import definer_function, shared_table, sql_migration

ID = "telehealth_2026_11_24t00_00"
VERSION = "1.38.0"
DESCRIPTION = "Telehealth sessions, and who takes part in them."

# The session's row is locked by whatever changes something in it: the order of commits is that of positions, and who is
# let in is counted under it (L6).
TABLES = """
CREATE TABLE video_session (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL REFERENCES practice,
    name text NOT NULL CHECK (name <> ''),
    access text NOT NULL CHECK (access IN ('private', 'internal', 'invitation')),
    conversation_id uuid,
    appointment_id uuid,
    about_patient_id uuid,
    host_id uuid NOT NULL,
    link_version integer NOT NULL DEFAULT 1,
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_by uuid,
    "position" bigint NOT NULL DEFAULT 0,
    changed bigint NOT NULL DEFAULT 0,
    UNIQUE (practice_id, id),
    CHECK (ended_at IS NOT NULL OR ended_by IS NULL)
);
CREATE INDEX video_session_about ON video_session (practice_id, about_patient_id) WHERE about_patient_id IS NOT NULL;
CREATE TABLE video_participant (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL,
    session_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('member', 'patient', 'contact', 'guest')),
    person_id uuid NOT NULL,
    home_id uuid NOT NULL REFERENCES practice,
    shown_name text NOT NULL CHECK (shown_name <> ''),
    role text NOT NULL CHECK (role IN ('chair', 'broadcaster', 'viewer')),
    listed boolean NOT NULL,
    added_by uuid,
    added_at timestamptz NOT NULL,
    place text NOT NULL CHECK (place IN ('listed', 'waiting', 'in', 'away', 'out', 'declined', 'removed')),
    waiting_since timestamptz,
    admitted_at timestamptz,
    joined_at timestamptz,
    left_at timestamptz,
    seat uuid,
    rejoin_hash bytea CHECK (octet_length(rejoin_hash) = 32),
    rejoin_before bytea CHECK (octet_length(rejoin_before) = 32),
    changed bigint NOT NULL,
    FOREIGN KEY (practice_id, session_id) REFERENCES video_session (practice_id, id) ON DELETE CASCADE,
    UNIQUE (practice_id, session_id, person_id),
    CHECK ((kind = 'guest') = (person_id = id)),
    CHECK (kind = 'guest' OR rejoin_hash IS NULL AND rejoin_before IS NULL),
    CHECK (role <> 'chair' OR kind = 'member' AND home_id = practice_id AND listed),
    CHECK ((place = 'waiting') = (waiting_since IS NOT NULL)),
    CHECK (place NOT IN ('waiting', 'in') OR seat IS NOT NULL)
);
CREATE UNIQUE INDEX video_participant_changed ON video_participant (session_id, changed);
CREATE INDEX video_participant_by_person ON video_participant (person_id, session_id);
CREATE INDEX video_participant_inside ON video_participant (session_id, waiting_since, id)
    WHERE place IN ('waiting', 'in', 'away');
"""

FUNCTIONS = [
    *definer_function(
        "telehealth_takes_part(session uuid)",
        "boolean",
        """SELECT EXISTS (SELECT FROM video_participant p
        WHERE p.session_id = session AND p.person_id = app_person())""",
    ),
    *definer_function(
        "telehealth_positions(wanted uuid[])",
        'TABLE (id uuid, "position" bigint)',
        'SELECT s.id, s."position" FROM video_session s WHERE s.id = ANY(wanted)',
    ),
    # Whose session a guest link leads to: asked with the id in the link's secret, which is compared after that.
    *definer_function(
        "telehealth_link(session uuid)",
        "TABLE (practice_id uuid, link_version integer)",
        "SELECT s.practice_id, s.link_version FROM video_session s WHERE s.id = session",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration(
        "telehealth",
        ID,
        DESCRIPTION,
        [
            TABLES,
            *FUNCTIONS,
            *shared_table("video_session", "telehealth_takes_part(id)"),
            *shared_table("video_participant", "telehealth_takes_part(session_id)"),
        ],
    )
