"""Files in S3 instead of a folder: taken, given in ranges, deleted, swept, and refused while it is away."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio
from deployment import APPS
from files_stage import DELETE, Desk, desk_at, photo
from s3_stage import BUCKET, S3, s3

from bedside_core.testing import Database

BODY = b"0123456789abcde\n" * 1_250_000  # twenty megabytes: several parts of a multipart upload


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest_asyncio.fixture
async def bucket(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[S3, None]:
    async with s3() as (bucket, variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield bucket


@pytest_asyncio.fixture
async def desk(bucket: S3, fresh_database: Database, tmp_path: Path) -> AsyncGenerator[Desk, None]:
    async with desk_at(fresh_database, tmp_path, files_url=f"s3://{BUCKET}/clinic") as desk:
        yield desk


@pytest.mark.rule("G5")
@pytest.mark.promise("F2")
async def test_files_live_in_the_bucket_and_nowhere_else(desk: Desk, bucket: S3) -> None:
    file = await desk.attached(BODY)
    [(key, content)] = bucket.objects.items()
    assert key.startswith(f"clinic/files/{desk.practice.id.hex}/")
    assert content == BODY
    assert ("POST", key.replace("/files/", "/incoming/"), ("uploads",)) not in bucket.heard
    assert len([what for what, _, asked in bucket.heard if (what, asked) == ("PUT", ("partNumber", "uploadId"))]) == 3
    assert (await desk.get(file["url"])).content == BODY
    got = await desk.get(file["url"], range="bytes=10000000-10000015")
    assert (got.status_code, got.content) == (206, BODY[10_000_000:10_000_016])
    picture = await desk.attached(photo())
    assert len(bucket.objects) == 3
    assert (await desk.get(picture["previewUrl"])).status_code == 200
    assert desk.kept() == []
    bucket.objects[f"clinic/files/{desk.practice.id.hex}/stray"] = b"orphan"
    bucket.objects["clinic/files/another/stray"] = b"not ours"
    await desk.run("sweep_files")
    assert len(bucket.objects) == 4
    for id in (file["id"], picture["id"]):
        await desk.deployment.data(DELETE, desk.ada.token, i=id)
    assert bucket.objects == {"clinic/files/another/stray": b"not ours"}


async def test_while_the_store_is_away_nothing_is_lost(desk: Desk, bucket: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bedside_core.files.store.RETRY_SECONDS", 0.1)
    file = await desk.attached(b"hello")
    upload = await desk.announce(b"later")
    bucket.away = True
    for answer in (await desk.put(upload["url"], b"later"), await desk.get(file["url"])):
        assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (503, "UNAVAILABLE", True)
    gone = await desk.deployment.data(DELETE, desk.ada.token, i=file["id"])
    assert gone["deleteFile"]["state"] == "DELETED"
    assert len(bucket.objects) == 1
    bucket.away = False
    await desk.run("remove_bytes")
    assert bucket.objects == {}
    assert (await desk.put(upload["url"], b"later")).json()["state"] == "stored"
