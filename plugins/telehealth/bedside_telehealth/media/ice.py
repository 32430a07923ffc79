"""The seam to aioice: on which addresses and ports a connection listens, and which datagrams are packets of ours.

aioice has no port range, no address translation and no loopback, and it queues whatever it can't read; its
`get_component_candidates` and its protocol class are where that is put right, for one connection at a time.
"""

# aioice's connection is open to none of this publicly; the version is pinned, and this module is where it is touched.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Iterator
from ipaddress import ip_address

import structlog
from aioice import Candidate, TransportPolicy, ice, turn
from aioice.candidate import candidate_foundation, candidate_priority

from bedside_telehealth.media.path import MediaPath
from bedside_telehealth.media.settings import MediaSettings

log = structlog.get_logger("bedside.telehealth.media")

GATHER_SECONDS = 2.0
"""How long a STUN or TURN server may take to answer; who joins waits for it."""
_MOST_REMOTES = 64
"""Addresses that one browser may be heard from; each costs a check."""
_MOST_QUEUED = 64
"""Datagrams of the handshake that wait to be read."""
_TRIES = 200


class PortsTaken(OSError):
    """No port of the range is free."""


class MediaProtocol(ice.StunProtocol):
    """One socket: packets go to the path, STUN and DTLS to aioice, the rest nowhere."""

    def __init__(self, receiver: ice.Connection, path: MediaPath, sock: socket.socket | None) -> None:
        super().__init__(receiver)
        self._path, self._sock = path, sock

    def datagram_received(self, data: bytes | str, addr: tuple[object, ...]) -> None:
        """Sort one datagram by its first octet (RFC 7983)."""
        if not isinstance(data, bytes) or not data:
            return
        path, first = self._path, data[0]
        if 127 < first < 192:
            path.received(data)
            return
        if path.closed:
            return
        known = addr[:2] == path.remote
        if first < 4:
            if not known and len(self.receiver._remote_candidates) >= _MOST_REMOTES:
                return
        elif not 19 < first < 64 or self.receiver._queue.qsize() >= _MOST_QUEUED:
            return
        super().datagram_received(data, addr)
        if known:
            path.heard = time.monotonic()
        self.route()

    def route(self) -> None:
        """Follow the pair of addresses that ICE has chosen; the browser may choose another later."""
        pair = self.receiver._nominated.get(1)
        if pair is None or pair.protocol is not self or pair.remote_addr == self._path.remote:
            return
        if self._sock is not None:
            self._path.route(self._sock.sendto, pair.remote_addr)
        else:
            relay = self.transport
            self._path.route(lambda data, remote: relay.sendto(bytes(data), remote), pair.remote_addr)


def listen_as_set(connection: ice.Connection, path: MediaPath, settings: MediaSettings) -> None:
    """Have a connection gather its candidates as the operator's settings say, and end when it is closed."""

    async def gather(component: int, addresses: list[str], timeout: float = GATHER_SECONDS) -> list[Candidate]:
        relayed = connection._transport_policy is TransportPolicy.RELAY
        chosen = [] if relayed else [str(address) for address in settings.addresses] or addresses
        found: list[Candidate] = []
        for address in chosen:
            protocol = await _listen(connection, path, settings, address)
            if protocol is not None:
                connection._protocols.append(protocol)
                protocol.local_candidate = _candidate(protocol, component, settings)
                found.append(protocol.local_candidate)
        if chosen and not found:
            raise PortsTaken("No port for media is free.")
        found += await _asked(connection, path, component, timeout)
        if connection._closing:
            # It was closed meanwhile, before it knew of these sockets.
            for protocol in connection._protocols:
                await protocol.close()
            raise ConnectionError("The connection was closed while it looked for its addresses.")
        return found

    consenting = connection.query_consent

    async def consent() -> None:
        # A connection that is closed just as it stands begins to ask for consent afterwards, and would for ever.
        if not connection._closing:
            await consenting()

    connection.get_component_candidates = gather
    connection.query_consent = consent


async def _listen(
    connection: ice.Connection, path: MediaPath, settings: MediaSettings, address: str
) -> MediaProtocol | None:
    family = socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, turn.UDP_SOCKET_BUFFER_SIZE)
        for port in _ports(settings):
            try:
                sock.bind((address, port))
                break
            except OSError:
                continue
        else:
            raise PortsTaken("No port for media is free.")
        _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: MediaProtocol(connection, path, sock), sock=sock
        )
    except OSError as exc:
        sock.close()
        log.warning("media address can't be listened on", address=address, error=str(exc))
        return None
    return protocol


def _ports(settings: MediaSettings) -> Iterator[int]:
    """Yield the ports to try: any free one, or those of the range, from a random one on so that few are taken."""
    if settings.first_port == 0:
        yield 0
        return
    ports = range(settings.first_port, settings.last_port + 1)
    start = random.randrange(len(ports))  # noqa: S311 - no secret
    for step in range(min(len(ports), _TRIES)):
        yield ports[(start + step) % len(ports)]


def _candidate(protocol: MediaProtocol, component: int, settings: MediaSettings) -> Candidate:
    host, port = protocol.transport.get_extra_info("sockname")[:2]
    if settings.public_address is not None and ip_address(host).version == 4:
        host = str(settings.public_address)
    return Candidate(
        foundation=candidate_foundation("host", "udp", host),
        component=component,
        transport="udp",
        priority=candidate_priority(component, "host"),
        host=host,
        port=port,
        type="host",
    )


async def _asked(connection: ice.Connection, path: MediaPath, component: int, timeout: float) -> list[Candidate]:
    """Ask STUN for this server's own address and TURN for a relayed one, as aioice does, with our protocol."""
    tasks: list[asyncio.Task[tuple[Candidate, ice.StunProtocol | None]]] = []
    if connection.stun_server is not None:
        tasks += [
            asyncio.create_task(ice.server_reflexive_candidate(protocol, connection.stun_server))
            for protocol in connection._protocols
            if ":" not in protocol.local_candidate.host
        ]
    if connection.turn_server is not None:
        relayed = ice.relayed_candidate(
            component=component,
            hide_related_address=connection._transport_policy is TransportPolicy.RELAY,
            protocol_factory=lambda: MediaProtocol(connection, path, None),
            turn_server=connection.turn_server,
            turn_username=connection.turn_username,
            turn_password=connection.turn_password,
            turn_ssl=connection.turn_ssl,
            turn_transport=connection.turn_transport,
        )
        tasks.append(asyncio.create_task(relayed))
    if not tasks:
        return []
    done, late = await asyncio.wait(tasks, timeout=timeout)
    for task in late:
        task.cancel()
    found: list[Candidate] = []
    for task in done:
        failure = task.exception()
        if failure is not None:
            log.warning("STUN or TURN server does not answer", error=repr(failure))
            continue
        candidate, relay = task.result()
        found.append(candidate)
        if relay is not None:
            connection._protocols.append(relay)
    return found
