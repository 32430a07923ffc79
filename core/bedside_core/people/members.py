"""Members: staff administration and what each says of themselves (A8, A12, T1)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg  # pyright: ignore[reportMissingTypeStubs]

from bedside_core import audit, errors
from bedside_core.auth import SESSION_STREAM, Actor, Role, hash_password
from bedside_core.database import DB, Row, Work, acting, current_scope, unit
from bedside_core.ids import uuid7
from bedside_core.live import Topic
from bedside_core.paging import Page, key_of, page_of, page_size
from bedside_core.people import checks
from bedside_core.people.base import BY_NAME, Base, changes_of, raise_positions
from bedside_core.people.model import (
    Listed,
    Member,
    MemberChanged,
    MemberDeactivated,
    MemberJoined,
    MemberReactivated,
    Profile,
    Visibility,
)

_MEMBER = "SELECT id, practice_id, first_name, last_name, role, active, video_host FROM member"
_ACTIVE = f"{_MEMBER} WHERE active AND {BY_NAME}"
_INACTIVE = f"{_MEMBER} WHERE NOT active AND {BY_NAME}"
_PROFILE = "SELECT first_name, last_name, phone, email_for, phone_for, title FROM member WHERE id = $1"
_MISSING = "There is no member with this id that you may see."

ASSIGNABLE = frozenset({Role.OWNER, Role.MANAGER, Role.PRACTITIONER, Role.STAFF})
"""Roles that a member can have."""


class Members(Base):
    """Finds and changes members. Row-level security confines each statement to the acting practice."""

    async def members_by_id(self, ids: Sequence[UUID]) -> Mapping[UUID, Member]:
        """Return those of the members that the acting practice has, in one statement."""
        rows = await DB.fetch(f"{_MEMBER} WHERE id = ANY($1)", list(ids))
        return {row["id"]: _member(row) for row in rows}

    async def members(
        self, actor: Actor, *, first: int | None, after: str | None, inactive: bool = False
    ) -> Page[Member]:
        """Return the active members of the actor's practice, by name; or the deactivated ones."""
        actor.in_practice()
        size, key = page_size(first), key_of(after, str, str, UUID)
        rows = await DB.fetch(_INACTIVE if inactive else _ACTIVE, size + 1, *(key or (None, None, None)))
        return page_of(
            [_member(row) for row in rows],
            size,
            lambda item: (item.last_name, item.first_name, str(item.id)),
            after=after,
        )

    async def directory(self, ids: Sequence[UUID]) -> Mapping[UUID, Listed]:
        """Return those of the members that the acting practice sees: its own, and connected practices' (A8, P2)."""
        rows = await DB.fetch("SELECT * FROM directory($1)", list(ids))
        return {
            row["id"]: Listed(
                member=_member(row), practice_name=row["practice_name"], email=row["email"], phone=row["phone"]
            )
            for row in rows
        }

    async def create_account(self, email: str, password: str, *, operator: bool = False) -> UUID:
        """Make an account that signs in with a password; for the operator's commands and the demo.

        It is entered in the acting practice's audit trail, or else in the deployment's.
        """
        account_id, hashed, scope = uuid7(), await hash_password(password), current_scope()
        with acting(scope.practice_id or audit.DEPLOYMENT, scope.person_id):
            async with unit():
                await DB.execute(
                    "SELECT account_create($1, $2, $3, $4, $5)",
                    account_id,
                    email.strip(),
                    hashed,
                    operator,
                    self._clock.now(),
                )
                made = "operators.create" if operator else "accounts.create"
                audit.did(made, kind="account", target=account_id)
        return account_id

    async def create_member(
        self,
        practice_id: UUID,
        account_id: UUID,
        *,
        first_name: str,
        last_name: str,
        role: Role,
        member_id: UUID | None = None,
    ) -> Member:
        """Make an account a member of a practice; for accepted invitations and the demo."""
        member = Member(
            id=member_id or uuid7(),
            practice_id=practice_id,
            first_name=first_name,
            last_name=last_name,
            role=role,
        )
        with acting(practice_id):
            async with unit() as work:
                await DB.execute(
                    """INSERT INTO member (id, practice_id, account_id, first_name, last_name, role, created_at)
                    VALUES ($1, $2, $3, $4, $5, $6, $7)""",
                    member.id,
                    practice_id,
                    account_id,
                    first_name,
                    last_name,
                    role,
                    self._clock.now(),
                )
                work.emit(MemberJoined(practice_id=practice_id, member_id=member.id))
                audit.did("members.create", kind="member", target=member.id, detail={"role": role.value})
        return member

    async def change_role(self, actor: Actor, member_id: UUID, role: Role) -> Member:
        """Give a member another role; what their open sockets may do changes within a second.

        Raises:
            errors.NotFound: the practice has no such member.
            errors.InvalidInput: members don't have this role.
            errors.Forbidden: the role is owner's, before or after, and the actor is none.
            errors.Conflict: it is the practice's last owner.
        """
        practice_id, _ = actor.in_practice()
        if role not in ASSIGNABLE:
            raise errors.InvalidInput("Members don't have this role.", field=("role",))
        async with _changing(actor, member_id) as (work, before):
            if Role.OWNER in {role, before.role} and actor.role is not Role.OWNER and role is not before.role:
                raise errors.Forbidden("Only an owner makes owners or takes it from them.", way_on="Ask an owner.")
            if role is not before.role:
                await DB.execute("UPDATE member SET role = $2 WHERE id = $1", member_id, role)
                work.emit(MemberChanged(practice_id=practice_id, member_id=member_id, changed=("role",)))
                _did("role", member_id, before=before.role.value, after=role.value)
                await self._call_off(member_id)
                await raise_positions(work, practice_id)
        return (await self.members_by_id([member_id]))[member_id]

    async def set_video_host(self, actor: Actor, member_id: UUID, enabled: bool) -> Member:
        """Let a member host video, or not (T1); repeating it changes nothing.

        Raises:
            errors.NotFound: the practice has no such member.
        """
        practice_id, _ = actor.in_practice()
        async with _changing(actor, member_id) as (work, before):
            if before.video_host is not enabled:
                await DB.execute("UPDATE member SET video_host = $2 WHERE id = $1", member_id, enabled)
                work.emit(MemberChanged(practice_id=practice_id, member_id=member_id, changed=("video_host",)))
                _did("video_host", member_id, enabled=str(enabled).lower())
                await raise_positions(work, practice_id)
        return (await self.members_by_id([member_id]))[member_id]

    async def set_active(self, actor: Actor, member_id: UUID, active: bool) -> Member:
        """Deactivate a member, which ends their sessions and API keys for good (A10, A13), or let one sign in again.

        Raises:
            errors.NotFound: the practice has no such member.
            errors.Forbidden: the member is an owner and the actor is none.
            errors.Conflict: it is the practice's last owner.
        """
        practice_id, _ = actor.in_practice()
        async with _changing(actor, member_id) as (work, before):
            if before.role is Role.OWNER and actor.role is not Role.OWNER:
                raise errors.Forbidden("Only an owner does this to an owner.", way_on="Ask an owner.")
            if before.active is not active:
                await DB.execute("UPDATE member SET active = $2 WHERE id = $1", member_id, active)
                if not active:
                    await self._end_with(work, member_id)
                told = MemberReactivated if active else MemberDeactivated
                work.emit(told(practice_id=practice_id, member_id=member_id))
                _did("reactivate" if active else "deactivate", member_id)
                await self._call_off(member_id)
                await raise_positions(work, practice_id)
        return (await self.members_by_id([member_id]))[member_id]

    async def _call_off(self, member_id: UUID) -> None:
        """Call off the member's invitations that they could not send any more: nobody comes in by them (A1)."""
        for row in await DB.fetch("SELECT invitations_call_off($1, $2) AS id", member_id, self._clock.now()):
            audit.did("invitations.revoke", kind="invitation", target=row["id"])

    async def _end_with(self, work: Work, member_id: UUID) -> None:
        """End what stands for a member who is deactivated: it stays ended when they are active again."""
        now = self._clock.now()
        for row in await DB.fetch("SELECT * FROM auth_end_sessions(NULL, $1, NULL, NULL, NULL, $2)", member_id, now):
            work.publish(Topic(SESSION_STREAM, row["id"]), row["position"])
        for row in await DB.fetch("SELECT api_keys_end($1, $2) AS id", member_id, now):
            work.publish(Topic(SESSION_STREAM, row["id"]), 1)
            audit.did("keys.revoke", kind="api_key", target=row["id"])

    async def profile(self, actor: Actor) -> Profile:
        """Return what the actor says of themselves (A8)."""
        _, member_id = actor.in_practice()
        row = await DB.fetchrow(_PROFILE, member_id)
        if row is None:
            raise errors.NotFound(_MISSING)
        return _profile(row)

    async def update_profile(self, actor: Actor, patch: Mapping[str, Any]) -> Profile:
        """Change what the actor says of themselves, and who may see it (A8); the rest stays.

        Args:
            actor: whose profile.
            patch: name of a field of `Profile` -> new value; phone and title alone can be None.

        Raises:
            errors.InvalidInput: a value can't be right; `field` begins with `patch`.
        """
        practice_id, member_id = actor.in_practice()
        wanted = await self._patched_profile(patch)
        async with unit() as work:
            row = await DB.fetchrow(f"{_PROFILE} FOR UPDATE", member_id)
            if row is None:
                raise errors.NotFound(_MISSING)
            before = _profile(row)
            changes = changes_of(wanted, before)
            after = replace(before, **changes)
            if changes:
                await DB.execute(
                    """UPDATE member SET first_name = $2, last_name = $3, phone = $4, email_for = $5, phone_for = $6,
                        title = $7
                    WHERE id = $1""",
                    member_id,
                    *(getattr(after, name) for name in Profile.__dataclass_fields__),
                )
                work.emit(MemberChanged(practice_id=practice_id, member_id=member_id, changed=tuple(sorted(changes))))
                _did("profile", member_id, fields=sorted(changes))
        return after

    async def _patched_profile(self, patch: Mapping[str, Any]) -> dict[str, Any]:
        """Return a profile's patch as it is stored."""
        wanted = dict(patch)
        for name, value in wanted.items():
            if value is None and name not in {"phone", "title"}:
                raise errors.InvalidInput("This can't be null.", field=("patch", name))
        for name in {"first_name", "last_name"} & set(wanted):
            wanted[name] = checks.name(wanted[name], ("patch", name))
        if wanted.get("title") is not None:
            wanted["title"] = checks.text(wanted["title"], ("patch", "title"))
        if wanted.get("phone") is not None:
            wanted["phone"] = checks.phone(wanted["phone"], await self.regions(), ("patch", "phone"))
        return wanted


