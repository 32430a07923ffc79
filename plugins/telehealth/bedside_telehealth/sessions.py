"""Creates sessions, changes their settings, people and roles, renews their links, and ends them (T5, T6, T9, T10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from bedside_core.api import DB, Actor, Conflict, InvalidInput, NotFound, Work, audit, checks, uuid7
from bedside_telehealth import notices, people
from bedside_telehealth.api import (
    Place,
    Session,
    SessionAccess,
    SessionPersonKind,
    SessionRole,
    VideoSessionCreated,
    VideoSessionEnded,
)
from bedside_telehealth.changing import Changing, changing, hold, tell
from bedside_telehealth.links import SessionLinks, draft_of, drafted, links_of
from bedside_telehealth.people import Someone, Wanted
from bedside_telehealth.problems import LastChair, LinkConfirmationNeeded
from bedside_telehealth.reading import Reading
from bedside_telehealth.rows import SESSION, session_of
from bedside_telehealth.rules import qualifies

LONGEST_NAME = 100

_INSERT = """INSERT INTO video_session
    (id, practice_id, name, access, about_patient_id, host_id, created_by, created_at, "position", changed)
VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8, 1) ON CONFLICT (id) DO NOTHING RETURNING id"""


_SHARED = f"""SELECT {SESSION} FROM video_session s WHERE s.practice_id = app_practice() AND s.ended_at IS NULL
    AND EXISTS (SELECT FROM video_participant p WHERE p.session_id = s.id AND p.home_id = $1)
ORDER BY s.id"""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A session that is about to be created.

    Args:
        draft: stands for it when it is created.
        links: good from then on.
    """

    draft: str
    links: SessionLinks


@dataclass(frozen=True, kw_only=True)
class NewSession:
    """What a session is created with.

    Args:
        name: what it is called, 1 to 100 characters.
        access: who may come.
        participants: who is on its list besides its creator.
        about_patient_id: whose files still images go to (T13).
        draft: of `Sessions.draft`, whose links were shown.
        confirmed: whether it was confirmed that anyone with the link can join.
    """

    name: str
    access: SessionAccess
    participants: Sequence[Wanted]
    about_patient_id: UUID | None
    draft: str | None
    confirmed: bool


@dataclass(frozen=True, kw_only=True)
class SessionPatch:
    """What of a session's settings changes.

    Args:
        name: what it is called from now on; None stays.
        access: who may come from now on; None stays.
        about: whether `about_patient_id` changes.
        about_patient_id: whose files still images go to; None is nobody's.
        confirmed: whether it was confirmed that anyone with the link can join.
    """

    name: str | None
    access: SessionAccess | None
    about: bool
    about_patient_id: UUID | None
    confirmed: bool


