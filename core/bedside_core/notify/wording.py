"""The practice's own texts in place of ours, template by template (N8)."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from bedside_core import errors
from bedside_core.database import DB
from bedside_core.notify.kinds import Language, NotificationKind, Part
from bedside_core.notify.texts import faults_of

Wording = Mapping[Part, str]
"""Part -> template, for one kind and language."""


async def wording() -> Mapping[tuple[str, Language], Wording]:
    """Return the acting practice's own templates by kind and language, in one statement."""
    found: dict[tuple[str, Language], dict[Part, str]] = {}
    for row in await DB.fetch("SELECT kind, language, part, template FROM notification_text"):
        found.setdefault((row["kind"], Language(row["language"])), {})[Part(row["part"])] = row["template"]
    return found


def check(kind: NotificationKind, part: Part, template: str) -> None:
    """See that a template can be used.

    Raises:
        errors.InvalidInput: it can't, and why.
    """
    if part is not Part.HTML and part not in kind.texts[Language.ENGLISH]:
        raise errors.InvalidInput("This notification has no such part.", field=("part",))
    if faults := faults_of(kind, part, template):
        raise errors.InvalidInput(faults[0], field=("template",))


async def override(practice_id: UUID, kind: NotificationKind, language: Language, part: Part, template: str) -> None:
    """Put a template of the practice's own in place of ours.

    Raises:
        errors.InvalidInput: it can't be used, and why.
    """
    check(kind, part, template)
    await DB.execute(
        """INSERT INTO notification_text (practice_id, kind, language, part, template) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (practice_id, kind, language, part) DO UPDATE SET template = excluded.template""",
        practice_id,
        kind.key,
        language,
        part,
        template,
    )


async def reset(kind: NotificationKind, language: Language, part: Part | None) -> None:
    """Take up our text again, of one part or of all."""
    await DB.execute(
        "DELETE FROM notification_text WHERE kind = $1 AND language = $2 AND ($3::text IS NULL OR part = $3)",
        kind.key,
        language,
        part,
    )
