"""Live streams: who is attached to what, and how news reaches them in every process.

A stream is a `Topic` with a position: an integer in PostgreSQL that its writers raise inside their transaction by
`UPDATE … SET position = position + 1 RETURNING position`. The row lock makes the order of commits the order of
positions; a sequence would not, and the row of a slow transaction would be skipped for ever. After the commit the
writer announces topic and position, never content. Readers attach, read what is beyond their cursor, wait for the next
announcement, and read again. An announcement is a hint that may be lost; the positions in the database are the truth,
and each process looks them up once a second for the topics somebody is attached to.
"""

from bedside_core.live.bus import LiveBus, LocalBus
from bedside_core.live.follow import follow
from bedside_core.live.hub import Live
from bedside_core.live.postgres import PostgresBus
from bedside_core.live.presence import Presence
from bedside_core.live.streams import StreamKind, Topic, Wake, Watch

__all__ = ["Live", "LiveBus", "LocalBus", "PostgresBus", "Presence", "StreamKind", "Topic", "Wake", "Watch", "follow"]
