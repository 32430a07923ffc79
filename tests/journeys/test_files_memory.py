"""A server process stays small whatever is sent to it and fetched from it (promise F1)."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest
from deployment import APPS
from files_stage import CREATE, package, photo, png_bomb, sha256
from journeys.processes import Site, server

from bedside_core.app import Bedside
from bedside_core.auth import Role
from bedside_core.boot import assembled
from bedside_core.config import Config
from bedside_core.live import LocalBus
from bedside_core.testing import Database
from rulebook import size

MEGABYTE = 1_000_000
MOST = 200 * MEGABYTE
PIECE = b"0123456789abcde\n" * 4096


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


def peak(process: int) -> int:
    """Return the most memory that a process has had, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    assert found
    return int(found[1]) * 1024


async def pieces(count: int) -> AsyncGenerator[bytes, None]:
    for _ in range(count):
        yield PIECE


@pytest.mark.promise("F1")
@pytest.mark.timeout(600)
async def test_a_server_s_memory_is_bounded_while_it_takes_and_gives_large_files_and_bombs(
    fresh_database: Database, tmp_path: Path
) -> None:
    count = size(100 * MEGABYTE, 600 * MEGABYTE) // len(PIECE)
    digest = hashlib.sha256()
    for _ in range(count):
        digest.update(PIECE)
    whole = digest.hexdigest()
    config = Config(database_url=fresh_database.dsn, testing=True, strict=True)
    serving = server(fresh_database, BEDSIDE_DATA=str(tmp_path))
    async with assembled(config, bus=LocalBus()) as platform, serving as running:
        app = Bedside(lambda: None)  # type: ignore[arg-type, return-value]
        app.platform = platform
        [door] = Site(fresh_database, platform, [running]).doors
        practice = await door.practice()
        owners = [await door.person(practice, Role.OWNER, name) for name in ("Olga", "Otto", "Odin")]
        change = "mutation { updateFilesSettings(patch: { documentMegabytes: 2000 }) { documentMegabytes } }"
        await door.data(change, owners[0].token)
        bombs = [
            png_bomb(),
            package(("word/media/a.bin", b"\0" * 60 * MEGABYTE)),
            photo("PNG", (7000, 7000), gps=False),
        ]

        async def large(token: str, number: int) -> None:
            values = {"name": "large.txt", "size": count * len(PIECE), "sha": whole, "c": f"large-{number}"}
            upload = (await door.data(CREATE, token, **values))["createUpload"]
            headers = {"authorization": f"Bearer {token}"}
            async with httpx.AsyncClient(base_url=running.url, timeout=300, headers=headers) as client:
                sent = await client.put(upload["url"], content=pieces(count))
                assert sent.json()["state"] == "stored", sent.text
                back = hashlib.sha256()
                async with client.stream("GET", f"/files/{upload['id']}") as got:
                    async for piece in got.aiter_bytes():
                        back.update(piece)
                assert back.hexdigest() == whole

        async def hostile(token: str, content: bytes, number: int) -> int:
            values = {"name": "x", "size": len(content), "sha": sha256(content), "c": f"bomb-{number}"}
            upload = (await door.data(CREATE, token, **values))["createUpload"]
            sent = await door.http.put(
                upload["url"], content=content, headers={"authorization": f"Bearer {token}"}, timeout=120
            )
            return sent.status_code

        *_, first, second, third = await asyncio.gather(
            *(large(owner.token, number) for number, owner in enumerate(owners)),
            *(hostile(owners[0].token, bomb, number) for number, bomb in enumerate(bombs)),
        )
        assert (first, second, third) == (422, 422, 200)
        used = peak(running.process.pid)
        print(f"{3 * count * len(PIECE) / MEGABYTE:.0f} MB in and out at once, peak {used / MEGABYTE:.0f} MB")
        assert used < MOST, f"{used / MEGABYTE:.0f} MB"
        await door.http.aclose()
