"""What a media engine is to the rest of telehealth: one Protocol, its plain values, and how it refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from bedside_core.api import Problem


class What(StrEnum):
    """What a track shows or lets hear."""

    AUDIO = "audio"
    VIDEO = "video"
    SCREEN = "screen"

    @property
    def kind(self) -> str:
        """The kind of its m-line: a shared screen is video like a camera."""
        return "audio" if self is What.AUDIO else "video"


class Way(StrEnum):
    """Which of a seat's two connections: the one that brings its tracks, or the one that takes the others' to it."""

    PUBLISH = "publish"
    RECEIVE = "receive"


class Why(StrEnum):
    """Why something that a client sent was refused; `why` in the error's extensions."""

    NO_SEAT = "NO_SEAT"
    """No such seat in such a room, or not any more."""
    GRANT = "GRANT"
    """The role does not allow it (T9, T11)."""
    SIZE = "SIZE"
    """Larger than any browser's."""
    MALFORMED = "MALFORMED"
    """Not a session description or candidate as browsers write them."""
    DIRECTION = "DIRECTION"
    """A line flows in a direction that was not offered, or is not wanted here."""
    TRACKS = "TRACKS"
    """More, fewer or other lines than were offered or may be published."""
    CODEC = "CODEC"
    """A line without a codec that is forwarded: Opus, VP8, H.264."""
    DATA = "DATA"
    """A data channel; there are none."""
    REPLAYED = "REPLAYED"
    """It was sent before, or answers an offer that has been replaced."""
    ORDER = "ORDER"
    """Nothing was published or offered that it could belong to."""
    RATE = "RATE"
    """Too many signals in too short a time."""
    FULL = "FULL"
    """No port is free for another connection."""
    FAILED = "FAILED"
    """The engine could not do it; the call goes on."""


class MediaRefused(Problem):
    """A signal that the media engine does not act on."""

    code = "MEDIA_REFUSED"
    meaning = "The media engine does not act on this signal; `why` says what is wrong with it. The call goes on."
    status = 400

    def __init__(self, why: Why, message: str) -> None:
        super().__init__(message, detail={"why": why.value})
        self.why = why


@dataclass(frozen=True, slots=True)
class Grant:
    """What a participant's role lets them do on the media itself (T9, T11); the default is nothing."""

    audio: bool = False
    video: bool = False
    screen: bool = False
    receive: bool = False

    def allows(self, what: What) -> bool:
        """Return whether a track of this sort may be published."""
        return {What.AUDIO: self.audio, What.VIDEO: self.video, What.SCREEN: self.screen}[what]


@dataclass(frozen=True, slots=True)
class Seat:
    """One connected tab of one participant in one room."""

    id: UUID
    participant: UUID


@dataclass(frozen=True, slots=True)
class Publication:
    """A browser's offer of what it sends.

    Args:
        sdp: the offer.
        tracks: what each m-line is, by mid; a line that is not named is audio or video (the camera) by its kind.
    """

    sdp: str
    tracks: Mapping[str, What] = field(default_factory=dict[str, What])


@dataclass(frozen=True, slots=True)
class Candidate:
    """A browser's ICE candidate: the `candidate` line as it trickles it, which may be empty for "no more"."""

    line: str


@dataclass(frozen=True, slots=True)
class Track:
    """Whose track comes on which m-line of an offer."""

    mid: str
    seat: UUID
    participant: UUID
    what: What


@dataclass(frozen=True, slots=True)
class Offer:
    """To a seat: what the others send, to be answered with the same number; a later one replaces it."""

    number: int
    sdp: str
    tracks: tuple[Track, ...]


@dataclass(frozen=True, slots=True)
class Dropped:
    """To a seat: one of its connections is over. It publishes again, or joins again, if it still wants to."""

    way: Way


class Reason(StrEnum):
    """Why a seat is gone without having left."""

    SILENT = "SILENT"
    """Nothing was heard of the browser for some seconds; it may join again as the same participant (T16)."""
    CLOSED = "CLOSED"
    """The engine ends, because its process does."""


@dataclass(frozen=True, slots=True)
class Gone:
    """To a seat: the engine has ended it. A seat that leaves or is replaced is not told."""

    reason: Reason


Told = Offer | Dropped | Gone
Tell = Callable[[Told], None]
"""How the engine speaks to a seat: it returns at once, and what it raises is logged and harms nobody."""


@dataclass(frozen=True, slots=True)
class TrackStats:
    """One published track, as it arrives: packets and octets since it began."""

    what: What
    received: int
    octets: int
    lost: int
    discarded: int
    """Packets past the highest rate that is forwarded."""
    receivers: int


@dataclass(frozen=True, slots=True)
class LegStats:
    """One track on its way to one receiver: packets since it began, and what the receiver last reported (T18)."""

    seat: UUID
    what: What
    packets: int
    octets: int
    repeated: int
    loss: float
    """Share lost, 0 to 1."""
    jitter: float
    """Seconds."""
    round_trip: float | None
    """Seconds; None before the first report."""


@dataclass(frozen=True, slots=True)
class SeatStats:
    """One seat: which connections stand, what it sends and what is sent to it."""

    participant: UUID
    publishing: bool
    receiving: bool
    tracks: tuple[TrackStats, ...]
    legs: tuple[LegStats, ...]
    strange: int
    """Packets of no published track: unknown SSRCs and payload types, replays, what fails authentication."""


@dataclass(frozen=True, slots=True)
class RoomStats:
    """Who is in a room, by seat."""

    seats: Mapping[UUID, SeatStats]


class MediaEngine(Protocol):
    """Forwards the tracks of each seat of a room to the others, as far as their grants go.

    A room exists while somebody sits in it. Whatever a client sends wrongly raises `MediaRefused` and changes nothing;
    no failure of one seat reaches another.
    """

    async def join(self, room: UUID, seat: Seat, grant: Grant, tell: Tell) -> None:
        """Seat somebody; a seat of the same id is replaced. Offers of what the others send follow by `tell`.

        Args:
            room: the session's media room.
            seat: who, and which tab.
            grant: what they may do (T9).
            tell: how they are reached.
        """
        ...

    async def publish(self, room: UUID, seat: UUID, publication: Publication) -> str:
        """Take a browser's offer of its tracks and return the answer; the same connection may offer again.

        Raises:
            MediaRefused: not granted (T11), or not as a browser writes it.
        """
        ...

    async def answer(self, room: UUID, seat: UUID, number: int, sdp: str) -> None:
        """Take a browser's answer to the offer of this number.

        Raises:
            MediaRefused: it was replaced or answered before, or it is not an answer to that offer.
        """
        ...

    async def candidate(self, room: UUID, seat: UUID, way: Way, candidate: Candidate) -> None:
        """Take one of a browser's ICE candidates for one of its two connections.

        Raises:
            MediaRefused: not a candidate, too many, or there is no such connection.
        """
        ...

    def regrant(self, room: UUID, seat: UUID, grant: Grant) -> None:
        """Change what a seat may do. What is lowered is cut before this returns (T11, promise A4).

        A track that is granted again has to be published again: nobody's camera opens by another's act. A seat that is
        not there is not an error.
        """
        ...

    def leave(self, room: UUID, seat: UUID) -> None:
        """End a seat: no packet of it or to it moves after this returns. It need not be there."""
        ...

    def stats(self, room: UUID) -> RoomStats:
        """Return the figures of a room, none of them content; an empty room has no seats."""
        ...

    async def close(self) -> None:
        """End every room, telling each seat."""
        ...
