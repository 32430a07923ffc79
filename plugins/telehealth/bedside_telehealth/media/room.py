"""One room: who sits in it, what each may send and is shown, and that ends at once when it has to."""

from __future__ import annotations

import asyncio
import hashlib
from uuid import UUID

import structlog

from bedside_telehealth.media import candidates
from bedside_telehealth.media.allowance import Allowance
from bedside_telehealth.media.descriptions import read_offer
from bedside_telehealth.media.engine import (
    Candidate,
    Dropped,
    Gone,
    Grant,
    MediaRefused,
    Publication,
    Reason,
    RoomStats,
    Seat,
    SeatStats,
    Tell,
    Told,
    Track,
    Way,
    Why,
)
from bedside_telehealth.media.peer import ForwardingConnection
from bedside_telehealth.media.publishing import Publishing, labelled
from bedside_telehealth.media.receiving import Receiving, Shown
from bedside_telehealth.media.settings import MediaSettings
from bedside_telehealth.media.tasks import Tasks

log = structlog.get_logger("bedside.telehealth.media")

_REMEMBERED = 2_000
"""Offers of a room that are known again."""


class Occupant:
    """Somebody in a seat: their grant, their two connections, and what they may still send."""

    def __init__(self, seat: Seat, grant: Grant, tell: Tell) -> None:
        self.seat, self.grant, self._tell = seat, grant, tell
        self.allowance = Allowance()
        self.publishing: Publishing | None = None
        self.receiving: Receiving | None = None
        self.addresses = dict[Way, set[str]]()
        self.gone = False
        self.lock = asyncio.Lock()

    def tell(self, told: Told) -> None:
        """Tell them something; what their side raises is theirs."""
        try:
            self._tell(told)
        except Exception as exc:
            log.warning("a seat can't be told", seat=str(self.seat.id), error=repr(exc))

    def peers(self) -> list[tuple[Way, ForwardingConnection]]:
        """Return their connections."""
        found: list[tuple[Way, ForwardingConnection]] = []
        if self.publishing is not None:
            found.append((Way.PUBLISH, self.publishing.peer))
        if self.receiving is not None:
            found.append((Way.RECEIVE, self.receiving.peer))
        return found


