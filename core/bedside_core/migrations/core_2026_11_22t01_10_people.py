"""Connected practices, contacts, what members show of themselves, and finding people by name."""

from __future__ import annotations

from bedside_core.database import definer_function, deployment_table, practice_table, sql_migration

ID = "core_2026_11_22t01_10"
VERSION = "1.38.0"
DESCRIPTION = "Connected practices, contacts, what members show of themselves, and finding people by name."

# Names as they are compared in search: without case and accents. The pieces NFKD does not take apart are spelled out.
NAMES = r"""
CREATE FUNCTION person_key(name text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN btrim(regexp_replace(regexp_replace(replace(replace(replace(replace(translate(
    regexp_replace(normalize(lower(normalize(name, NFKC)), NFKD), '[\u0300-\u036f]', '', 'g'),
    'øłđðıħŧς', 'olddihtσ'), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th'),
    '[''’‘`.]', '', 'g'), '[[:space:],;/()_\-‐-―]+', ' ', 'g'));
CREATE FUNCTION person_words(name text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (SELECT coalesce(array_agg(word ORDER BY length(word) DESC, word), '{}')
    FROM (SELECT DISTINCT word FROM string_to_table(person_key(name), ' ') AS word WHERE word <> '') AS words);
"""

TABLES = """
ALTER TABLE practice
    ADD COLUMN handle text NOT NULL DEFAULT replace(gen_random_uuid()::text, '-', ''),
    ADD COLUMN created_by uuid REFERENCES account,
    ADD COLUMN client_id text,
    ADD CONSTRAINT practice_handle UNIQUE (handle),
    ADD CONSTRAINT practice_client_id UNIQUE (created_by, client_id);
ALTER TABLE member
    ADD COLUMN phone text,
    ADD COLUMN video_host boolean NOT NULL DEFAULT false,
    ADD COLUMN email_for text NOT NULL DEFAULT 'practice' CHECK (email_for IN ('connected', 'practice', 'nobody')),
    ADD COLUMN phone_for text NOT NULL DEFAULT 'practice' CHECK (phone_for IN ('connected', 'practice', 'nobody'));
ALTER TABLE patient ADD COLUMN archived_at timestamptz;
DROP INDEX patient_by_name;
CREATE INDEX patient_by_name ON patient (practice_id, last_name, first_name, id) WHERE archived_at IS NULL;
CREATE INDEX patient_archived ON patient (practice_id, last_name, first_name, id) WHERE archived_at IS NOT NULL;
CREATE INDEX member_inactive ON member (practice_id, last_name, first_name, id) WHERE NOT active;
CREATE TABLE contact (
    id uuid PRIMARY KEY,
    practice_id uuid NOT NULL REFERENCES practice,
    first_name text NOT NULL CHECK (first_name <> ''),
    last_name text NOT NULL CHECK (last_name <> ''),
    phone text,
    email text,
    created_at timestamptz NOT NULL,
    UNIQUE (practice_id, id),
    UNIQUE (practice_id, phone),
    CHECK (phone IS NOT NULL OR email IS NOT NULL)
);
CREATE UNIQUE INDEX contact_email ON contact (practice_id, lower(email));
CREATE INDEX contact_by_name ON contact (practice_id, last_name, first_name, id);
CREATE TABLE connection (
    id uuid PRIMARY KEY,
    asker uuid NOT NULL REFERENCES practice,
    asked uuid NOT NULL REFERENCES practice,
    named text NOT NULL,
    state text NOT NULL CHECK (state IN ('asked', 'accepted', 'declined', 'ended')),
    created_at timestamptz NOT NULL,
    accepted_at timestamptz,
    changed_at timestamptz NOT NULL,
    CHECK (asker <> asked)
);
CREATE UNIQUE INDEX connection_pair ON connection (least(asker, asked), greatest(asker, asked))
    WHERE state IN ('asked', 'accepted');
CREATE INDEX connection_asker ON connection (asker, state);
CREATE INDEX connection_asked ON connection (asked, state);
CREATE TABLE creation (
    practice_id uuid NOT NULL REFERENCES practice,
    person_id uuid NOT NULL,
    action text NOT NULL,
    client_id text NOT NULL,
    made_id uuid NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    PRIMARY KEY (practice_id, person_id, action, client_id)
);
CREATE INDEX creation_made ON creation (practice_id, made_id);
CREATE TABLE person_word (
    practice_id uuid NOT NULL REFERENCES practice,
    word text COLLATE "C" NOT NULL,
    person_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('member', 'patient', 'contact')),
    sort text COLLATE "C" NOT NULL,
    PRIMARY KEY (practice_id, word, person_id)
);
CREATE INDEX person_word_person ON person_word (practice_id, person_id, word);
"""

