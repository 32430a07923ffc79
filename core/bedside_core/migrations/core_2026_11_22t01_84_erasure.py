"""A practice that leaves: asked for, waited for, and then erased but for what proves that its trail was whole."""

from __future__ import annotations

from bedside_core.database import definer_function, deployment_table, sql_migration

ID = "core_2026_11_22t01_84"
VERSION = "1.38.0"
DESCRIPTION = "A practice that leaves is erased."

# No reference to the practice: what is left of one that was erased is its row here, an id with dates and the end of its
# chain of audit entries.
TABLES = """
CREATE TABLE practice_erasure (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL,
    asked_by uuid,
    asked_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    cancelled_at timestamptz,
    ended_at timestamptz,
    entries bigint,
    head bytea CHECK (octet_length(head) = 32),
    CHECK (cancelled_at IS NULL OR ended_at IS NULL),
    CHECK ((ended_at IS NULL) = (entries IS NULL)),
    CHECK ((ended_at IS NULL) = (head IS NULL))
);
CREATE UNIQUE INDEX practice_erasure_open ON practice_erasure (practice_id) WHERE cancelled_at IS NULL;
"""

_COLUMNS = "TABLE (id uuid, asked_by uuid, asked_at timestamptz, due_at timestamptz, fresh boolean)"

