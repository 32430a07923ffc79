"""Runs the application behind uvicorn: listens, serves, and takes everything down in order when told to stop."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import signal
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import uvicorn
import uvloop

from bedside_core.app import BODY_BYTES, Bedside, monitor_app
from bedside_core.boot import NotReady
from bedside_core.config import Config
from bedside_core.platform import MessageLimit, Platform
from bedside_core.wire import Wire

T = TypeVar("T")

GRACEFUL_SECONDS = 10
"""How long requests may go on after the process was told to stop (promise D6)."""

KEEP_ALIVE_SECONDS = 150
"""How long a connection may be idle: longer than proxies in front keep theirs (Caddy: 120), for a request that is sent
into one just as it is closed is lost."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(Exception):
    """The process was told to stop before it was ready.

    Args:
        number: the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Stop:
    """The wish to stop, told by Ctrl-C, SIGTERM or a terminal that goes away.

    The first one ends what runs in good order where `graceful` says how; before that, and the second time, the task
    is cancelled. Either way everything that was started is taken down.
    """

    def __init__(self) -> None:
        self.graceful: Callable[[], None] | None = None
        self.number = 0
        """The signal that came first; 0 while there was none."""

    async def wait(self) -> None:
        """Wait for the wish; it is heard from now on."""
        event = asyncio.Event()
        self.graceful = event.set
        await event.wait()

    @contextmanager
    def watched(self) -> Generator[None]:
        """Listen to the signals during the block, for the task that enters it."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        # Under nohup a terminal's end is to be ignored.
        wanted = [each for each in _SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]

        def told(number: int) -> None:
            first, self.number = self.number == 0, self.number or number
            if first and self.graceful is not None:
                self.graceful()
            elif task is not None:
                task.cancel()

        for each in wanted:
            loop.add_signal_handler(each, told, each)
        try:
            yield
        except asyncio.CancelledError:
            if not self.number:
                raise
            raise Stopped(self.number) from None
        finally:
            for each in wanted:
                loop.remove_signal_handler(each)


def run(work: Callable[[Stop], Coroutine[Any, Any, T]]) -> T:
    """Run a command's work on uvloop until it ends or the process is told to stop.

    Args:
        work: given the wish to stop.

    Raises:
        Stopped: the wish came before `work` was ready for it, or twice.
    """

    async def watched() -> T:
        stop = Stop()
        with stop.watched():
            return await work(stop)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(watched())


class _Server(uvicorn.Server):
    """uvicorn's server, without its signal handlers: it would raise the signal anew before all is taken down."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals to `Stop`."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self.listening.set()


async def serve(app: Bedside, config: Config, stop: Stop, *, ready: Callable[[Platform, str], Awaitable[None]]) -> None:
    """Serve until told to stop; then drain, and take everything down.

    Args:
        app: the application.
        config: its configuration, for the address.
        stop: the wish to stop.
        ready: called with the platform and the address once requests are answered.

    Raises:
        NotReady: the address can't be listened on, or the deployment can't start.
    """
    with bound(config.host, config.port) as listener:
        async with app.running() as platform:
            limit = platform.service(MessageLimit).max_message_bytes if platform.provides(MessageLimit) else BODY_BYTES
            server = _Server(uvicorn_config(app, limit))

            def graceful() -> None:
                platform.closing = True
                server.should_exit = True

            serving = asyncio.create_task(server.serve(sockets=[listener]), name="server")
            listening = asyncio.create_task(server.listening.wait())
            try:
                await asyncio.wait({serving, listening}, return_when=asyncio.FIRST_COMPLETED)
                if serving.done():
                    _began(serving, config)
                gc.collect()
                gc.freeze()  # what was assembled stays; looking through it again and again would stop the loop for long
                stop.graceful = graceful
                address = address_of(listener)
                platform.notify.address = platform.notify.address or address
                await ready(platform, address)
                await asyncio.shield(serving)
            finally:
                listening.cancel()
                graceful()
                server.force_exit = not serving.done()  # something failed, or somebody is in a hurry
                await serving


@asynccontextmanager
async def monitored(platform: Platform, host: str, port: int) -> AsyncGenerator[str]:
    """Answer for health and figures of a process without a server of its own; gives the address.

    Args:
        platform: the process's.
        host: address to listen on.
        port: port; 0 takes a free one.

    Raises:
        NotReady: the address can't be listened on.
    """
    with bound(host, port) as listener:
        given = uvicorn.Config(
            monitor_app(platform),  # pyright: ignore[reportArgumentType] - as for the application
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
        )
        server = _Server(given)
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="monitor")
        try:
            await server.listening.wait()
            yield address_of(listener)
        finally:
            server.should_exit = True
            await serving


def _began(serving: asyncio.Task[None], config: Config) -> None:
    """Raise what kept the server from listening."""
    try:
        serving.result()
    except OSError as error:  # somebody else bound the same address and was quicker to listen
        raise _taken(config.host, config.port, error) from error


def _taken(host: str, port: int, error: OSError) -> NotReady:
    return NotReady(f"can't listen on {host}, port {port}: {error.strerror}; --port takes another")


def uvicorn_config(app: Bedside, limit: int) -> uvicorn.Config:
    """Return how the application is served; `limit` is the longest message of a socket, in bytes."""
    return uvicorn.Config(
        app,  # pyright: ignore[reportArgumentType] - Litestar's ASGI types and uvicorn's say the same differently
        http="httptools",
        ws=Wire,
        ws_max_size=limit,
        ws_per_message_deflate=False,  # secrets beside what others write must not be compressed together
        lifespan="off",  # the platform is assembled around the server, so that its faults reach the operator in words
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # bedside_core.proxies does it, for sockets too
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        reset_contextvars=True,
    )


@contextmanager
def bound(host: str, port: int) -> Generator[socket.socket]:
    """Give a socket bound to an address; connections are refused until somebody listens on it.

    Raises:
        NotReady: there is no such address, or it is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise NotReady(f"{host} is no address to listen on: {error.strerror}") from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            listener.bind(address)
        except OSError as error:
            raise _taken(host, port, error) from error
        listener.setblocking(False)
        yield listener


def listens_locally(host: str) -> bool:
    """Tell whether who listens on an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def address_of(listener: socket.socket) -> str:
    """Return the URL of a bound socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