class Room:
    """A room of the embedded engine."""

    def __init__(self, settings: MediaSettings, tasks: Tasks) -> None:
        self._settings, self._tasks = settings, tasks
        self._occupants = dict[UUID, Occupant]()
        self._seen = dict[bytes, None]()

    @property
    def empty(self) -> bool:
        """Whether nobody sits in it."""
        return not self._occupants

    # --- who is in it ------------------------------------------------------------------------------

    def join(self, seat: Seat, grant: Grant, tell: Tell) -> None:
        """Seat somebody."""
        self.leave(seat.id)
        occupant = self._occupants[seat.id] = Occupant(seat, grant, tell)
        self._receive(occupant)

    def leave(self, seat: UUID) -> None:
        """Cut a seat's packets, now; its connections are closed in a task, which nobody waits for."""
        occupant = self._occupants.pop(seat, None)
        if occupant is None:
            return
        occupant.gone = True
        for _, peer in occupant.peers():
            self._bury(peer)
        occupant.publishing = occupant.receiving = None
        self._changed()

    def regrant(self, seat: UUID, grant: Grant) -> None:
        """Change what a seat may do, and cut what it may not any more."""
        occupant = self._occupants.get(seat)
        if occupant is None:
            return
        occupant.grant = grant
        changed = False
        if occupant.publishing is not None:
            changed = occupant.publishing.regrant(grant)
            if not (grant.audio or grant.video or grant.screen):
                self._bury(occupant.publishing.peer)
                occupant.publishing = None
        if occupant.receiving is not None and not grant.receive:
            self._bury(occupant.receiving.peer)
            occupant.receiving = None
        elif occupant.receiving is None and grant.receive:
            self._receive(occupant)
        if changed:
            self._changed()

    def end(self, seat: UUID, reason: Reason) -> None:
        """Have a seat leave, and tell it why."""
        occupant = self._occupants.get(seat)
        if occupant is not None:
            self.leave(seat)
            occupant.tell(Gone(reason))

    def close(self) -> None:
        """End every seat."""
        for seat in list(self._occupants):
            self.end(seat, Reason.CLOSED)

    # --- what they send ----------------------------------------------------------------------------

    async def publish(self, seat: UUID, publication: Publication) -> str:
        """Take a browser's offer; see `MediaEngine.publish`."""
        occupant = self._spending(seat)
        offer = read_offer(publication.sdp, on_loopback=self._settings.on_loopback)
        tracks = labelled(offer, publication.tracks, occupant.grant)
        digest = hashlib.sha256(publication.sdp.encode()).digest()
        if digest in self._seen:
            raise MediaRefused(Why.REPLAYED, "That offer was made before.")
        self._seen[digest] = None
        if len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        try:
            async with occupant.lock:
                self._present(occupant)
                held = occupant.publishing
                publishing = held
                if publishing is None or publishing.identity != offer.identity:
                    publishing = Publishing(
                        self._settings, offer.identity, lambda each: self._publishing_over(occupant, each)
                    )
                try:
                    answer = await publishing.accept(offer)
                    self._present(occupant)
                    labelled(offer, publication.tracks, occupant.grant)
                    if publishing.peer.path.closed or occupant.publishing is not held:
                        raise MediaRefused(Why.ORDER, "The connection ended meanwhile.")
                except BaseException:
                    if publishing is not held:
                        self._bury(publishing.peer)
                    raise
                if publishing is not held:
                    if held is not None:
                        self._bury(held.peer)
                    occupant.publishing = publishing
                    occupant.addresses.pop(Way.PUBLISH, None)
        except BaseException:
            self._seen.pop(digest, None)
            raise
        if publishing.take(offer, tracks, occupant.grant) or publishing is not held:
            self._changed()
        return answer

    async def answer(self, seat: UUID, number: int, sdp: str) -> None:
        """Take a browser's answer; see `MediaEngine.answer`."""
        occupant = self._spending(seat)
        if occupant.receiving is None:
            raise MediaRefused(Why.ORDER, "Nothing was offered to this seat.")
        await occupant.receiving.answer(number, sdp)

    async def candidate(self, seat: UUID, way: Way, candidate: Candidate) -> None:
        """Take a browser's candidate; see `MediaEngine.candidate`."""
        occupant = self._spending(seat)
        address = candidates.read(candidate.line, on_loopback=self._settings.on_loopback)
        async with occupant.lock:  # it may overtake the offer that it belongs to
            peer = dict(occupant.peers()).get(way)
            if peer is None:
                raise MediaRefused(Why.ORDER, "This seat has no such connection.")
            known = occupant.addresses.setdefault(way, set())
            if address is None or address.line() in known:
                return
            if len(known) >= candidates.MOST:
                raise MediaRefused(Why.SIZE, f"A connection has {candidates.MOST} candidates at most.")
            known.add(address.line())
            await peer.take_address(address)

    def _spending(self, seat: UUID) -> Occupant:
        occupant = self._occupants.get(seat)
        if occupant is None:
            raise MediaRefused(Why.NO_SEAT, "This seat is not in the call.")
        occupant.allowance.spend()
        return occupant

    @staticmethod
    def _present(occupant: Occupant) -> None:
        if occupant.gone:
            raise MediaRefused(Why.NO_SEAT, "This seat is not in the call.")

    # --- what they are shown -----------------------------------------------------------------------

    def _receive(self, occupant: Occupant) -> None:
        if not occupant.grant.receive:
            return
        occupant.addresses.pop(Way.RECEIVE, None)
        occupant.receiving = Receiving(
            self._settings,
            self._tasks,
            lambda: self._shown(occupant),
            occupant.tell,
            lambda each: self._receiving_over(occupant, each),
        )
        occupant.receiving.refresh()

    def _shown(self, receiver: Occupant) -> list[Shown]:
        return [
            Shown(source, Track("", other.seat.id, other.seat.participant, source.what))
            for other in self._occupants.values()
            if other is not receiver and other.publishing is not None
            for source in other.publishing.sources.values()
        ]

    def _changed(self) -> None:
        for occupant in self._occupants.values():
            if occupant.receiving is not None:
                occupant.receiving.refresh()

    # --- what ends by itself -----------------------------------------------------------------------

    def _publishing_over(self, occupant: Occupant, publishing: Publishing) -> None:
        self._bury(publishing.peer)
        if occupant.publishing is publishing:
            occupant.publishing = None
            occupant.tell(Dropped(Way.PUBLISH))
            self._changed()

    def _receiving_over(self, occupant: Occupant, receiving: Receiving) -> None:
        self._bury(receiving.peer)
        if occupant.receiving is receiving:
            occupant.receiving = None
            occupant.tell(Dropped(Way.RECEIVE))

    def _bury(self, peer: ForwardingConnection) -> None:
        peer.path.close()
        self._tasks.start(peer.finish(), "closing")

    def tick(self, now: float, judging: bool) -> None:
        """Once a second: reports to publishers, and who has fallen silent.

        Args:
            now: monotonic time in seconds.
            judging: whether silence counts; not when this process itself was stopped for seconds.
        """
        for occupant in list(self._occupants.values()):
            if occupant.receiving is not None:
                occupant.receiving.tick()
            for way, peer in occupant.peers():
                peer.path.tick(now)
                if not judging:
                    continue
                if peer.standing:
                    if now - peer.path.heard > self._settings.silent_seconds:
                        log.info("a browser has fallen silent", seat=str(occupant.seat.id))
                        self.end(occupant.seat.id, Reason.SILENT)
                        break
                elif now - peer.since > self._settings.connect_seconds and peer.asked:
                    if way is Way.PUBLISH and occupant.publishing is not None:
                        self._publishing_over(occupant, occupant.publishing)
                    elif way is Way.RECEIVE and occupant.receiving is not None:
                        self._receiving_over(occupant, occupant.receiving)

    def stats(self) -> RoomStats:
        """Return the figures of every seat."""
        return RoomStats({seat: self._figures(occupant) for seat, occupant in self._occupants.items()})

    @staticmethod
    def _figures(occupant: Occupant) -> SeatStats:
        publishing, receiving = occupant.publishing, occupant.receiving
        return SeatStats(
            participant=occupant.seat.participant,
            publishing=publishing is not None and publishing.peer.standing,
            receiving=receiving is not None and receiving.peer.standing,
            tracks=publishing.stats() if publishing is not None else (),
            legs=receiving.stats() if receiving is not None else (),
            strange=sum(peer.path.strange for _, peer in occupant.peers()),
        )