class Sessions(Reading):
    """Keeps sessions and their lists."""

    async def draft(self, actor: Actor) -> Draft:
        """Return what stands for a session before it is created, with the links that will be its own (T6).

        Raises:
            Forbidden: the actor is no telehealth host (T1).
        """
        _, member_id = actor.in_practice()
        await self._platform.access.require(actor, "telehealth.host")
        session_id = uuid7()
        return Draft(
            draft=draft_of(self._platform, session_id, member_id), links=links_of(self._platform, session_id, 1)
        )

    async def create(self, actor: Actor, new: NewSession, client_id: str) -> Session:
        """Create a session whose first chair is the actor; it stays open until a chair ends it (T5, G9).

        Raises:
            Forbidden: the actor is no telehealth host.
            LinkConfirmationNeeded: anyone with the link could join, and that was not confirmed (T6).
            InvalidInput: a name that can't be, people who can't be in it, or a draft that is none of theirs.
            NotFound: no such person or patient.
            Conflict: the draft was created already, or the client id with other content.
        """
        practice_id, member_id = actor.in_practice()
        await self._platform.access.require(actor, "telehealth.host")
        _confirm(new.access, new.confirmed)
        named = checks.text(new.name, ("input", "name"), longest=LONGEST_NAME)
        oneself = Wanted(person_id=member_id, role=SessionRole.CHAIR)
        further = [each for each in new.participants if each.person_id != member_id]
        if new.about_patient_id is not None:
            await self._patient(new.about_patient_id, ("input", "aboutPatientId"))
        field = ("input", "participants")
        listed = await people.found(self._platform, [oneself, *further], field)
        drafted_id = drafted(self._platform, new.draft, member_id) if new.draft is not None else None
        if new.draft is not None and drafted_id is None:
            raise InvalidInput("This is no draft of yours.", field=("input", "draft"))
        now = self._platform.clock.now()

        async def make(new_id: UUID, work: Work) -> UUID:
            session = Session(
                id=drafted_id or new_id,
                practice_id=practice_id,
                name=named,
                access=new.access,
                about_patient_id=new.about_patient_id,
                host_id=member_id,
                link_version=1,
                created_by=member_id,
                created_at=now,
                ended_at=None,
                position=1 + len(listed),
                changed=1,
            )
            people.check(session, listed, field)
            await hold(self._platform, [new.about_patient_id, *_patients(listed)])
            made = await DB.fetchval(
                _INSERT, session.id, practice_id, named, new.access.value, new.about_patient_id, member_id, now,
                session.position,
            )  # fmt: skip
            if made is None:
                raise Conflict("This draft was created already.", field=("input", "draft"))
            entered = await people.enter(session, listed, member_id, now, 1)
            tell(self._platform, work, session.id, entered.values())
            others = [each for each in listed if each.person_id != member_id]
            await notices.invite(self._platform, work, session, others, listed[0].name)
            work.emit(VideoSessionCreated(practice_id=practice_id, session_id=session.id, created_by=member_id))
            _did("create", session, _patients(listed), access=new.access.value)
            return session.id

        roles = [[str(each.person_id), each.role.value] for each in further]
        asked = [named, new.access.value, roles, str(new.about_patient_id), new.draft]
        made = await self._platform.people.once(actor, "telehealth.session", client_id, asked, make)
        return (await self.standing(actor, made)).session

    async def change(self, actor: Actor, session_id: UUID, patch: SessionPatch) -> Session:
        """Change a session's settings as a chair; who no longer qualifies is put out at once (T5, T10).

        Raises:
            NotFound: none of theirs, or no such patient.
            Forbidden: the actor is no chair.
            LinkConfirmationNeeded: anyone with the link could join from now on, and that was not confirmed.
            InvalidInput: a name that can't be.
        """
        session = await self._chaired(actor, session_id)
        named = None if patch.name is None else checks.text(patch.name, ("patch", "name"), longest=LONGEST_NAME)
        if patch.about and patch.about_patient_id is not None:
            await self._patient(patch.about_patient_id, ("patch", "aboutPatientId"))
        about = [patch.about_patient_id] if patch.about else []
        async with changing(self._platform, session, actor, patients=about) as change:
            before = change.session
            after = replace(
                before,
                name=before.name if named is None else named,
                access=patch.access or before.access,
                about_patient_id=patch.about_patient_id if patch.about else before.about_patient_id,
            )
            if after.access is not before.access:
                _confirm(after.access, patch.confirmed)
            if after != before:
                await DB.execute(
                    """UPDATE video_session SET name = $2, access = $3, about_patient_id = $4, changed = $5
                    WHERE id = $1""",
                    after.id, after.name, after.access.value, after.about_patient_id, change.next(),
                )  # fmt: skip
                await change.tell_everyone()
                if after.access is not before.access:
                    await _put_out(change, after)
                _did("change", after, [], access=after.access.value)
        return (await self.standing(actor, session_id)).session

    async def renew_link(self, actor: Actor, session_id: UUID) -> SessionLinks:
        """Make the guest link anew as a chair: the older one lets nobody in any more; who is in it stays.

        Raises:
            NotFound: none of theirs.
            Forbidden: the actor is no chair.
        """
        session = await self._chaired(actor, session_id)
        async with changing(self._platform, session, actor) as change:
            version: int = await DB.fetchval(
                "UPDATE video_session SET link_version = link_version + 1, changed = $2 WHERE id = $1 "
                "RETURNING link_version",
                session_id,
                change.next(),
            )
            _did("renew_link", session, [])
        return links_of(self._platform, session_id, version)

    async def end(self, actor: Actor, session_id: UUID) -> Session:
        """End a session for everyone as a chair; to end it again is fine (T9).

        Raises:
            NotFound: none of theirs.
            Forbidden: the actor is no chair.
        """
        await self._platform.access.require(actor, "telehealth.chair", session_id)
        session = (await self.standing(actor, session_id)).session
        if session.ended_at is None:
            async with changing(self._platform, session, actor) as change:
                await over(change, actor.person_id)
                _did("end", session, [])
        return (await self.standing(actor, session_id)).session

    async def part(self, practice_id: UUID) -> None:
        """End the acting practice's sessions that somebody of another practice is on, as they are not connected (P2).

        Args:
            practice_id: the other practice.
        """
        for row in await DB.fetch(_SHARED, practice_id):
            async with changing(self._platform, session_of(row), None) as change:
                await over(change, None)
                _did("end", change.session, [])

    async def add_people(self, actor: Actor, session_id: UUID, wanted: Sequence[Wanted]) -> Session:
        """Put people on a session's list as a chair; who is on it stays as they are, who was removed is let back.

        Raises:
            NotFound: none of theirs, or nobody that the actor sees.
            Forbidden: the actor is no chair.
            InvalidInput: too many people, or people who can't be in it.
        """
        session = await self._chaired(actor, session_id)
        listed = await people.found(self._platform, wanted, ("participants",))
        async with changing(self._platform, session, actor, patients=_patients(listed)) as change:
            people.check(change.session, listed, ("participants",))
            _, member_id = actor.in_practice()
            entered = await people.enter(change.session, listed, member_id, change.now, change.position)
            if entered:
                change.position += len(listed)
                change.moved += entered
                change.told |= set(entered.values())
                joined = [each for each in listed if each.person_id in entered.values()]
                sender = await change.by_person(member_id)
                await notices.invite(self._platform, change.work, session, joined, sender.shown_name if sender else "")
                _did("add_people", session, _patients(listed))
        return (await self.standing(actor, session_id)).session

    async def set_role(self, actor: Actor, session_id: UUID, participant_id: UUID, role: SessionRole) -> Session:
        """Give a participant another role as a chair; it counts at once (T9).

        Raises:
            NotFound: none of theirs, or nobody in it.
            Forbidden: the actor is no chair.
            InvalidInput: a chair who is no member of the practice.
            LastChair: nobody would chair it.
        """
        session = await self._chaired(actor, session_id)
        async with changing(self._platform, session, actor) as change:
            person = await change.participant(participant_id)
            people.may_chair(session, person.kind, person.home_id, role, ("role",))
            if role is not person.role:
                if person.role is SessionRole.CHAIR and not await _other_chairs(change, participant_id):
                    raise LastChair("This is the session's only chair.", way_on="Make somebody else a chair first.")
                await change.put(person, person.place, role=role)
                _did("set_role", session, [], participant=str(participant_id), role=role.value)
        return (await self.standing(actor, session_id)).session

    async def remove(self, actor: Actor, session_id: UUID, participant_id: UUID) -> Session:
        """Remove a participant as a chair: at once, and until a chair lets them back.

        Raises:
            NotFound: none of theirs, or nobody in it.
            Forbidden: the actor is no chair.
            InvalidInput: it is the actor: who leaves can come back.
        """
        session = await self._chaired(actor, session_id)
        async with changing(self._platform, session, actor) as change:
            person = await change.participant(participant_id)
            if person.person_id == actor.person_id:
                raise InvalidInput("Nobody removes themselves.", way_on="Leave.", field=("participantId",))
            if person.place is not Place.REMOVED:
                role = SessionRole.BROADCASTER if person.role is SessionRole.CHAIR else person.role
                await change.put_out([person], Place.REMOVED, role=role)
                if person.kind is not SessionPersonKind.GUEST:
                    await notices.call_off(self._platform, change.work, session, person)
                _did("remove", session, [], participant=str(participant_id))
        return (await self.standing(actor, session_id)).session

    async def _chaired(self, actor: Actor, session_id: UUID) -> Session:
        await self._platform.access.require(actor, "telehealth.chair", session_id)
        return (await self.standing(actor, session_id)).session

    async def _patient(self, patient_id: UUID, field: tuple[str, ...]) -> None:
        if patient_id not in await self._platform.people.patients_by_id([patient_id]):
            raise NotFound("There is no patient with this id that you may see.", field=field)


