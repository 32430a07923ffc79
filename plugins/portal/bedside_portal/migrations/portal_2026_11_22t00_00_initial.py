"""Who acts for which patient in the portal, and whom it lets in no more."""

from __future__ import annotations

from bedside_core.api import definer_function, practice_table, sql_migration

ID = "portal_2026_11_22t00_00"
VERSION = "1.38.0"
DESCRIPTION = "Who acts for which patient in the portal, and whom it lets in no more."

TABLES = """
CREATE TABLE portal_suspension (
    patient_id uuid PRIMARY KEY,
    practice_id uuid NOT NULL,
    suspended_at timestamptz NOT NULL,
    suspended_by uuid NOT NULL,
    FOREIGN KEY (practice_id, patient_id) REFERENCES patient (practice_id, id) ON DELETE CASCADE
);
CREATE TABLE portal_holder (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL,
    patient_id uuid NOT NULL,
    account_id uuid REFERENCES account,
    relationship text CHECK (relationship <> ''),
    first_name text CHECK (first_name <> ''),
    last_name text CHECK (last_name <> ''),
    channel text NOT NULL CHECK (channel IN ('email', 'sms')),
    address text NOT NULL CHECK (address <> ''),
    invited_by uuid NOT NULL,
    client_id text NOT NULL,
    created_at timestamptz NOT NULL,
    sent_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    failures integer NOT NULL DEFAULT 0,
    registered_at timestamptz,
    registration_id text,
    removed_at timestamptz,
    FOREIGN KEY (practice_id, patient_id) REFERENCES patient (practice_id, id) ON DELETE CASCADE,
    UNIQUE (practice_id, invited_by, client_id),
    CHECK ((account_id IS NULL) = (registered_at IS NULL)),
    CHECK ((relationship IS NULL) = (first_name IS NULL) AND (relationship IS NULL) = (last_name IS NULL))
);
CREATE INDEX portal_holder_by_patient ON portal_holder (practice_id, patient_id) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX portal_holder_own ON portal_holder (practice_id, patient_id)
    WHERE relationship IS NULL AND removed_at IS NULL;
CREATE UNIQUE INDEX portal_holder_account ON portal_holder (account_id, practice_id, patient_id)
    WHERE removed_at IS NULL;
"""

_ACTS = "h.removed_at IS NULL AND NOT EXISTS (SELECT FROM portal_suspension s WHERE s.patient_id = h.patient_id)"

# Signing in happens before anybody acts for a practice: an account asks whom it may act for, over all of them.
FUNCTIONS = [
    *definer_function(
        "portal_personas(account uuid)",
        "TABLE (patient_id uuid, practice_id uuid, practice text, first_name text, last_name text)",
        f"""SELECT p.id, p.practice_id, c.name, p.first_name, p.last_name
        FROM portal_holder h JOIN patient p ON p.id = h.patient_id JOIN practice c ON c.id = p.practice_id
        WHERE h.account_id = account AND {_ACTS} ORDER BY c.name, p.last_name, p.first_name, p.id""",
    ),
    *definer_function(
        "portal_acts(account uuid, patient uuid)",
        "boolean",
        f"""SELECT EXISTS (SELECT FROM portal_holder h
        WHERE h.account_id = account AND h.patient_id = patient AND {_ACTS})""",
    ),
    # Whose invitation a link is: asked with the id that only its secret leads to.
    *definer_function(
        "portal_holder_practice(wanted uuid)",
        "uuid",
        "SELECT h.practice_id FROM portal_holder h WHERE h.id = wanted AND h.removed_at IS NULL",
    ),
    # The user name, told again to the client that has registered.
    *definer_function(
        "portal_registered(wanted uuid, client text)",
        "text",
        """SELECT a.email FROM portal_holder h JOIN account a ON a.id = h.account_id
        WHERE h.id = wanted AND h.registration_id = client""",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration(
        "portal",
        ID,
        DESCRIPTION,
        [TABLES, *practice_table("portal_suspension"), *practice_table("portal_holder"), *FUNCTIONS],
    )
