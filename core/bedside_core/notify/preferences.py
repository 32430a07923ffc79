"""What a person has chosen of their notifications: language, zone, quiet hours, and which channels."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import available_timezones

from bedside_core import errors
from bedside_core.database import DB
from bedside_core.notify.kinds import Channel, Language, NotificationKind
from bedside_core.notify.settings import NotificationSettings

if TYPE_CHECKING:
    from bedside_core.platform import Platform

SWITCHABLE = frozenset({Channel.EMAIL, Channel.SMS, Channel.VOICE, Channel.PUSH})
"""The channels that a person can switch off; what is required comes all the same (N2)."""


@dataclass(frozen=True, kw_only=True)
class Preferences:
    """A person's choices.

    Args:
        language: of the texts; None is the practice's.
        zone: of times and quiet hours; None is the practice's.
        quiet_from: when quiet hours begin each day, local time; None for none.
        quiet_until: when they end.
        switched_off: the channels not wanted.
        calls: whether calls are wanted, which come to nobody who has not chosen them (N7).
    """

    language: Language | None = None
    zone: str | None = None
    quiet_from: time | None = None
    quiet_until: time | None = None
    switched_off: frozenset[Channel] = frozenset()
    calls: bool = False


NONE = Preferences()


async def preferences(person_ids: Sequence[UUID]) -> Mapping[UUID, Preferences]:
    """Return what people of the acting practice have chosen, in one statement; who has not is left out."""
    rows = await DB.fetch(
        """SELECT person_id, language, zone, quiet_from, quiet_until, switched_off, calls
        FROM notification_preference
        WHERE person_id = ANY($1)""",
        list(person_ids),
    )
    return {
        row["person_id"]: Preferences(
            language=Language(row["language"]) if row["language"] else None,
            zone=row["zone"],
            quiet_from=row["quiet_from"],
            quiet_until=row["quiet_until"],
            switched_off=frozenset(map(Channel, row["switched_off"])),
            calls=row["calls"],
        )
        for row in rows
    }


async def language_of(platform: Platform, person_id: UUID) -> Language:
    """Return the language in which a person of the acting practice reads: the one they chose, else the practice's."""
    chosen = (await preferences([person_id])).get(person_id, NONE).language
    if chosen is not None:
        return chosen
    spanish = (await platform.settings.read(NotificationSettings)).spanish
    return Language.SPANISH if spanish else Language.ENGLISH


async def prefer(practice_id: UUID, person_id: UUID, chosen: Preferences) -> None:
    """Store a person's choices in place of the former ones.

    Raises:
        errors.InvalidInput: a choice that can't be made.
    """
    if (chosen.quiet_from is None) != (chosen.quiet_until is None):
        raise errors.InvalidInput("Quiet hours have a beginning and an end.", field=("patch", "quietFrom"))
    if chosen.zone is not None and chosen.zone not in available_timezones():
        raise errors.InvalidInput("This is not an IANA time zone.", field=("patch", "zone"))
    if chosen.switched_off - SWITCHABLE:
        raise errors.InvalidInput(
            "Notifications in the application can't be switched off.", field=("patch", "switchedOff")
        )
    await DB.execute(
        """INSERT INTO notification_preference
            (practice_id, person_id, language, zone, quiet_from, quiet_until, switched_off, calls)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (practice_id, person_id) DO UPDATE SET language = excluded.language, zone = excluded.zone,
            quiet_from = excluded.quiet_from, quiet_until = excluded.quiet_until,
            switched_off = excluded.switched_off, calls = excluded.calls""",
        practice_id,
        person_id,
        chosen.language,
        chosen.zone,
        chosen.quiet_from,
        chosen.quiet_until,
        sorted(chosen.switched_off),
        chosen.calls,
    )


def switched_off(
    kind: NotificationKind,
    channel: Channel,
    chosen: Preferences,
    of_practice: Collection[Channel],
    *,
    has_email: bool,
) -> str | None:
    """Return who has switched a channel off for a notification; None where it is to be taken (N2, N7).

    Args:
        kind: what is notified of.
        channel: the way.
        chosen: the person's choices.
        of_practice: the channels that the practice has switched off.
        has_email: whether the person has an e-mail address: a phone that is the only one is always used.
    """
    if channel in kind.required or (channel is Channel.SMS and not has_email):
        return None
    if channel in of_practice:
        return "switched off by the practice"
    if channel is Channel.VOICE and not chosen.calls:
        return "not chosen by the person"
    return "switched off by the person" if channel in chosen.switched_off else None