# The words follow the names whoever writes them. They are compared byte by byte (COLLATE "C"), for such comparisons are
# leakproof: only those use an index beneath row-level security.
WORDS = """
CREATE FUNCTION person_named() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM person_word WHERE practice_id = OLD.practice_id AND person_id = OLD.id;
    END IF;
    IF TG_OP <> 'DELETE' AND coalesce((to_jsonb(NEW)->>'active')::boolean, true)
            AND to_jsonb(NEW)->>'archived_at' IS NULL THEN
        INSERT INTO person_word (practice_id, word, person_id, kind, sort)
        SELECT NEW.practice_id, word, NEW.id, TG_TABLE_NAME, person_key(NEW.last_name || ' ' || NEW.first_name)
        FROM unnest(person_words(NEW.first_name || ' ' || NEW.last_name)) AS word;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER member_named AFTER INSERT OR DELETE OR UPDATE OF first_name, last_name, active ON member
    FOR EACH ROW EXECUTE FUNCTION person_named();
CREATE TRIGGER patient_named AFTER INSERT OR DELETE OR UPDATE OF first_name, last_name, archived_at ON patient
    FOR EACH ROW EXECUTE FUNCTION person_named();
CREATE TRIGGER contact_named AFTER INSERT OR DELETE OR UPDATE OF first_name, last_name ON contact
    FOR EACH ROW EXECUTE FUNCTION person_named();
INSERT INTO person_word (practice_id, word, person_id, kind, sort)
SELECT p.practice_id, word, p.id, p.kind, person_key(p.last_name || ' ' || p.first_name)
FROM (
    SELECT id, practice_id, first_name, last_name, 'patient' AS kind FROM patient
    UNION ALL SELECT id, practice_id, first_name, last_name, 'member' FROM member WHERE active
) AS p, unnest(person_words(p.first_name || ' ' || p.last_name)) AS word;
"""

OWNERS = [
    # Two owners who take the role from each other at the same time meet at the practice's row: the second is refused.
    *definer_function(
        "member_keeps_owner()",
        "trigger",
        """BEGIN
        PERFORM FROM practice WHERE id = OLD.practice_id FOR UPDATE;
        IF NOT EXISTS (SELECT FROM member WHERE practice_id = OLD.practice_id AND role = 'owner' AND active) THEN
            RAISE EXCEPTION 'a practice keeps an owner'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'member_last_owner';
        END IF;
        RETURN NULL;
        END""",
        language="plpgsql",
        volatility="VOLATILE",
    ),
    """CREATE TRIGGER member_keeps_owner AFTER UPDATE OF role, active ON member
    FOR EACH ROW WHEN (OLD.role = 'owner' AND OLD.active) EXECUTE FUNCTION member_keeps_owner()""",
    # Ended for good, so that they stay ended when the member is active again.
    *definer_function(
        "member_end_sessions(wanted uuid, at timestamptz)",
        "SETOF uuid",
        """UPDATE session s SET ended_at = at FROM member m
        WHERE s.member_id = wanted AND m.id = wanted AND m.practice_id = app_practice() AND s.ended_at IS NULL
        RETURNING s.id""",
        volatility="VOLATILE",
    ),
]

