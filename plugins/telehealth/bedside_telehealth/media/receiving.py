"""The connection that takes the others' tracks to one seat: offers of ours, and what a valid answer sets going."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bedside_telehealth.media.descriptions import read_answer
from bedside_telehealth.media.engine import LegStats, MediaRefused, Offer, Track, Why
from bedside_telehealth.media.peer import ForwardingConnection, Slot
from bedside_telehealth.media.settings import MediaSettings
from bedside_telehealth.media.source import Source
from bedside_telehealth.media.tasks import Tasks

ANSWER_SECONDS = 10.0
"""After this time an offer without an answer is replaced by the next."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One track that a seat is to be shown, and whose it is; its `mid` is not known yet."""

    source: Source
    track: Track


@dataclass(frozen=True, slots=True)
class _Open:
    number: int
    at: float
    lines: tuple[tuple[str, str, str], ...]
    slots: tuple[tuple[Slot, Shown], ...]


class Receiving:
    """One receiving connection of a seat.

    Args:
        settings: how it is reached.
        tasks: where its negotiations run.
        wanted: what the seat is to be shown now.
        tell: how an offer reaches the seat.
        over: called when it has ended by itself.
    """

    def __init__(
        self,
        settings: MediaSettings,
        tasks: Tasks,
        wanted: Callable[[], Sequence[Shown]],
        tell: Callable[[Offer], None],
        over: Callable[[Receiving], None],
    ) -> None:
        self._settings, self._tasks, self._wanted, self._tell = settings, tasks, wanted, tell
        self.peer = ForwardingConnection(settings, lambda: over(self))
        self._over = over
        self._slots = dict[Slot, Shown | None]()
        self._open: _Open | None = None
        self._number = 0
        self._stale = self._busy = False
        self._lock = asyncio.Lock()

    def refresh(self) -> None:
        """Offer anew, if what is to be shown has changed; changes that come meanwhile make one more offer."""
        self._stale = True
        if not self._busy and not self._waits():
            self._busy = True
            self._tasks.start(self._negotiate(), "offering")

    def _waits(self) -> bool:
        return self._open is not None and time.monotonic() - self._open.at < ANSWER_SECONDS

    def tick(self) -> None:
        """Once a second: replace an offer that nobody answers, if it is out of date."""
        if self._stale:
            self.refresh()

    async def _negotiate(self) -> None:
        try:
            async with self._lock:
                while self._stale and not self._waits() and not self.peer.path.closed:
                    self._stale = False
                    await self._offer()
        except Exception:
            if self.peer.path.closed:
                return  # it was closed meanwhile
            self.peer.path.close()
            self._over(self)
            raise
        finally:
            self._busy = False

    async def _offer(self) -> None:
        wanted = {shown.source: shown for shown in self._wanted()}
        changed = self._open is not None
        for slot, shown in self._slots.items():
            if shown is not None and shown.source not in wanted:
                slot.rest()
                self._slots[slot] = None
                changed = True
        held = {shown.source for shown in self._slots.values() if shown is not None}
        for source, shown in wanted.items():
            if source not in held:
                slot = self._free(shown.track.what.kind)
                slot.offer(source.codec, f"{shown.track.seat}{'-screen' if shown.track.what == 'screen' else ''}")
                self._slots[slot] = shown
                changed = True
        if not changed:
            return
        text = await self.peer.make_offer()
        if self.peer.path.closed:
            return
        self._number += 1
        lines = tuple((slot.mid, slot.kind, slot.direction) for slot in self._slots)
        slots = tuple((slot, shown) for slot, shown in self._slots.items() if shown is not None)
        self._open = _Open(self._number, time.monotonic(), lines, slots)
        tracks = (Track(slot.mid, shown.track.seat, shown.track.participant, shown.track.what) for slot, shown in slots)
        self._tell(Offer(self._number, text, tuple(tracks)))

    def _free(self, kind: str) -> Slot:
        for slot, shown in self._slots.items():
            if shown is None and slot.kind == kind:
                return slot
        slot = Slot(self.peer, kind)
        self._slots[slot] = None
        return slot

    async def answer(self, number: int, sdp: str) -> None:
        """Take the answer to an offer, and begin to send what it accepts.

        Raises:
            MediaRefused: the offer was answered or replaced, or this is no answer to it; it still waits for one then.
        """
        async with self._lock:
            offer = self._open
            if offer is None or offer.number != number or self.peer.path.closed:
                raise MediaRefused(Why.REPLAYED, "That offer was answered or replaced.")
            answer = read_answer(sdp, offer.lines, on_loopback=self._settings.on_loopback)
            await self.peer.take_answer(answer.text())
            self._open = None
            accepted = {section.mid for section in answer.sections if section.direction == "recvonly"}
            for slot, shown in offer.slots:
                if slot.mid in accepted and not shown.source.closed and not self.peer.path.closed:
                    slot.ready().attach(shown.source)
        if self._stale:
            self.refresh()

    def stats(self) -> tuple[LegStats, ...]:
        """Return the figures of its tracks."""
        return tuple(
            slot.leg.stats(shown.track.seat, shown.track.what)
            for slot, shown in self._slots.items()
            if shown is not None and slot.leg is not None and slot.leg.source is shown.source
        )
