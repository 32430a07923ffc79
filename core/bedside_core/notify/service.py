"""Puts notifications into the outbox, in the transaction of what they are about, and takes them out again (N3, N5)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from bedside_core import errors
from bedside_core.clock import Clock
from bedside_core.database import DB, Work
from bedside_core.ids import uuid7
from bedside_core.notify.channels import Ways
from bedside_core.notify.kinds import TYPES, Channel, Fact, NotificationKind, Recipient
from bedside_core.notify.reach import Reached, told_no_more
from bedside_core.notify.settings import USUAL_DELAY_SECONDS

if TYPE_CHECKING:
    from bedside_core.config import Config

_PATH = re.compile(r"/(?!/)[A-Za-z0-9/_.~#=-]{0,500}")
"""A link: nothing can be written in it that reads as a text, and it leads nowhere else."""
_LONGEST_NAME = 120
_PEOPLE = frozenset({"member", "patient"})


class Notify:
    """The notifications of one platform.

    Args:
        config: for the public address, and the patience with servers.
        clock: the product's time.
        kinds: every declared kind.
        ways: the channels that this deployment has.

    Raises:
        ValueError: two kinds have the same key.
    """

    def __init__(self, config: Config, clock: Clock, kinds: Iterable[NotificationKind], ways: Ways) -> None:
        self.kinds: dict[str, NotificationKind] = {}
        """Every kind by its key."""
        self.ways = ways
        self.address = config.public_url
        """The URL that links begin with. Whoever serves sets it where the operator did not."""
        self.send_seconds = config.notify_seconds
        self.turns: Mapping[Channel, asyncio.Lock] = {channel: asyncio.Lock() for channel in Channel}
        """One letter of a channel is under way at a time in a process, so that its sudden end doubles one at most."""
        self._fallback = f"http://{config.host}:{config.port}"
        self._clock = clock
        for kind in kinds:
            if kind.key in self.kinds:
                raise ValueError(f"the notification {kind.key} is declared twice")
            self.kinds[kind.key] = kind

    @property
    def clock(self) -> Clock:
        """The product's time."""
        return self._clock

    def url(self, path: str) -> str:
        """Return the URL of one of our paths, as it is written in mails."""
        return (self.address or self._fallback).rstrip("/") + path

    async def send(
        self,
        work: Work,
        kind: str,
        *,
        to: Recipient,
        data: Mapping[Fact, Any] | None = None,
        key: str | None = None,
        item: str | None = None,
        dedupe: str | None = None,
        after: timedelta | None = None,
    ) -> UUID | None:
        """Notify somebody, if the unit of work is committed. One statement, and nothing leaves the house within it.

        Args:
            work: the unit of work that the notification is about.
            kind: key of a declared kind.
            to: for whom.
            data: the facts that the kind declares; the practice's name is filled in.
            key: what it is about, such as a conversation's id: those with the same key for the same recipient make one
                while the first one waits (N3). By it they are cancelled, too.
            item: the single thing, such as a message's id, by which that one alone is taken out again.
            dedupe: a second one with the same is never made.
            after: how long it waits; by default the practice's delay, or not at all where the kind is urgent.

        Returns:
            The notification's id, which may be an older one's; None where the recipient is nobody of that practice.

        Raises:
            ValueError, TypeError: facts that this kind does not have, values that can't be such facts (N4), or no key
                where its mail carries a calendar file.
            LookupError: there is no such kind.
        """
        declared = self._declared(work, kind)
        if dedupe is not None and key is not None:
            raise ValueError("a notification has either a key or a dedupe")
        _has_key(declared, key)
        immediate = declared.urgent or (to.kind in {"account", "address"})
        return await DB.fetchval(
            "SELECT notify_put($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
            uuid7(),
            to.practice_id,
            kind,
            to.kind,
            to.id,
            _address(to),
            to.key,
            msgspec.json.encode(facts_of(declared, data or {})).decode(),
            key,
            dedupe,
            item,
            self._clock.now(),
            timedelta() if after is None and immediate else after,
            USUAL_DELAY_SECONDS,
        )

    async def send_all(
        self,
        work: Work,
        kind: str,
        *,
        to: Sequence[Recipient],
        data: Mapping[Fact, Any] | None = None,
        key: str | None = None,
        item: str | None = None,
    ) -> int:
        """Notify many members and patients of the same, if the unit of work is committed: one statement for all.

        Each is notified by the settings of their own practice.

        Args:
            work: the unit of work that the notification is about.
            kind: key of a declared kind.
            to: for whom; who is named twice is told once.
            data: the facts that the kind declares; the practice's name is filled in.
            key: as `send` takes it.
            item: as `send` takes it.

        Returns:
            How many are told; who is nobody of their practice is left out.

        Raises:
            ValueError, TypeError: facts that this kind does not have, values that can't be such facts (N4), or a
                recipient who is neither member nor patient.
            LookupError: there is no such kind.
        """
        declared = self._declared(work, kind)
        if any(each.kind not in _PEOPLE for each in to):
            raise ValueError("only members and patients are notified together")
        _has_key(declared, key)
        if not to:
            return 0
        return await DB.fetchval(
            "SELECT notify_put_all($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            [uuid7() for _ in to],
            [each.practice_id for each in to],
            kind,
            [each.kind for each in to],
            [each.id for each in to],
            msgspec.json.encode(facts_of(declared, data or {})).decode(),
            key,
            item,
            self._clock.now(),
            timedelta() if declared.urgent else None,
            USUAL_DELAY_SECONDS,
        )

    async def send_each(
        self,
        work: Work,
        kind: str,
        each: Sequence[tuple[Recipient, Mapping[Fact, Any]]],
        *,
        key: str | None = None,
        item: str | None = None,
        after: timedelta | None = None,
    ) -> None:
        """Notify many, each of facts of their own such as a link, if the unit is committed: one statement for all.

        Args:
            work: the unit of work that the notification is about.
            kind: key of a declared kind.
            each: for whom, and the facts that the kind declares.
            key: as `send` takes it.
            item: as `send` takes it.
            after: how long they wait; by default the practice's delay, for addresses too.

        Raises:
            ValueError, TypeError: facts that this kind does not have, values that can't be such facts (N4), or no key
                where its mail carries a calendar file.
            LookupError: there is no such kind.
        """
        declared = self._declared(work, kind)
        _has_key(declared, key)
        if not each:
            return
        await DB.execute(
            """SELECT notify_put(n.id, n.practice, $1, n.whom, n.whom_id, n.address, n.whom_key, n.facts, $2, NULL, $3,
                $4, $5, $6)
            FROM unnest($7::uuid[], $8::uuid[], $9::text[], $10::uuid[], $11::jsonb[], $12::text[], $13::jsonb[])
                AS n(id, practice, whom, whom_id, address, whom_key, facts)""",
            kind,
            key,
            item,
            self._clock.now(),
            after,
            USUAL_DELAY_SECONDS,
            [uuid7() for _ in each],
            [to.practice_id for to, _ in each],
            [to.kind for to, _ in each],
            [to.id for to, _ in each],
            [_address(to) for to, _ in each],
            [to.key for to, _ in each],
            [msgspec.json.encode(facts_of(declared, data)).decode() for _, data in each],
        )

    async def cancel(
        self, work: Work, kind: str, *, key: str, to: Recipient | None = None, item: str | None = None
    ) -> int:
        """Take out what was read, deleted or called off meanwhile, unless it is on its way already (N3).

        In the application it is shown no more.

        Args:
            work: the unit of work in which that happens.
            kind: key of a declared kind.
            key: as it was sent with.
            to: one recipient; None is everybody.
            item: this item alone: what is left is still sent, and tells of the last one of that.

        Returns:
            How many notifications are not sent for it.
        """
        if work.over:
            raise RuntimeError("a notification is cancelled in an open unit of work")
        return await DB.fetchval(
            "SELECT notify_cancel($1, $2, $3, $4, $5)", kind, key, to.key if to else None, item, self._clock.now()
        )

    async def cancel_all(
        self,
        work: Work,
        kinds: Sequence[str],
        *,
        key: str,
        to: Recipient | None = None,
        items: Sequence[str] | None = None,
        kept: Sequence[str] = (),
    ) -> int:
        """Take out of several kinds of notifications what was read, deleted or called off (N3): one statement.

        Args:
            work: the unit of work in which that happens.
            kinds: keys of declared kinds.
            key: as it was sent with.
            to: one recipient; None is everybody.
            items: these items; None is all but `kept`.
            kept: the items that stay, where `items` is None: what is left is still sent, and tells of the last of it.

        Returns:
            How many notifications are not sent for it.
        """
        if work.over:
            raise RuntimeError("a notification is cancelled in an open unit of work")
        return await DB.fetchval(
            "SELECT notify_cancel_all($1, $2, $3, $4, $5, $6)",
            list(kinds),
            key,
            to.key if to else None,
            None if items is None else list(items),
            list(kept),
            self._clock.now(),
        )

    async def waiting(self, kinds: Sequence[str], keys: Sequence[str]) -> Mapping[tuple[str, str, str], Sequence[str]]:
        """Return what nobody was told yet, of the acting practice: kind, recipient's key, key -> items."""
        rows = await DB.fetch(
            """SELECT n.kind, n.recipient_key, n.same_key, n.items FROM notification n
            WHERE n.same_key = ANY($2) AND n.kind = ANY($1) AND n.state = 'waiting'
                AND NOT EXISTS (SELECT FROM notification_shown s WHERE s.notification_id = n.id)""",
            list(kinds), list(keys),
        )  # fmt: skip
        return {(row["kind"], row["recipient_key"], row["same_key"]): row["items"] for row in rows}

    def _declared(self, work: Work, kind: str) -> NotificationKind:
        declared = self.kinds.get(kind)
        if declared is None:
            raise LookupError(f"no notification {kind!r} is declared")
        if work.over:
            raise RuntimeError("a notification belongs to an open unit of work")
        return declared

    async def told_no_more(
        self, work: Work, to: Recipient, reached: Sequence[Reached], *, account_id: UUID | None = None
    ) -> None:
        """Have somebody who acts for a patient be told no more: what is on its way to them is not sent (S11).

        Args:
            work: the unit of work in which they cease to.
            to: the patient.
            reached: where they were told.
            account_id: theirs, whose browsers get no more pushes; None is everybody's.
        """
        if work.over:
            raise RuntimeError("who is told no more is told so in an open unit of work")
        await told_no_more(to, reached, account_id, self._clock.now())

    async def erase(self, work: Work, keys: Sequence[str]) -> None:
        """Erase what was sent about things, by their keys: addresses, facts, attempts, and the links to them.

        Args:
            work: the unit of work in which the things are erased.
            keys: as it was sent with.
        """
        if work.over:
            raise RuntimeError("a notification is erased in an open unit of work")
        await DB.execute("SELECT notify_erase($1)", list(keys))

    def kind(self, key: str) -> NotificationKind:
        """Return a kind by its key.

        Raises:
            errors.NotFound: there is none.
        """
        if key not in self.kinds:
            raise errors.NotFound("There is no such notification.")
        return self.kinds[key]

    def told(self, stored: Mapping[str, Any], practice: str, zone: str) -> dict[str, Any]:
        """Return stored facts as texts take them: instants, and links with our address in front.

        Args:
            stored: out of the outbox.
            practice: the practice's name.
            zone: in which times are told.
        """
        facts: dict[str, Any] = {**stored, Fact.PRACTICE.value: practice, "zone": zone}
        if Fact.TIME.value in stored:
            facts[Fact.TIME.value] = datetime.fromisoformat(stored[Fact.TIME.value])
        if Fact.LINK.value in stored:
            facts[Fact.LINK.value] = self.url(stored[Fact.LINK.value])
        return facts

    def possible(self, channel: Channel) -> bool:
        """Tell whether this deployment has a channel."""
        return channel is Channel.IN_APP or channel in self.ways