PRACTICES = [
    "DROP FUNCTION practice_create(uuid, text, text, timestamptz)",
    "DROP FUNCTION practice_by_id(uuid)",
    "DROP FUNCTION practice_page(int, text, uuid)",
    *definer_function(
        "practice_create(new_id uuid, new_name text, new_zone text, new_handle text, at timestamptz, by uuid, "
        "client text)",
        "TABLE (id uuid, name text, zone text, handle text)",
        """WITH made AS (
            INSERT INTO practice (id, name, zone, handle, created_at, created_by, client_id)
            VALUES (new_id, new_name, new_zone, new_handle, at, by, client)
            ON CONFLICT ON CONSTRAINT practice_client_id DO NOTHING
            RETURNING practice.id, practice.name, practice.zone, practice.handle
        )
        SELECT * FROM made UNION ALL
        SELECT p.id, p.name, p.zone, p.handle FROM practice p WHERE p.created_by = by AND p.client_id = client""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "practice_by_id(wanted uuid)",
        "TABLE (id uuid, name text, zone text, handle text)",
        "SELECT p.id, p.name, p.zone, p.handle FROM practice p WHERE p.id = wanted",
    ),
    *definer_function(
        "practice_page(size int, after_name text, after_id uuid)",
        "TABLE (id uuid, name text, zone text, handle text)",
        """SELECT p.id, p.name, p.zone, p.handle FROM practice p
        WHERE after_name IS NULL OR (p.name, p.id) > (after_name, after_id) ORDER BY p.name, p.id LIMIT size""",
    ),
]

CONNECTIONS = [
    # Each acts for app_practice() alone. Practices' rows are locked in the order of their ids by practices_changed().
    *definer_function(
        "connection_request(new_id uuid, wanted text, at timestamptz)",
        "TABLE (id uuid, asker uuid, asked uuid, state text, fresh boolean)",
        """WITH other AS (
            SELECT p.id FROM practice p WHERE (p.handle = wanted OR p.id::text = wanted) AND p.id <> app_practice()
        ), made AS (
            INSERT INTO connection AS c (id, asker, asked, named, state, created_at, changed_at)
            SELECT new_id, app_practice(), o.id, wanted, 'asked', at, at FROM other o WHERE app_practice() IS NOT NULL
            ON CONFLICT (least(asker, asked), greatest(asker, asked)) WHERE state IN ('asked', 'accepted') DO NOTHING
            RETURNING c.id, c.asker, c.asked, c.state
        )
        SELECT m.id, m.asker, m.asked, m.state, true FROM made m UNION ALL
        SELECT c.id, c.asker, c.asked, c.state, false FROM connection c JOIN other o
        ON (c.asker, c.asked) IN ((app_practice(), o.id), (o.id, app_practice()))
        WHERE c.state IN ('asked', 'accepted')""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "connection_change(wanted uuid, new_state text, at timestamptz)",
        "TABLE (id uuid, asker uuid, asked uuid, state text)",
        """UPDATE connection c SET state = new_state, changed_at = at,
            accepted_at = CASE new_state WHEN 'accepted' THEN at ELSE c.accepted_at END
        WHERE c.id = wanted AND CASE new_state
            WHEN 'accepted' THEN c.asked = app_practice() AND c.state = 'asked'
            WHEN 'declined' THEN c.asked = app_practice() AND c.state = 'asked'
            WHEN 'ended' THEN app_practice() IN (c.asker, c.asked)
                AND (c.state = 'accepted' OR (c.state = 'asked' AND c.asker = app_practice()))
        END
        RETURNING c.id, c.asker, c.asked, c.state""",
        volatility="VOLATILE",
    ),
    # Who asks is told nothing of the other practice before that has accepted (P1): it has only named it.
    *definer_function(
        "connection_page(wanted uuid, size int, after_name text, after_id uuid)",
        "TABLE (id uuid, practice_id uuid, practice_name text, state text, incoming boolean, "
        "created_at timestamptz, changed_at timestamptz)",
        """SELECT c.id, CASE WHEN s.shown THEN p.id END, CASE WHEN s.shown THEN p.name ELSE c.named END, c.state,
            c.asked = app_practice(), c.created_at, c.changed_at
        FROM connection c JOIN practice p ON p.id = CASE app_practice() WHEN c.asker THEN c.asked ELSE c.asker END
        CROSS JOIN LATERAL (SELECT c.asked = app_practice() OR c.accepted_at IS NOT NULL AS shown) s
        WHERE app_practice() IN (c.asker, c.asked)
        AND CASE WHEN wanted IS NULL THEN c.state IN ('asked', 'accepted') ELSE c.id = wanted END
        AND (after_name IS NULL OR (CASE WHEN s.shown THEN p.name ELSE c.named END, c.id) > (after_name, after_id))
        ORDER BY CASE WHEN s.shown THEN p.name ELSE c.named END, c.id LIMIT size""",
    ),
    *definer_function(
        "practices_changed(wanted uuid[])",
        'TABLE (id uuid, "position" bigint)',
        """BEGIN
        PERFORM FROM practice p WHERE p.id = ANY(wanted) ORDER BY p.id FOR UPDATE;
        RETURN QUERY UPDATE practice p SET "position" = p."position" + 1 WHERE p.id = ANY(wanted)
            RETURNING p.id, p."position";
        END""",
        language="plpgsql",
        volatility="VOLATILE",
    ),
]

