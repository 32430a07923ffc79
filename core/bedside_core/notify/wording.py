"""The practice's own texts in place of ours, template by template (N8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import structlog

from bedside_core import errors
from bedside_core.database import DB
from bedside_core.notify.kinds import Channel, Language, NotificationKind, Part
from bedside_core.notify.texts import Rendered, faults_of, rendered

log = structlog.get_logger("bedside.notify")

Wording = Mapping[Part, str]
"""Part -> template, for one kind and language."""


async def wording() -> Mapping[tuple[str, Language], Wording]:
    """Return the acting practice's own templates by kind and language, in one statement."""
    found: dict[tuple[str, Language], dict[Part, str]] = {}
    for row in await DB.fetch("SELECT kind, language, part, template FROM notification_text"):
        found.setdefault((row["kind"], Language(row["language"])), {})[Part(row["part"])] = row["template"]
    return found


def said(
    kind: NotificationKind,
    channel: Channel,
    own: Wording,
    facts: Mapping[str, Any],
    *,
    language: Language,
    tried: Wording | None = None,
) -> Rendered:
    """Return what a notification says on a channel, in our words where the practice's own don't fit any more.

    Args:
        kind: its kind, which may have changed since the practice wrote its texts.
        channel: on which it goes.
        own: the practice's templates.
        facts: value of each placeholder, as `rendered` takes them.
        language: the recipient's.
        tried: templates that were just checked and stand in either.
    """
    tried = tried or {}
    try:
        return rendered(kind, channel, {**own, **tried}, facts, language=language)
    except Exception as error:
        log.warning("a practice's own text does not fit", kind=kind.key, failure=type(error).__name__)
        return rendered(kind, channel, tried, facts, language=language)


def check(kind: NotificationKind, part: Part, template: str) -> None:
    """See that a template can be used.

    Raises:
        errors.InvalidInput: it can't, and why.
    """
    if kind.of_account:
        raise errors.InvalidInput(
            "This notification concerns an account and no practice: its text is the same for all.",
            way_on="`notificationTemplates` tells by `overridable` whose texts are the practice's to change.",
            field=("kind",),
        )
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
