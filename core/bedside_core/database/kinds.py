"""The three kinds of tables that row-level security knows, and the SQL by which a migration makes each."""

from __future__ import annotations

from enum import StrEnum

APPLICATION = "bedside_application"
"""The group role that the application's login role is a member of; migrations grant to it."""
QUEUE = "bedside_queue"
"""The group role that may touch the job queue's tables; the login role takes it on by `SET ROLE` only."""

PRACTICE_RULE = "practice_id = (SELECT app_practice())"
"""What every row of a practice table must meet. The sub-select makes PostgreSQL ask once per statement, not per row."""


class Kind(StrEnum):
    """Who may see the rows of a table."""

    PRACTICE = "practice"
    """The practice in `practice_id`, nobody else."""
    SHARED = "shared"
    """The owning practice in `practice_id`, and people of others who take part."""
    DEPLOYMENT = "deployment"
    """Nobody directly: reached through named functions only (accounts, tokens, the queue)."""


INFRASTRUCTURE: dict[str, Kind] = {
    "migration": Kind.DEPLOYMENT,
    "pgqueuer": Kind.DEPLOYMENT,
    "pgqueuer_log": Kind.DEPLOYMENT,
    "pgqueuer_schedules": Kind.DEPLOYMENT,
    "pgqueuer_statistics": Kind.DEPLOYMENT,
}
"""Tables that libraries bring along. The application may read `migration`, to tell whether one is pending."""

SCOPE_FUNCTIONS = tuple(
    f"""CREATE OR REPLACE FUNCTION {name}() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('{setting}', true), '')::uuid"""
    for name, setting in (("app_practice", "app.practice_id"), ("app_person", "app.person_id"))
)
"""The scope of `acting(…)` as SQL: `app_practice()` and `app_person()` give a uuid, or null where nothing was set."""


def practice_table(table: str, grants: str = "SELECT, INSERT, UPDATE, DELETE") -> list[str]:
    """Return the SQL that opens a table to the practice in its `practice_id` column alone.

    Args:
        table: an existing table with `practice_id uuid NOT NULL`.
        grants: what the application may do, fewer for append-only tables.
    """
    return [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"CREATE POLICY practice ON {table} TO {APPLICATION} USING ({PRACTICE_RULE}) WITH CHECK ({PRACTICE_RULE})",
        f"GRANT {grants} ON {table} TO {APPLICATION}",
    ]


def shared_table(
    table: str, reads: str, writes: str | None = None, grants: str = "SELECT, INSERT, UPDATE, DELETE"
) -> list[str]:
    """Return the SQL that opens a table to the owning practice and to people of others who take part.

    Args:
        table: an existing table with `practice_id uuid NOT NULL`.
        reads: SQL that is true for rows a participant sees: a call of a definer function (`takes_part(id)`), or a
            comparison with `(SELECT app_person())`; never a query, for policies that query each other recurse.
        writes: SQL that is true for rows a participant may insert and change; None for the practice alone.
        grants: what the application may do, fewer for append-only tables.
    """
    statements = [
        *practice_table(table, grants),
        f"CREATE POLICY participant ON {table} FOR SELECT TO {APPLICATION} USING ({reads})",
    ]
    if writes is not None:
        statements += [
            f"CREATE POLICY participant_inserts ON {table} FOR INSERT TO {APPLICATION} WITH CHECK ({writes})",
            f"CREATE POLICY participant_updates ON {table} FOR UPDATE TO {APPLICATION} "
            f"USING ({writes}) WITH CHECK ({writes})",
        ]
    return statements


def deployment_table(table: str) -> list[str]:
    """Return the SQL that closes a table to the application: only definer functions reach it."""
    return [f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY", f"REVOKE ALL ON {table} FROM PUBLIC, {APPLICATION}"]


def definer_function(
    signature: str, returns: str, body: str, *, language: str = "sql", volatility: str = "STABLE"
) -> list[str]:
    """Return the SQL of a function that runs as the tables' owner, past row-level security: it must check for itself.

    Args:
        signature: name and parameters without defaults, `find_token(token_hash bytea)`.
        returns: `uuid`, `boolean`, `TABLE(id uuid, name text)`, …
        body: the statement, or the block in plpgsql. Its search path is pinned, temporary tables last, so that nobody
            can slip tables or operators of their own under it (CVE-2018-1058).
        language: `sql` or `plpgsql`.
        volatility: `STABLE`, or `VOLATILE` where it writes.
    """
    return [
        f"CREATE OR REPLACE FUNCTION {signature} RETURNS {returns} LANGUAGE {language} {volatility} SECURITY DEFINER "
        f"SET search_path = pg_catalog, public, pg_temp AS $definer${body}$definer$",
        f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC",
        f"GRANT EXECUTE ON FUNCTION {signature} TO {APPLICATION}",
    ]