DIRECTORY = [
    # The practice acted for, and those connected to it.
    *definer_function(
        "directory_practices()",
        "SETOF uuid",
        """SELECT app_practice() WHERE app_practice() IS NOT NULL UNION ALL
        SELECT CASE app_practice() WHEN c.asker THEN c.asked ELSE c.asker END FROM connection c
        WHERE c.state = 'accepted' AND app_practice() IN (c.asker, c.asked)""",
    ),
    # All that is seen of members: one's own practice's, and the active ones of connected practices. Address and number
    # are shown as each member has it (A8).
    *definer_function(
        "directory(wanted uuid[])",
        "TABLE (id uuid, practice_id uuid, practice_name text, first_name text, last_name text, role text, "
        "active boolean, video_host boolean, email text, phone text)",
        """SELECT m.id, m.practice_id, p.name, m.first_name, m.last_name, m.role, m.active, m.video_host,
            CASE WHEN m.id = app_person() OR m.email_for = 'connected'
                OR (m.email_for = 'practice' AND m.practice_id = app_practice()) THEN a.email END,
            CASE WHEN m.id = app_person() OR m.phone_for = 'connected'
                OR (m.phone_for = 'practice' AND m.practice_id = app_practice()) THEN m.phone END
        FROM member m JOIN practice p ON p.id = m.practice_id JOIN account a ON a.id = m.account_id
        WHERE m.id = ANY(wanted) AND m.practice_id IN (SELECT directory_practices())
        AND (m.active OR m.practice_id = app_practice())""",
    ),
    # Whom of them a search means: by the beginnings of their names' words.
    *definer_function(
        "directory_search(words text[], size int, after_sort text, after_id uuid)",
        "TABLE (id uuid, sort text)",
        """SELECT DISTINCT w.person_id, w.sort FROM directory_practices() AS seen(practice_id)
        JOIN person_word w ON w.practice_id = seen.practice_id AND w.kind = 'member'
            AND w.word >= words[1] AND w.word < words[1] || chr(1114111)
        WHERE (after_sort IS NULL OR (w.sort, w.person_id) > (after_sort COLLATE "C", after_id))
        AND NOT EXISTS (SELECT FROM unnest(words[2:]) AS other(word) WHERE NOT EXISTS (
            SELECT FROM person_word o WHERE o.practice_id = w.practice_id AND o.person_id = w.person_id
            AND o.word >= other.word AND o.word < other.word || chr(1114111)))
        ORDER BY w.sort, w.person_id LIMIT size""",
    ),
    # Which of them has this very address or number (P6).
    *definer_function(
        "directory_reached(address text, number text)",
        "SETOF uuid",
        """SELECT m.id FROM member m JOIN account a ON a.id = m.account_id
        WHERE m.active AND m.practice_id IN (SELECT directory_practices())
        AND (lower(a.email) = lower(address) OR m.phone = number)
        ORDER BY m.practice_id = app_practice() DESC, m.id LIMIT 1""",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration(
        "core",
        ID,
        DESCRIPTION,
        [
            NAMES,
            TABLES,
            *deployment_table("connection"),
            *(sql for name in ("contact", "creation", "person_word") for sql in practice_table(name)),
            WORDS,
            *OWNERS,
            *PRACTICES,
            *CONNECTIONS,
            *DIRECTORY,
        ],
    )
