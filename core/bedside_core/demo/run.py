"""Runs the demo: prepares its folder, serves, seeds what is missing, and tells when it is ready."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from bedside_core.app import create_app
from bedside_core.boot import NotReady
from bedside_core.config import Config
from bedside_core.demo.conversations import converse
from bedside_core.demo.folder import DemoFolder, Stage, opened
from bedside_core.demo.portal import let_in
from bedside_core.demo.schedule import keep_calendars
from bedside_core.demo.seed import discard_unfinished, seed
from bedside_core.demo.story import Cast, StoryFailed, tell, together
from bedside_core.platform import Platform
from bedside_core.serving import Stop, listens_locally, serve

Scene = Callable[[Cast], Awaitable[None]]
"""A part of the story; raises StoryFailed where the API refuses something."""


async def _let_in(cast: Cast) -> None:
    await together(partial(let_in, cast))


async def _leave(cast: Cast) -> None:
    await together(cast.leave)


STORY: Sequence[tuple[str, Scene]] = (
    ("putting practices on their plans and connecting them", tell),
    ("letting patients into the portal", _let_in),
    ("writing with patients and as teams", converse),
    ("making appointments", keep_calendars),
    ("signing everybody out", _leave),
)
"""What the demo's people do once they are there, in this order."""
DATABASE_VARIABLES = ("BEDSIDE_DATABASE_URL", "BEDSIDE_DATABASE_OWNER_URL")


def configured(environment: Mapping[str, str], *, data: Path, host: str, port: int) -> Config:
    """Return the demo's configuration: its own database, and loopback alone.

    Args:
        environment: the process's variables; what they say of plugins and limits counts, of addresses nothing.
        data: the folder.
        host: the address to listen on.
        port: the port to listen on; 0 takes a free one.

    Raises:
        NotReady: a database is configured, or the address is reached from other machines.
    """
    for name in DATABASE_VARIABLES:
        if environment.get(name):
            raise NotReady(
                f"{name} is set, and the demo uses a database of its own only: unset it, or use `bedside serve`"
            )
    if not listens_locally(host):
        raise NotReady(f"the demo's passwords are known to everybody, so it does not listen on {host}; use 127.0.0.1")
    return Config(
        demo=True,
        testing=False,
        data=data,
        host=host,
        port=port,
        database_url=None,
        database_owner_url=None,
        public_url=None,
        allowed_origins=(),
    )


async def run_demo(
    config: Config, stop: Stop, *, step: Callable[[str], None], ready: Callable[[Platform, str], Awaitable[None]]
) -> None:
    """Serve the demo until told to stop.

    Args:
        config: out of `configured`.
        stop: the wish to stop.
        step: told what is done next, in a few words.
        ready: told the platform and the address once everybody can sign in.

    Raises:
        NotReady: the folder is not the demo's, or the address is taken.
    """
    with opened(config.data) as folder:
        config = config.model_copy(update={"data": folder.path})
        step("Preparing the database")
        await discard_unfinished(folder)

        async def serving(platform: Platform, address: str) -> None:
            await _complete(folder, platform, address, step)
            await ready(platform, address)

        await serve(create_app(config), config, stop, ready=serving)


async def _complete(folder: DemoFolder, platform: Platform, address: str, step: Callable[[str], None]) -> None:
    if folder.stage is Stage.NEW:
        step("Making three practices with their people and patients")
        await seed(platform)
        folder.stage = Stage.PEOPLED
    if folder.stage is Stage.PEOPLED:
        step("Putting them on their plans, letting them talk and make appointments")
        if await act(Cast(address), STORY, step):
            folder.stage = Stage.COMPLETE


async def act(cast: Cast, story: Sequence[tuple[str, Scene]], step: Callable[[str], None]) -> bool:
    """Play a story to its end: what fails is told, and the rest goes on without it.

    Args:
        cast: the people.
        story: in a few words what is done, and what does it.
        step: told what has failed.

    Returns:
        Whether all of it was done. What was not is tried again at the next start; a second time changes nothing.
    """
    complete = True
    for what, scene in story:
        try:
            await scene(cast)
        except StoryFailed as error:
            complete = False
            step(f"Something is missing, and is tried again at the next start: {what} failed: {error}")
    return complete