FUNCTIONS = [
    *definer_function(
        "practice_erasure_ask(new_id uuid, by uuid, at timestamptz, due timestamptz)",
        _COLUMNS,
        """WITH made AS (
            INSERT INTO practice_erasure AS e (id, practice_id, asked_by, asked_at, due_at)
            SELECT new_id, p.id, by, at, due FROM practice p WHERE p.id = app_practice()
            ON CONFLICT (practice_id) WHERE cancelled_at IS NULL DO NOTHING
            RETURNING e.id, e.asked_by, e.asked_at, e.due_at
        )
        SELECT m.*, true FROM made m UNION ALL
        SELECT e.id, e.asked_by, e.asked_at, e.due_at, false FROM practice_erasure e
        WHERE e.practice_id = app_practice() AND e.cancelled_at IS NULL AND e.ended_at IS NULL""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "practice_erasure_present()",
        "TABLE (id uuid, asked_by uuid, asked_at timestamptz, due_at timestamptz)",
        """SELECT e.id, e.asked_by, e.asked_at, e.due_at FROM practice_erasure e
        WHERE e.practice_id = app_practice() AND e.cancelled_at IS NULL AND e.ended_at IS NULL""",
    ),
    *definer_function(
        "practice_erasure_cancel(at timestamptz)",
        "SETOF uuid",
        """UPDATE practice_erasure e SET cancelled_at = at
        WHERE e.practice_id = app_practice() AND e.cancelled_at IS NULL AND e.ended_at IS NULL RETURNING e.id""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "practice_end_sessions(at timestamptz)",
        'TABLE (id uuid, "position" bigint)',
        """UPDATE session s SET ended_at = at WHERE s.ended_at IS NULL AND (
            s.member_id IN (SELECT m.id FROM member m WHERE m.practice_id = app_practice())
            OR s.patient_id IN (SELECT p.id FROM patient p WHERE p.practice_id = app_practice()))
        RETURNING s.id, s."position" + 1""",
        volatility="VOLATILE",
    ),
    # Erases the practice that is acted for, if that was asked for and its time has come: every row with its id, in
    # whatever table of whatever plugin, its jobs, and the accounts that belong to nobody else. Tables are tried again
    # until none refers to a row of another any more. False where audit entries wait for their seal: they come first.
    # That it was done, with the end of its chain, is entered in the deployment's own trail.
    *definer_function(
        "practice_erase(new_id uuid, at timestamptz)",
        "boolean",
        """DECLARE
            gone CONSTANT uuid := app_practice();
            accounts uuid[] := '{}';
            signed uuid[];
            has_account boolean;
            kept text;
            again boolean := true;
            progress boolean;
            many bigint;
        BEGIN
            PERFORM FROM practice_erasure e WHERE e.practice_id = gone AND e.cancelled_at IS NULL
                AND e.ended_at IS NULL AND e.due_at <= at FOR UPDATE;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'nobody has asked for this practice to be erased now';
            END IF;
            IF EXISTS (SELECT FROM audit_unsealed u WHERE u.practice_id = gone) THEN
                RETURN false;
            END IF;
            UPDATE practice_erasure e SET ended_at = at, asked_by = NULL,
                entries = coalesce((SELECT max(s."number") FROM audit_seal s WHERE s.practice_id = gone), 0),
                head = coalesce((SELECT s.hash FROM audit_seal s WHERE s.practice_id = gone
                    ORDER BY s."number" DESC LIMIT 1), decode(repeat('00', 32), 'hex'))
            WHERE e.practice_id = gone AND e.cancelled_at IS NULL;
            -- Whoever signed in for it, and the links that led to something of it, whatever table that is in.
            FOR kept, has_account IN
                SELECT c.table_name, bool_or(c.column_name = 'account_id') FROM information_schema.columns c
                JOIN pg_tables t ON t.schemaname = c.table_schema AND t.tablename = c.table_name
                WHERE c.table_schema = 'public' AND c.column_name IN ('id', 'practice_id', 'account_id')
                GROUP BY c.table_name HAVING bool_or(c.column_name = 'practice_id') AND bool_or(c.column_name = 'id')
            LOOP
                EXECUTE format('DELETE FROM link l USING %I t WHERE t.practice_id = $1 AND t.id = l.subject', kept)
                    USING gone;
                IF has_account THEN
                    EXECUTE format('SELECT array_agg(DISTINCT t.account_id) FROM %I t WHERE t.practice_id = $1
                        AND t.account_id IS NOT NULL', kept) INTO signed USING gone;
                    accounts := accounts || coalesce(signed, '{}');
                END IF;
            END LOOP;
            DELETE FROM session s WHERE s.member_id IN (SELECT m.id FROM member m WHERE m.practice_id = gone)
                OR s.patient_id IN (SELECT p.id FROM patient p WHERE p.practice_id = gone);
            DELETE FROM connection c WHERE gone IN (c.asker, c.asked);
            DELETE FROM outbox_letter o WHERE o.delivery_id IN (
                SELECT d.id FROM notification_delivery d WHERE d.practice_id = gone);
            DELETE FROM pgqueuer q WHERE (q.headers->>'practice')::uuid = gone;
            WHILE again LOOP
                again := false;
                progress := false;
                FOR kept IN
                    SELECT c.table_name FROM information_schema.columns c
                    JOIN pg_tables t ON t.schemaname = c.table_schema AND t.tablename = c.table_name
                    WHERE c.table_schema = 'public' AND c.column_name = 'practice_id'
                    AND c.table_name <> 'practice_erasure' ORDER BY c.table_name
                LOOP
                    BEGIN
                        EXECUTE format('DELETE FROM %I WHERE practice_id = $1', kept) USING gone;
                        GET DIAGNOSTICS many = ROW_COUNT;
                        progress := progress OR many > 0;
                    EXCEPTION WHEN foreign_key_violation THEN
                        again := true;
                    END;
                END LOOP;
                IF again AND NOT progress THEN
                    RAISE EXCEPTION 'rows of the practice refer to each other in a circle';
                END IF;
            END LOOP;
            DELETE FROM practice p WHERE p.id = gone;
            INSERT INTO audit_entry
                (id, practice_id, at, operator, action, kind, target, patients, request_id, via, detail)
            SELECT new_id, '00000000-0000-0000-0000-000000000000', at, false, 'practices.erased', 'practice',
                gone::text, '{}', '', 'job',
                jsonb_build_object('entries', e.entries::text, 'head', encode(e.head, 'hex'))
            FROM practice_erasure e WHERE e.practice_id = gone AND e.ended_at IS NOT NULL;
            PERFORM accounts_erase(accounts);
            RETURN true;
        END""",
        language="plpgsql",
        volatility="VOLATILE",
    ),
    # What is left of those that were erased, for whoever verifies the anchor: the end of each one's chain.
    *definer_function(
        "practices_erased()",
        "TABLE (practice_id uuid, entries bigint, head bytea)",
        "SELECT e.practice_id, e.entries, e.head FROM practice_erasure e WHERE e.ended_at IS NOT NULL",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, [TABLES, *deployment_table("practice_erasure"), *FUNCTIONS])
