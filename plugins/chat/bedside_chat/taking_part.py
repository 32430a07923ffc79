"""Who takes part: joined, added, left and removed; groups found and changed (C7, C8, C9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from bedside_chat import telling
from bedside_chat.api import CONVERSATION_STREAM, Conversation, ParticipantsChanged
from bedside_chat.guest_links import LinkChannel
from bedside_chat.joins import Joining
from bedside_chat.kinds import ConversationKind
from bedside_chat.reading import LONGEST_TEXT
from bedside_chat.rows import MISSING
from bedside_chat.rules import LastMember, not_there, standing_of
from bedside_chat.standing import Standing
from bedside_chat.starting import Starting, at_once, by_link, group_description, group_name
from bedside_core.api import (
    DB,
    Actor,
    Forbidden,
    InvalidInput,
    NotFound,
    Page,
    PersonKind,
    Topic,
    Work,
    audit,
    key_of,
    page_of,
    page_size,
    unit,
)

_LEAVE = """
WITH gone AS (
    SELECT p.person_id FROM participant p WHERE p.conversation_id = $1 AND p.person_id = $2 AND p.left_at IS NULL
), moved AS (
    UPDATE conversation SET "position" = "position" + 1 WHERE id = $1 AND EXISTS (SELECT FROM gone)
    RETURNING "position", last_position, messages
), quiet AS (
    UPDATE urgent_recipient u SET remind_at = NULL FROM gone g
    WHERE u.conversation_id = $1 AND u.person_id = g.person_id AND u.remind_at IS NOT NULL
)
UPDATE participant p SET left_at = $3, removed = $4, changed = m."position", read_position = m.last_position,
    read_number = m.messages
FROM moved m WHERE p.conversation_id = $1 AND p.person_id = $2 AND p.left_at IS NULL
RETURNING m."position", p.kind, p.home_id, p.by_link,
    EXISTS (SELECT FROM guest_link g WHERE g.conversation_id = $1 AND g.person_id = $2) AS linked
"""
_CHANGE = """UPDATE conversation SET "position" = "position" + 1, changed = "position" + 1, name = $2, description = $3,
    private = $4
