"""The connection that brings one seat's tracks: which lines of an offer are taken, as what, under which grant."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bedside_telehealth.media.descriptions import Description, Section
from bedside_telehealth.media.engine import Grant, MediaRefused, TrackStats, What, Why
from bedside_telehealth.media.peer import ForwardingConnection
from bedside_telehealth.media.settings import MediaSettings
from bedside_telehealth.media.source import Source

MOST_LINES = 8
"""Lines of one publishing connection, those included that are inactive by now."""


def labelled(offer: Description, tracks: Mapping[str, What], grant: Grant) -> dict[str, What]:
    """Return what each sending line of an offer is, by mid.

    Raises:
        MediaRefused: a label that fits no line, two lines of a sort, or one that is not granted (T11).
    """
    if len(offer.sections) > MOST_LINES:
        raise MediaRefused(Why.TRACKS, f"A connection has {MOST_LINES} lines at most; inactive ones are used again.")
    if set(tracks) - {section.mid for section in offer.sections}:
        raise MediaRefused(Why.TRACKS, "A track is named that the offer does not have.")
    found = dict[str, What]()
    for section in offer.sections:
        if not section.sends:
            continue
        what = tracks.get(section.mid, What.AUDIO if section.kind == "audio" else What.VIDEO)
        if what.kind != section.kind or what in found.values():
            raise MediaRefused(Why.TRACKS, "A seat publishes one voice, one camera and one screen.")
        if not grant.allows(what):
            raise MediaRefused(Why.GRANT, f"This seat may not publish {what.value}.")
        found[section.mid] = what
    return found


class Publishing:
    """One publishing connection of a seat.

    Args:
        settings: how it is reached.
        identity: what tells the browser's connection from its next.
        over: called when it has ended by itself.
    """

    def __init__(self, settings: MediaSettings, identity: tuple[str, str], over: Callable[[Publishing], None]) -> None:
        self.identity = identity
        self.peer = ForwardingConnection(settings, lambda: over(self))
        self.sources = dict[str, Source]()
        self._lines: list[tuple[str, str]] = []

    async def accept(self, offer: Description) -> str:
        """Return the answer to an offer of this connection; nothing is forwarded before `take`.

        Raises:
            MediaRefused: its lines are not those of before and new ones behind.
        """
        lines = [(section.mid, section.kind) for section in offer.sections]
        if lines[: len(self._lines)] != self._lines:
            raise MediaRefused(Why.TRACKS, "An offer keeps the lines of the one before.")
        answer = await self.peer.take_offer(offer.text())
        self._lines = lines
        return answer

    def take(self, offer: Description, tracks: Mapping[str, What], grant: Grant) -> bool:
        """Register what an accepted offer sends, as far as it is granted now; return whether anything changed."""
        changed = False
        for section in offer.sections:
            what = tracks.get(section.mid)
            wanted = what if what is not None and grant.allows(what) else None
            kept = self.sources.get(section.mid)
            if kept is not None and wanted is kept.what and self._same(kept, section):
                continue
            if kept is not None:
                self.peer.path.retire(self.sources.pop(section.mid))
                changed = True
            if wanted is not None:
                ssrc, repair = section.streams()
                payload, codec = section.payload
                source = Source(wanted, ssrc, payload, codec, self.peer.path)
                self.peer.path.publish(source, repair, section.repair)
                self.sources[section.mid] = source
                changed = True
        return changed

    def regrant(self, grant: Grant) -> bool:
        """Cut what is not granted any more; return whether anything was."""
        lost = [mid for mid, source in self.sources.items() if not grant.allows(source.what)]
        for mid in lost:
            self.peer.path.retire(self.sources.pop(mid))
        return bool(lost)

    def stats(self) -> tuple[TrackStats, ...]:
        """Return the figures of its tracks."""
        return tuple(source.stats() for source in self.sources.values())

    @staticmethod
    def _same(source: Source, section: Section) -> bool:
        ssrc, _ = section.streams()
        return (source.ssrc, source.payload, source.codec) == (ssrc, *section.payload)
