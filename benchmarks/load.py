"""A small HTTP/1.1 client that keeps connections busy, one request in flight on each, and notes how long each took."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

Headers = dict[str, str]


class Unexpected(Exception):
    """The server answered with something else than what the benchmark is about."""


@dataclass(frozen=True)
class Load:
    """What a server did in a while.

    Args:
        seconds: how long it was asked.
        latencies: of each answer, in seconds, sorted.
    """

    seconds: float
    latencies: Sequence[float]

    @property
    def count(self) -> int:
        """How many answers came."""
        return len(self.latencies)

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.count / self.seconds

    def quantile(self, share: float) -> float:
        """Return the time within which this share of the answers came, in seconds."""
        return self.latencies[min(self.count - 1, int(self.count * share))]


def post(url: str, body: bytes, headers: Headers) -> bytes:
    """Return the bytes of a request."""
    parts = urlsplit(url)
    fields = {"host": parts.netloc, "content-type": "application/json", "content-length": str(len(body)), **headers}
    head = f"POST {parts.path or '/'} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return head.encode() + b"\r\n" + body


def operation(query: str, **variables: Any) -> bytes:
    """Return the body of a GraphQL request."""
    return json.dumps({"query": query, "variables": variables} if variables else {"query": query}).encode()


async def ask(url: str, request: bytes) -> tuple[int, bytes]:
    """Send one request on a connection of its own and return status and body."""
    client = await _connected(url)
    try:
        return await client.ask(request)
    finally:
        client.close()


async def asked(url: str, token: str, query: str, variables: Mapping[str, str | None]) -> dict[str, dict[str, Any]]:
    """Ask something as somebody and return the data.

    Raises:
        Unexpected: the answer has errors.
    """
    status, body = await ask(url, post(url, operation(query, **variables), {"authorization": f"Bearer {token}"}))
    answer = json.loads(body)
    if status != 200 or "errors" in answer:
        raise Unexpected(f"{status}: {answer}")
    return answer["data"]


async def load(url: str, request: bytes, *, connections: int, seconds: float) -> Load:
    """Repeat a request for some seconds.

    Args:
        url: the server's.
        request: its bytes; every answer has to be 200 and without errors.
        connections: how many are kept busy.
        seconds: how long.

    Raises:
        Unexpected: an answer was something else.
    """
    clients = [await _connected(url) for _ in range(connections)]
    latencies: list[float] = []
    began = time.perf_counter()
    until = began + seconds

    async def repeat(client: _Client) -> None:
        while (sent := time.perf_counter()) < until:
            status, body = await client.ask(request)
            latencies.append(time.perf_counter() - sent)
            if status != 200 or b'"errors"' in body:
                raise Unexpected(f"{status}: {body[:500]!r}")

    try:
        await asyncio.gather(*(repeat(client) for client in clients))
    finally:
        for client in clients:
            client.close()
    return Load(time.perf_counter() - began, sorted(latencies))


async def _connected(url: str) -> _Client:
    parts = urlsplit(url)
    assert parts.hostname is not None
    _, client = await asyncio.get_running_loop().create_connection(_Client, parts.hostname, parts.port or 80)
    return client


class _Client(asyncio.Protocol):
    """One connection; answers have a Content-Length or come in chunks, of which the last part alone is looked at."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._data = bytearray()
        self._head = -1
        self._length: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes) -> asyncio.Future[tuple[int, bytes]]:
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._data.clear()
        self._head = -1
        self._transport.write(request)
        return self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._data += data
        if self._head < 0:
            self._head = self._data.find(b"\r\n\r\n")
            if self._head < 0:
                return
            self._length = _content_length(bytes(self._data[: self._head]))
        body = self._head + 4
        if self._length is None:
            complete = self._data.endswith(b"\r\n0\r\n\r\n")
        else:
            complete = len(self._data) >= body + self._length
        if complete and self._answer is not None and not self._answer.done():
            content = bytes(self._data[body:])
            self._answer.set_result((int(self._data[9:12]), content if self._length is not None else _joined(content)))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("the server closed the connection"))


def _content_length(head: bytes) -> int | None:
    at = head.lower().find(b"content-length:")
    return None if at < 0 else int(head[at + 15 :].split(b"\r\n", 1)[0])


def _joined(chunks: bytes) -> bytes:
    body = bytearray()
    while True:
        size, _, rest = chunks.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        if not length:
            return bytes(body)
        body += rest[:length]
        chunks = rest[length + 2 :]
