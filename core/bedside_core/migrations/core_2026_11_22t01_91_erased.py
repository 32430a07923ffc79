"""What an erased patient leaves nowhere: accounts of nobody, letters in the outbox, and what was sent about them."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration
from bedside_core.database.kinds import APPLICATION

ID = "core_2026_11_22t01_91"
VERSION = "1.38.0"
DESCRIPTION = "Of an erased patient no account of nobody and no letter is left; use of the portal holds it back."

# A letter in the outbox goes with the notification that it was made of.
TABLES = """
DELETE FROM outbox_letter o WHERE NOT EXISTS (SELECT FROM notification_delivery d WHERE d.id = o.delivery_id);
ALTER TABLE outbox_letter
    ADD FOREIGN KEY (delivery_id) REFERENCES notification_delivery (id) ON DELETE CASCADE;
CREATE INDEX session_of_patient ON session (patient_id, last_seen_at) WHERE patient_id IS NOT NULL;
"""

# These run as who calls them, beneath row-level security. Tables and conditions are those that code declares.
FUNCTIONS = """
CREATE FUNCTION record_accounts(kept text, about text, patient uuid)
RETURNS SETOF uuid LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM information_schema.columns c
            WHERE c.table_schema = 'public' AND c.table_name = kept AND c.column_name = 'account_id') THEN
        RETURN QUERY EXECUTE format('SELECT DISTINCT t.account_id FROM %I t
            WHERE t.practice_id = app_practice() AND t.account_id IS NOT NULL AND (%s)', kept, about) USING patient;
    END IF;
END $$;
CREATE FUNCTION records_unknown(known text[])
RETURNS SETOF text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    kept text;
    has_rows boolean;
BEGIN
    FOR kept IN
        SELECT c.table_name FROM information_schema.columns c
        JOIN pg_tables t ON t.schemaname = c.table_schema AND t.tablename = c.table_name
        WHERE c.table_schema = 'public' AND c.column_name = 'practice_id' AND c.table_name <> ALL(known)
        ORDER BY c.table_name
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %I t WHERE t.practice_id = app_practice())', kept) INTO has_rows;
        IF has_rows THEN
            RETURN NEXT kept;
        END IF;
    END LOOP;
END $$;
"""

GRANTS = [
    sql
    for function in ("record_accounts(text, text, uuid)", "records_unknown(text[])")
    for sql in (
        f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC",
        f"GRANT EXECUTE ON FUNCTION {function} TO {APPLICATION}",
    )
]

DEFINERS = [
    # As when a practice leaves: an account goes with the last of whom it could act as.
    *definer_function(
        "accounts_erase(candidates uuid[])",
        "void",
        """DECLARE
            whose uuid;
        BEGIN
            FOR whose IN
                SELECT a.id FROM account a WHERE a.id = ANY(candidates) AND NOT a.operator
                AND NOT EXISTS (SELECT FROM member m WHERE m.account_id = a.id)
                AND NOT EXISTS (SELECT FROM session s WHERE s.account_id = a.id
                    AND (s.member_id IS NOT NULL OR s.patient_id IS NOT NULL))
            LOOP
                BEGIN
                    DELETE FROM account a WHERE a.id = whose;
                    DELETE FROM notification n WHERE n.recipient = 'account' AND n.recipient_id = whose
                        OR n.recipient = 'address' AND n.address->>'account' = whose::text;
                    DELETE FROM link l WHERE l.subject = whose;
                EXCEPTION WHEN foreign_key_violation THEN
                    NULL;  -- somebody of another practice's, such as a guardian of a patient there
                END;
            END LOOP;
        END""",
        language="plpgsql",
        volatility="VOLATILE",
    ),
    # What was sent about something, with addresses and facts, and the links to it.
    *definer_function(
        "notify_erase(same text[])",
        "void",
        """WITH links AS (DELETE FROM link l USING notification n
            WHERE n.practice_id = app_practice() AND n.same_key = ANY(same) AND l.subject::text = n.same_key)
        DELETE FROM notification n WHERE n.practice_id = app_practice() AND n.same_key = ANY(same)""",
        volatility="VOLATILE",
    ),
    # Of the candidates those as whom nobody has been signed in since then.
    *definer_function(
        "patients_unseen(candidates uuid[], since timestamptz)",
        "SETOF uuid",
        """SELECT c.id FROM unnest(candidates) AS c (id) WHERE NOT EXISTS (
            SELECT FROM patient p JOIN session s ON s.patient_id = p.id
            WHERE p.practice_id = app_practice() AND (p.id = c.id OR p.merged_into = c.id)
            AND s.last_seen_at >= since)""",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, [TABLES, FUNCTIONS, *GRANTS, *DEFINERS])
