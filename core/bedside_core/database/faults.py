"""Finds tables, policies, keys, views and functions that would let one practice's rows reach another."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from bedside_core.database.driver import Connection, Row
from bedside_core.database.kinds import APPLICATION, INFRASTRUCTURE, Kind

_RULE = "(practice_id = ( SELECT app_practice() AS app_practice))"

_TABLES = """
SELECT c.oid, c.relname AS name, c.relrowsecurity AS secured, c.relowner::regrole::text AS owner,
  pg_has_role(c.relowner, $1, 'USAGE') AND NOT (SELECT rolsuper FROM pg_roles WHERE oid = c.relowner) AS owned,
  EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'practice_id' AND NOT a.attisdropped
          AND a.attnotnull AND a.atttypid = 'uuid'::regtype) AS has_practice,
  ARRAY(SELECT p FROM unnest(ARRAY['SELECT','INSERT','UPDATE','DELETE','TRUNCATE','REFERENCES','TRIGGER']) p
        WHERE has_table_privilege($1, c.oid, p)
        OR (p IN ('SELECT','INSERT','UPDATE','REFERENCES') AND has_any_column_privilege($1, c.oid, p))) AS grants
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY c.relname"""

_POLICIES = """
SELECT p.polrelid::regclass::text AS name, p.polname AS policy, p.polpermissive AS permissive,
  p.polcmd::text AS command,
  pg_get_expr(p.polqual, p.polrelid) AS reads, pg_get_expr(p.polwithcheck, p.polrelid) AS writes,
  (SELECT min(d.refobjid::regclass::text) FROM pg_depend d WHERE d.classid = 'pg_policy'::regclass AND d.objid = p.oid
   AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> p.polrelid) AS queries
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1, 2"""

_KEYS = """
SELECT k.conrelid::regclass::text AS name, k.confrelid::regclass::text AS target, k.conname AS key,
  EXISTS (SELECT FROM unnest(k.conkey, k.confkey) AS pair(ours, theirs)
          JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = pair.ours AND a.attname = 'practice_id'
          JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = pair.theirs AND b.attname = 'practice_id')
    AS composite
FROM pg_constraint k WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace ORDER BY 1, 3"""

_UNIQUES = """
SELECT i.indrelid::regclass::text AS name, i.indexrelid::regclass::text AS key FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid
WHERE c.relnamespace = 'public'::regnamespace AND i.indisunique AND NOT i.indisprimary AND NOT EXISTS
  (SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attname = 'practice_id' AND a.attnum = ANY (i.indkey))
ORDER BY 1, 2"""

_VIEWS = """
SELECT c.relname AS name FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
AND has_table_privilege($1, c.oid, 'SELECT') AND (c.relkind = 'm' OR c.relkind = 'v' AND NOT EXISTS
  (SELECT FROM unnest(c.reloptions) o WHERE o IN ('security_invoker=true', 'security_invoker=on')))
ORDER BY 1"""

_FUNCTIONS = """
SELECT p.oid::regprocedure::text AS name,
  EXISTS (SELECT FROM unnest(p.proconfig) o WHERE o LIKE 'search_path=%pg_temp') AS pinned,
  EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0) AS open
FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef ORDER BY 1"""


async def table_faults(
    connection: Connection, kinds: Mapping[str, Kind], only: Collection[str] | None = None
) -> list[str]:
    """Compare a database's tables with their declared kinds.

    Args:
        connection: to the database; any role that may read the catalogue.
        kinds: every declared table by name. The tables that libraries bring along need no declaration.
        only: look at these tables alone, and not at views and functions.

    Returns:
        One sentence for each fault; empty when every row is where only those who may can reach it.
    """
    declared = {**INFRASTRUCTURE, **kinds}
    tables = {row["name"]: row for row in await connection.fetch(_TABLES, APPLICATION)}
    policies: dict[str, list[Row]] = {}
    for policy in await connection.fetch(_POLICIES):
        policies.setdefault(policy["name"], []).append(policy)
    faults: list[tuple[str, str]] = [(name, "is declared, but does not exist") for name in kinds if name not in tables]
    for name, table in tables.items():
        kind = declared.get(name)
        if kind is None:
            faults.append((name, "has no declared kind: name it in TABLE_KINDS"))
            continue
        faults += [(name, fault) for fault in _of_table(table, kind, policies.get(name, []))]
    for row in await connection.fetch(_KEYS):
        both = {declared.get(row["name"]), declared.get(row["target"])}
        if both <= {Kind.PRACTICE, Kind.SHARED} and not row["composite"]:
            faults.append(
                (row["name"], f"refers to {row['target']} without practice_id in the foreign key {row['key']}")
            )
    for row in await connection.fetch(_UNIQUES):
        if declared.get(row["name"]) is Kind.PRACTICE:
            faults.append(
                (row["name"], f"tells of other practices' values: practice_id is not in the unique {row['key']}")
            )
    told = [f"table {name} {fault}" for name, fault in sorted(faults) if only is None or name in only]
    return told if only is not None else told + await _of_views_and_functions(connection)


def _of_table(table: Row, kind: Kind, policies: list[Row]) -> list[str]:
    faults: list[str] = []
    if table["owned"]:
        faults.append(
            f"is owned by {table['owner']}, the application's own role, which row-level security does not bind"
        )
    if not table["secured"]:
        faults.append("has row-level security off")
    if kind is Kind.DEPLOYMENT:
        allowed = {"SELECT"} if table["name"] == "migration" else set[str]()
        if grants := set(table["grants"]) - allowed:
            faults.append(f"is a deployment table, but the application has {', '.join(sorted(grants))} on it")
        return faults
    if not table["has_practice"]:
        faults.append("has no column practice_id uuid NOT NULL")
    if past := {"TRUNCATE", "REFERENCES", "TRIGGER"} & set(table["grants"]):
        faults.append(f"grants {', '.join(sorted(past))}, which row-level security does not bind")
    if not any(_by_practice(policy) for policy in policies):
        faults.append("has no policy for the practice: use practice_table() or shared_table()")
    for policy in policies:
        if kind is Kind.PRACTICE and policy["permissive"] and not _by_practice(policy):
            faults.append(f"is a practice table, but its policy {policy['policy']} lets rows through by another rule")
        if policy["queries"]:
            faults.append(f"has a policy {policy['policy']} that queries {policy['queries']}: use a definer function")
        if policy["permissive"] and "true" in {policy["reads"], policy["writes"]}:
            faults.append(f"has a policy {policy['policy']} that is always true")
    return faults


def _by_practice(policy: Row) -> bool:
    """Whether a policy lets exactly the practice's rows through, both ways."""
    return policy["permissive"] and policy["command"] == "*" and policy["reads"] == policy["writes"] == _RULE


async def _of_views_and_functions(connection: Connection) -> list[str]:
    faults = [
        f"view {row['name']} shows every practice's rows: make it WITH (security_invoker = true)"
        for row in await connection.fetch(_VIEWS, APPLICATION)
    ]
    for row in await connection.fetch(_FUNCTIONS):
        if not row["pinned"]:
            faults.append(
                f"function {row['name']} runs as its owner without a pinned search_path: use definer_function()"
            )
        if row["open"]:
            faults.append(f"function {row['name']} runs as its owner and PUBLIC may call it: use definer_function()")
    return faults
