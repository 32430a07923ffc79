"""All kinds of conversations, and what people do in them."""

from __future__ import annotations

from bedside_core.api import definer_function, shared_table, sql_migration

ID = "chat_2026_11_22t03_00"
VERSION = "1.38.0"
DESCRIPTION = "All kinds of conversations, and what people do in them."

# A conversation's position counts everything that changes in it: each changed row has the position of its last change,
# by which live readers find it. `messages` counts messages: the last one's number.
CHANGES = """
ALTER TABLE conversation
    DROP CONSTRAINT conversation_kind_check,
    ADD CHECK (kind IN ('direct', 'external', 'patient', 'group', 'team')),
    ALTER COLUMN direct_key DROP NOT NULL,
    DROP CONSTRAINT conversation_practice_id_direct_key_key,
    ADD COLUMN name text CHECK (name <> ''),
    ADD COLUMN description text,
    ADD COLUMN private boolean NOT NULL DEFAULT false,
    ADD COLUMN subject_id uuid,
    ADD COLUMN changed bigint NOT NULL DEFAULT 0,
    ADD COLUMN last_position bigint NOT NULL DEFAULT 0,
    ADD COLUMN messages bigint NOT NULL DEFAULT 0,
    ADD CHECK ((kind = 'group') = (name IS NOT NULL)),
    ADD CHECK ((kind = 'group') = (direct_key IS NULL)),
    ADD CHECK ((kind IN ('external', 'patient')) = (subject_id IS NOT NULL)),
    ADD CHECK (kind = 'group' OR NOT private);
ALTER TABLE conversation RENAME COLUMN direct_key TO only_key;
CREATE UNIQUE INDEX conversation_only ON conversation (only_key);
CREATE INDEX conversation_by_subject ON conversation (practice_id, subject_id) WHERE subject_id IS NOT NULL;
CREATE INDEX conversation_found ON conversation (practice_id, lower(name), id) WHERE kind = 'group' AND NOT private;
UPDATE conversation SET last_position = "position", messages = "position";

ALTER TABLE participant
    ADD COLUMN kind text NOT NULL DEFAULT 'member' CHECK (kind IN ('member', 'patient', 'contact')),
    ADD COLUMN home_id uuid REFERENCES practice,
    ADD COLUMN shown_name text NOT NULL DEFAULT '',
    ADD COLUMN shown_practice text NOT NULL DEFAULT '',
    ADD COLUMN by_link boolean NOT NULL DEFAULT false,
    ADD COLUMN added_by uuid,
    ADD COLUMN left_at timestamptz,
    ADD COLUMN removed boolean NOT NULL DEFAULT false,
    ADD COLUMN read_position bigint NOT NULL DEFAULT 0,
    ADD COLUMN read_number bigint NOT NULL DEFAULT 0,
    ADD COLUMN changed bigint NOT NULL DEFAULT 0,
    ADD CHECK (left_at IS NOT NULL OR NOT removed);
UPDATE participant p SET home_id = p.practice_id, read_position = c."position", read_number = c.messages,
    shown_name = coalesce((SELECT m.first_name || ' ' || m.last_name FROM member m WHERE m.id = p.person_id), ''),
    shown_practice = coalesce((SELECT r.name FROM practice r WHERE r.id = p.practice_id), '')
FROM conversation c WHERE c.id = p.conversation_id;
ALTER TABLE participant ALTER COLUMN home_id SET NOT NULL, ALTER COLUMN kind DROP DEFAULT;
CREATE INDEX participant_changed ON participant (conversation_id, changed);

ALTER TABLE message
    DROP CONSTRAINT message_body_check,
    ADD COLUMN number bigint,
    ADD COLUMN changed bigint,
    ADD COLUMN urgent boolean NOT NULL DEFAULT false,
    ADD COLUMN automatic boolean NOT NULL DEFAULT false,
    ADD COLUMN attached integer NOT NULL DEFAULT 0,
    ADD COLUMN reply_to uuid,
    ADD COLUMN deleted_at timestamptz,
    ADD COLUMN deleted_by uuid,
    ADD COLUMN words tsvector GENERATED ALWAYS AS (to_tsvector('simple', body)) STORED;
UPDATE message SET number = "position", changed = "position";
ALTER TABLE message
    ALTER COLUMN number SET NOT NULL,
    ALTER COLUMN changed SET NOT NULL,
    ADD UNIQUE (practice_id, id),
    ADD CHECK (CASE WHEN deleted_at IS NULL THEN body <> '' OR attached > 0
        ELSE body = '' AND attached = 0 AND NOT urgent END);
CREATE UNIQUE INDEX message_changed ON message (conversation_id, changed);
CREATE INDEX message_deleted ON message (conversation_id, number) WHERE deleted_at IS NOT NULL;
CREATE INDEX message_words ON message USING gin (words);

-- The practice is the one that owns the conversation, which for who comes back to it may be a connected one.
ALTER TABLE conversation_start
    DROP CONSTRAINT conversation_start_pkey,
    ADD PRIMARY KEY (person_id, client_id);

CREATE TABLE message_reaction (
    practice_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    message_id uuid NOT NULL,
    person_id uuid NOT NULL,
    emoji text NOT NULL CHECK (length(emoji) BETWEEN 1 AND 16),
    made_at timestamptz NOT NULL,
    PRIMARY KEY (message_id, emoji, person_id),
    FOREIGN KEY (practice_id, message_id) REFERENCES message (practice_id, id) ON DELETE CASCADE,
    FOREIGN KEY (practice_id, conversation_id) REFERENCES conversation (practice_id, id) ON DELETE CASCADE
);
CREATE TABLE message_attachment (
    practice_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    message_id uuid NOT NULL,
    file_id uuid NOT NULL,
    place integer NOT NULL,
    PRIMARY KEY (message_id, file_id),
    FOREIGN KEY (practice_id, message_id) REFERENCES message (practice_id, id) ON DELETE CASCADE,
    FOREIGN KEY (practice_id, conversation_id) REFERENCES conversation (practice_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX message_attachment_file ON message_attachment (file_id);
CREATE TABLE urgent_recipient (
    practice_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    message_id uuid NOT NULL,
    person_id uuid NOT NULL,
    acknowledged_at timestamptz,
    reminded integer NOT NULL DEFAULT 0,
    remind_at timestamptz,
    PRIMARY KEY (message_id, person_id),
    FOREIGN KEY (practice_id, message_id) REFERENCES message (practice_id, id) ON DELETE CASCADE,
    FOREIGN KEY (practice_id, conversation_id) REFERENCES conversation (practice_id, id) ON DELETE CASCADE
);
CREATE INDEX urgent_open ON urgent_recipient (person_id, conversation_id) WHERE acknowledged_at IS NULL;
CREATE INDEX urgent_due ON urgent_recipient (practice_id, remind_at)
    WHERE acknowledged_at IS NULL AND remind_at IS NOT NULL;
"""