async def over(change: Changing, by: UUID | None) -> None:
    """End a session within its change: everybody is out, and no guest reaches anything any more.

    Args:
        change: of the session.
        by: who ends it; None where nobody does.
    """
    session = change.session
    await DB.execute(
        "UPDATE video_session SET ended_at = $2, ended_by = $3, changed = $4 WHERE id = $1",
        session.id, change.now, by, change.next(),
    )  # fmt: skip
    for person in await change.people_at([Place.IN, Place.AWAY, Place.WAITING]):
        await change.put(person, Place.OUT)
    await change.platform.auth.guests.end(change.work, bound_to=session.id)
    await notices.call_off(change.platform, change.work, session)
    await change.tell_everyone()
    change.work.emit(VideoSessionEnded(practice_id=session.practice_id, session_id=session.id))


async def _put_out(change: Changing, session: Session) -> None:
    """Put out who no longer qualifies by a session's access (T10)."""
    there = await change.people_at([Place.IN, Place.AWAY, Place.WAITING])
    gone = [each for each in there if not qualifies(session, each.kind, each.home_id, listed=each.listed)]
    await change.put_out(gone, Place.OUT)


async def _other_chairs(change: Changing, participant_id: UUID) -> bool:
    return bool(
        await DB.fetchval(
            """SELECT EXISTS (SELECT FROM video_participant WHERE session_id = $1 AND role = 'chair' AND id <> $2
                AND place <> 'removed')""",
            change.session.id,
            participant_id,
        )
    )


def _confirm(access: SessionAccess, confirmed: bool) -> None:
    if access is SessionAccess.INVITATION and not confirmed:
        raise LinkConfirmationNeeded(
            "Anyone with the link can join this session.", way_on="Send confirmAnyoneWithLink: true."
        )


def _patients(listed: Sequence[Someone]) -> list[UUID]:
    return [each.person_id for each in listed if each.kind is SessionPersonKind.PATIENT]


def _did(what: str, session: Session, patients: Sequence[UUID], **detail: str) -> None:
    about = [session.about_patient_id] if session.about_patient_id else []
    audit.did(
        f"telehealth.{what}",
        kind="video_session",
        target=session.id,
        patients=[*about, *patients],
        detail=detail,
    )