WHERE id = $1 AND (name, description, private) IS DISTINCT FROM ($2, $3, $4) RETURNING "position",
    (SELECT array_agg(p.person_id) FROM participant p WHERE p.conversation_id = $1 AND p.left_at IS NULL) AS persons"""


@dataclass(frozen=True, kw_only=True)
class Group:
    """A group as those find it who could join it (C8).

    Args:
        id: the conversation.
        name: what it is called.
        description: what it is for.
        members: how many take part.
        joined: whether the finder does.
    """

    id: UUID
    name: str
    description: str | None
    members: int
    joined: bool


class TakingPart(Starting):
    """Changes who takes part."""

    async def groups(self, actor: Actor, text: str, *, first: int | None, after: str | None) -> Page[Group]:
        """Return the practice's groups that are not private, whose name holds a text, by name (C8).

        Args:
            actor: a member of the practice.
            text: part of a name, in any case; empty is all.
            first: how many.
            after: cursor after which the page begins.

        Raises:
            InvalidInput: the text is too long, or a foreign cursor.
        """
        practice_id, person_id = actor.in_practice()
        await self._platform.access.require(actor, "chat.find_groups")
        if len(text) > LONGEST_TEXT:
            raise InvalidInput(f"A search has at most {LONGEST_TEXT} characters.", field=("text",))
        size, key = page_size(first), key_of(after, str, UUID)
        rows = await DB.fetch(
            """SELECT c.id, c.name, c.description, lower(c.name) AS sort,
                (SELECT count(*) FROM participant p WHERE p.conversation_id = c.id AND p.left_at IS NULL) AS members,
                EXISTS (SELECT FROM participant p WHERE p.conversation_id = c.id AND p.person_id = $2
                    AND p.left_at IS NULL) AS joined
            FROM conversation c
            WHERE c.practice_id = $1 AND c.kind = 'group' AND NOT c.private
                AND strpos(lower(c.name), lower($3)) > 0
                AND ($4::text IS NULL OR (lower(c.name), c.id) > ($4, $5))
            ORDER BY lower(c.name), c.id LIMIT $6""",
            practice_id,
            person_id,
            text.strip(),
            *(key or (None, None)),
            size + 1,
        )
        names = {row["id"]: row["sort"] for row in rows}
        groups = [Group(**{name: row[name] for name in Group.__dataclass_fields__}) for row in rows]
        return page_of(groups, size, lambda item: (names[item.id], str(item.id)), after=after)

    async def join(self, actor: Actor, conversation_id: UUID) -> Conversation:
        """Join a group of the practice that is not private; to be in it already is fine (C8).

        Raises:
            NotFound: no such group that the actor could find.
        """
        practice_id, person_id = actor.in_practice()
        await self._platform.access.require(actor, "chat.join_group")
        open_to_all = await DB.fetchval(
            "SELECT kind = 'group' AND NOT private FROM conversation WHERE id = $1 AND practice_id = $2",
            conversation_id,
            practice_id,
        )
        if not open_to_all and await standing_of(self._platform, actor, conversation_id) is None:
            raise NotFound(MISSING)
        if open_to_all:
            [oneself] = await self._members([person_id])
            async with unit() as work:
                await self._add(work, practice_id, conversation_id, [oneself], person_id)
        return await self._one(actor, conversation_id)

    async def add(
        self,
        actor: Actor,
        conversation_id: UUID,
        person_ids: Sequence[UUID],
        *,
        channel: LinkChannel | None = None,
    ) -> Conversation:
        """Add people to a group, or members to a conversation with a patient or contact; who is in it stays (C7, C8).

        Args:
            actor: somebody in it, of the owning practice.
            conversation_id: one of theirs.
            person_ids: members, and outsiders where it is a group and the practice allows them; at most 100.
            channel: how contacts are sent their links; None is by e-mail where there is an address, else by SMS.

        Raises:
            NotFound: no such conversation of theirs, or one of the people is nobody that the actor sees.
            Forbidden: this kind takes nobody further, or the actor is not of the owning practice.
            SwitchedOff: outsiders are not allowed in groups.
            InvalidInput: too many people.
        """
        practice_id, person_id = actor.in_practice()
        standing = await self._owned(actor, conversation_id, "chat.add_people")
        if not standing.way.members_join:
            raise Forbidden("Nobody can be added to this conversation.", way_on="Create a group.")
        ids = at_once(list(dict.fromkeys(person_ids)))
        if standing.kind is ConversationKind.GROUP:
            joining = await self._invited(practice_id, ids)
        else:
            joining = await self._members(ids)
            if any(each.home_id != practice_id for each in joining):
                raise Forbidden(
                    "Only members of your practice can be added to a conversation with a patient or contact.",
                    way_on="Create a group.",
                )
        async with unit() as work:
            await self._add(work, practice_id, conversation_id, joining, person_id, channel)
        return await self._one(actor, conversation_id)

    async def leave(self, actor: Actor, conversation_id: UUID, *, last_member_confirmed: bool = False) -> bool:
        """Leave a conversation; in a direct, external or patient one a new message brings it back (C9).

        Args:
            actor: who leaves.
            conversation_id: one of theirs.
            last_member_confirmed: leave also where nobody of the practice would be left with a patient or contact.

        Returns:
            True.

        Raises:
            NotFound: none of theirs.
            LastMember: nobody of the practice would be left.
        """
        _, person_id = actor.as_person()
        await self._platform.access.require(actor, "chat.leave", conversation_id)
        async with unit() as work:
            await DB.execute("SELECT FROM conversation WHERE id = $1 FOR NO KEY UPDATE", conversation_id)
            standing = await standing_of(self._platform, actor, conversation_id)
            if standing is None:
                raise not_there().problem()
            last = standing.way.about_somebody and standing.person_kind is PersonKind.MEMBER
            if last and not last_member_confirmed and not await self._others(conversation_id, person_id):
                raise LastMember(
                    "You are the last of your practice in this conversation.",
                    way_on="Leave with lastMemberConfirmed: true; a new message brings it back.",
                )
            await self._take_out(work, standing.practice_id, conversation_id, person_id, removed=False)
        return True

    async def remove(self, actor: Actor, conversation_id: UUID, person_id: UUID) -> Conversation:
        """Remove somebody from a group, or an added member from a conversation with a patient or contact.

        Args:
            actor: who made the group, or has the permission to moderate; of outsiders any member in it.
            conversation_id: one of theirs.
            person_id: who is removed; they hear and read nothing from then on, on every process.

        Raises:
            NotFound: none of theirs, or nobody in it.
            Forbidden: not theirs to remove, or oneself: who leaves is warned, and comes back as C9 has it.
        """
        practice_id, own_id = actor.in_practice()
        standing = await self._owned(actor, conversation_id, "chat.remove_people")
        if person_id == own_id:
            raise Forbidden("Nobody removes themselves.", way_on="Leave it instead.", field=("personId",))
        row = await DB.fetchrow(
            """SELECT p.kind, p.home_id, c.only_key FROM participant p JOIN conversation c ON c.id = p.conversation_id
            WHERE p.conversation_id = $1 AND p.person_id = $2 AND p.left_at IS NULL""",
            conversation_id,
            person_id,
        )
        if row is None:
            raise NotFound("There is nobody with this id in the conversation.", field=("personId",))
        if not standing.way.members_join or str(person_id) in (row["only_key"] or ""):
            raise Forbidden("Nobody can be removed whom the conversation is about.", way_on="Leave it instead.")
        outsider = row["kind"] != "member" or row["home_id"] != practice_id
        own = outsider or own_id == standing.created_by
        if not own and (refusal := await self._platform.access.why_not(actor, "chat.moderate")):
            raise refusal.problem()
        async with unit() as work:
            await self._take_out(work, standing.practice_id, conversation_id, person_id, removed=True)
            audit.did("chat.remove_person", kind="conversation", target=conversation_id)
        return await self._one(actor, conversation_id)

    async def change_group(
        self,
        actor: Actor,
        conversation_id: UUID,
        *,
        name: str | None = None,
        description: str | None = None,
        private: bool | None = None,
    ) -> Conversation:
        """Change a group's name, description or privacy; what is None stays, an empty description goes.

        Args:
            actor: who made it, or has the permission to moderate.
            conversation_id: one of theirs.
            name: what it is called from now on.
            description: what it is for.
            private: whether it is joined by invitation only.

        Raises:
            NotFound: none of theirs.
            Forbidden: it is no group, or not theirs to change.
            InvalidInput: a name or description that can't be.
        """
        _, own_id = actor.in_practice()
        standing = await self._owned(actor, conversation_id, "chat.add_people")
        if standing.kind is not ConversationKind.GROUP:
            raise Forbidden("Only a group has a name, a description and privacy.")
        if own_id != standing.created_by and (refusal := await self._platform.access.why_not(actor, "chat.moderate")):
            raise refusal.problem()
        before = await self._one(actor, conversation_id)
        async with unit() as work:
            row = await DB.fetchrow(
                _CHANGE,
                conversation_id,
                before.name if name is None else group_name(name),
                before.description if description is None else group_description(description),
                before.private if private is None else private,
            )
            if row is not None:
                work.publish(Topic(CONVERSATION_STREAM, conversation_id), row["position"])
                self._tell_inboxes(work, conversation_id, row["persons"])
        return await self._one(actor, conversation_id)

    async def join_team(self, practice_id: UUID, member_id: UUID) -> None:
        """Have a new member of a practice join its team conversation, where there is one (C1)."""
        conversation_id = await DB.fetchval("SELECT id FROM conversation WHERE only_key = $1", str(practice_id))
        if conversation_id is None:
            return
        people = await self._members([member_id])
        async with unit() as work:
            await self._add(work, practice_id, conversation_id, people, member_id)

    async def _owned(self, actor: Actor, conversation_id: UUID, permission: str) -> Standing:
        """Return where a member of the owning practice stands.

        Raises:
            NotFound: none of theirs.
            Forbidden: another practice owns it.
        """
        practice_id, _ = actor.in_practice()
        await self._platform.access.require(actor, permission, conversation_id)
        standing = await standing_of(self._platform, actor, conversation_id)
        if standing is None:
            raise not_there().problem()
        if standing.practice_id != practice_id:
            raise Forbidden("Another practice owns this conversation.", way_on="Ask somebody of it who is in it.")
        return standing

    async def _add(
        self,
        work: Work,
        practice_id: UUID,
        conversation_id: UUID,
        joining: Sequence[Joining],
        added_by: UUID,
        channel: LinkChannel | None = None,
    ) -> None:
        joined = await self._enter(conversation_id, joining, added_by, self._platform.clock.now())
        if joined:
            self._tell(work, practice_id, conversation_id, tuple(joined), max(joined.values()), joined=True)
            entered = by_link([each for each in joining if each.person_id in joined])
            await self._links.send_missing(work, conversation_id, entered, added_by, channel)

    async def _take_out(
        self, work: Work, practice_id: UUID, conversation_id: UUID, person_id: UUID, *, removed: bool
    ) -> None:
        now = self._platform.clock.now()
        row = await DB.fetchrow(_LEAVE, conversation_id, person_id, now, removed)
        if row is None:
            return
        if row["linked"]:  # whoever came by it is put out on every process
            await self._links.void(work, conversation_id, person_id)
        who = telling.recipient(row["kind"], row["home_id"], person_id, by_link=row["by_link"])
        await telling.left(self._platform, work, conversation_id, who)
        self._tell(work, practice_id, conversation_id, (person_id,), row["position"], joined=False)

    def _tell(
        self,
        work: Work,
        practice_id: UUID,
        conversation_id: UUID,
        person_ids: tuple[UUID, ...],
        position: int,
        *,
        joined: bool,
    ) -> None:
        work.emit(
            ParticipantsChanged(
                practice_id=practice_id, conversation_id=conversation_id, person_ids=person_ids, joined=joined
            )
        )
        work.publish(Topic(CONVERSATION_STREAM, conversation_id), position)
        self._tell_inboxes(work, conversation_id, person_ids)

    async def _others(self, conversation_id: UUID, person_id: UUID) -> bool:
        """Tell whether another member takes part who is active; in these conversations all are of one practice."""
        return bool(
            await DB.fetchval(
                """SELECT EXISTS (SELECT FROM participant p JOIN member m ON m.id = p.person_id AND m.active
                WHERE p.conversation_id = $1 AND p.person_id <> $2 AND p.left_at IS NULL)""",
                conversation_id,
                person_id,
            )
        )