@asynccontextmanager
async def _changing(actor: Actor, member_id: UUID) -> AsyncGenerator[tuple[Work, Member]]:
    """Give a unit of work with the member's row locked as it is before.

    Raises:
        errors.NotFound: the practice has no such member.
        errors.Conflict: the block took its last owner from the practice.
    """
    actor.in_practice()
    try:
        async with unit() as work:
            row = await DB.fetchrow(f"{_MEMBER} WHERE id = $1 FOR UPDATE", member_id)
            if row is None:
                raise errors.NotFound(_MISSING)
            yield work, _member(row)
    except asyncpg.CheckViolationError as error:
        if getattr(error, "constraint_name", None) != "member_last_owner":
            raise
        raise errors.Conflict("A practice keeps an owner.", way_on="Make somebody else an owner first.") from error


def _did(what: str, member_id: UUID, **detail: str | Sequence[str]) -> None:
    audit.did(f"members.{what}", kind="member", target=member_id, detail=detail or None)


def _member(row: Row) -> Member:
    return Member(
        id=row["id"],
        practice_id=row["practice_id"],
        first_name=row["first_name"],
        last_name=row["last_name"],
        role=Role(row["role"]),
        active=row["active"],
        video_host=row["video_host"],
    )


def _profile(row: Row) -> Profile:
    return Profile(
        first_name=row["first_name"],
        last_name=row["last_name"],
        phone=row["phone"],
        email_for=Visibility(row["email_for"]),
        phone_for=Visibility(row["phone_for"]),
        title=row["title"],
    )