def _has_key(kind: NotificationKind, key: str | None) -> None:
    if kind.calendar and key is None:
        raise ValueError(f"notification {kind.key}: its calendar file is found by the key, and there is none")


def _address(to: Recipient) -> str:
    stored = {"email": to.email, "phone": to.phone, "language": to.language, "account": to.about}
    return msgspec.json.encode(stored).decode()


def facts_of(kind: NotificationKind, data: Mapping[Fact, Any]) -> dict[str, Any]:
    """Return the facts of a notification as they are stored.

    Raises:
        ValueError, TypeError: a fact that the kind does not have, lacks, or that can't be one (N4).
    """
    declared = set(kind.facts) - {Fact.PRACTICE}
    if set(data) != declared:
        names = ", ".join(sorted(set(data) ^ declared))
        raise ValueError(f"notification {kind.key}: wrong facts: {names}")
    return {Fact(name).value: _value(kind, Fact(name), value) for name, value in data.items()}


def _value(kind: NotificationKind, fact: Fact, value: Any) -> Any:
    if not isinstance(value, TYPES[fact]):
        raise TypeError(f"notification {kind.key}: {fact} is a {type(value).__name__}")
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"notification {kind.key}: {fact} has no zone")
        return value.astimezone(UTC).isoformat()
    if fact is Fact.LINK and not _PATH.fullmatch(value):
        raise ValueError(f"notification {kind.key}: the link is no path of ours")
    return _named(value) if fact is Fact.SENDER else value


def _named(sender: str) -> str:
    """Return a name in one line of what can be seen, and short: people may be called otherwise, and are told of yet."""
    name = "".join(sign for sign in " ".join(sender.split()) if sign.isprintable())
    return name[:_LONGEST_NAME].strip() or "?"