TAKES_PART = "chat_takes_part(conversation_id)"

FUNCTIONS = [
    *definer_function(
        "chat_takes_part(conversation uuid)",
        "boolean",
        """SELECT EXISTS (SELECT FROM participant p WHERE p.conversation_id = conversation
        AND p.person_id = app_person() AND p.left_at IS NULL)""",
    ),
    # The only conversation of its kind between these two, where the person acted for is or was one of them; they are
    # in it again from then on, unless they were removed. `moved` is null where nothing changed.
    *definer_function(
        "chat_come_back(wanted text)",
        "TABLE (id uuid, moved bigint)",
        """
        DECLARE found uuid; reached bigint;
        BEGIN
            SELECT c.id INTO found FROM conversation c JOIN participant p ON p.conversation_id = c.id
            WHERE c.only_key = wanted AND p.person_id = app_person() AND NOT p.removed FOR NO KEY UPDATE OF c;
            IF found IS NULL THEN
                RETURN;
            END IF;
            IF EXISTS (SELECT FROM participant p WHERE p.conversation_id = found AND p.person_id = app_person()
                AND p.left_at IS NOT NULL) THEN
                UPDATE conversation c SET "position" = c."position" + 1 WHERE c.id = found
                RETURNING c."position" INTO reached;
                UPDATE participant p SET left_at = NULL, changed = reached
                WHERE p.conversation_id = found AND p.person_id = app_person();
            END IF;
            RETURN QUERY SELECT found, reached;
        END""",
        language="plpgsql",
        volatility="VOLATILE",
    ),
    # Whether the practice acted for may still write where another practice owns the conversation (P2).
    *definer_function(
        "chat_connected(conversation uuid)",
        "boolean",
        """SELECT EXISTS (SELECT FROM conversation c WHERE c.id = conversation
        AND c.practice_id IN (SELECT directory_practices()))""",
    ),
]


def _writers(table: str, rule: str) -> list[str]:
    """Return the SQL by which people of other practices write where they take part."""
    return [
        f"CREATE POLICY participant_inserts ON {table} FOR INSERT TO bedside_application WITH CHECK ({rule})",
        f"CREATE POLICY participant_updates ON {table} FOR UPDATE TO bedside_application "
        f"USING ({rule}) WITH CHECK ({rule})",
    ]


async def forwards():
    """Run the migration."""
    return sql_migration(
        "chat",
        ID,
        DESCRIPTION,
        [
            CHANGES,
            *FUNCTIONS,
            "CREATE POLICY participant_updates ON conversation FOR UPDATE TO bedside_application "
            "USING (chat_takes_part(id)) WITH CHECK (chat_takes_part(id))",
            *_writers("participant", TAKES_PART),
            *_writers("message", TAKES_PART),
            *_writers("conversation_start", "person_id = (SELECT app_person())"),
            *(
                sql
                for table in ("message_reaction", "message_attachment", "urgent_recipient")
                for sql in shared_table(table, TAKES_PART, TAKES_PART)
            ),
            *(
                f"CREATE POLICY participant_deletes ON {table} FOR DELETE TO bedside_application USING ({TAKES_PART})"
                for table in ("message_reaction", "message_attachment", "urgent_recipient")
            ),
        ],
    )
