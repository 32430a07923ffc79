"""Finding messages by their words, within the conversations that one takes part in (C14)."""

from __future__ import annotations

from bedside_core.api import definer_function, sql_migration

ID = "chat_2026_11_22t03_50"
VERSION = "1.38.0"
DESCRIPTION = "Finding messages by their words, within the conversations that one takes part in."

# Words as they are compared: without case and accents, however the database's locale spells. What stands between words
# is listed, for which characters are letters depends on the locale too. Of a very long word its beginning is enough.
WORDS = r"""
CREATE FUNCTION chat_words(body text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (SELECT coalesce(array_agg(DISTINCT left(word, 60)), '{}') FROM string_to_table(regexp_replace(regexp_replace(
    replace(replace(replace(translate(lower(normalize(lower(normalize(body, NFKC)), NFKD)), 'øłđıħŧς', 'oldihtσ'),
        'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'),
    '[''’‘`\u0300-\u036f]', '', 'g'),
    '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u00d7\u00f7\u2000-\u206f\u2190-\u2bff\u3000-\u303f'
    '\ufe00-\ufe0f\U0001f000-\U0001faff]+',
    ' ', 'g'), ' ') AS word WHERE word <> '');

-- What the index knows of a message: its words behind the end of its conversation's id, so that whoever searches in
-- theirs comes to nothing of others, however much that is.
CREATE FUNCTION chat_keys(conversation uuid, body text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (SELECT coalesce(array_agg(right(conversation::text, 12) || word), '{}') FROM unnest(chat_words(body)) AS word);
CREATE FUNCTION chat_query(conversation uuid, words text[]) RETURNS tsquery LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (SELECT string_agg('''' || right(conversation::text, 12) || replace(word, '\', '\\') || ''':*', ' & ')::tsquery
    FROM unnest(words) AS word);

-- Whether each word of a text begins a word of a name.
CREATE FUNCTION chat_named(name text, wanted text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN NOT EXISTS (SELECT FROM unnest(chat_words(wanted)) AS w WHERE NOT EXISTS (
    SELECT FROM unnest(chat_words(name)) AS n WHERE starts_with(n, w)));

DROP INDEX message_words;
ALTER TABLE message DROP COLUMN words;
ALTER TABLE message ADD COLUMN words tsvector
    GENERATED ALWAYS AS (array_to_tsvector(chat_keys(conversation_id, body))) STORED;
-- Without a list of what is pending, which each conversation's look would read through.
CREATE INDEX message_words ON message USING gin (words) WITH (fastupdate = off);
"""

# Beneath row-level security `@@` uses no index, so practice and membership are repeated here, in place of it. Each
# conversation of the person is looked up in the index; that messages are theirs is compared after that, in a way that
# no other index offers itself.
SEARCH = definer_function(
    "chat_search(wanted text, conversation uuid, before_at timestamptz, before_id uuid, size int)",
    "TABLE (id uuid)",
    """SELECT m.id FROM (SELECT (chat_words(wanted))[1:8] AS words) AS asked
    JOIN participant p ON p.person_id = app_person() AND p.home_id = app_practice() AND p.left_at IS NULL
        AND (conversation IS NULL OR p.conversation_id = conversation)
    JOIN message m ON m.words @@ chat_query(p.conversation_id, asked.words)
        AND m.conversation_id IS NOT DISTINCT FROM p.conversation_id
    WHERE m.deleted_at IS NULL AND (before_at IS NULL OR (m.sent_at, m.id) < (before_at, before_id))
    ORDER BY m.sent_at DESC, m.id DESC LIMIT size""",
)


async def forwards():
    """Run the migration."""
    return sql_migration("chat", ID, DESCRIPTION, [WORDS, *SEARCH])
