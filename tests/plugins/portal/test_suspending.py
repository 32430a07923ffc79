"""What was under way for a patient ends with the suspension, or with the guardian: uploads, exports, links (C2, C6)."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from deployment import Held
from files_stage import CREATE, sha256
from plugins.portal.desk import REINSTATE, REMOVE, SUSPEND, Desk, opened

from bedside_core.database import DB, acting
from bedside_core.jobs.declared import JobRun
from bedside_core.testing import Database

TEXT = b"Ten bytes and ten more, all for the practice.\n"
START = "mutation($p: ID!, $c: String!) { startPatientConversation(patientId: $p, clientId: $c) { id } }"
EXPORT = 'mutation($i: ID!) { exportConversation(conversationId: $i, format: JSON, clientId: "e-1") { id state } }'
EXPORTED = "query($i: ID!) { conversationExport(id: $i) { state reason url } }"
SEND_FILE = """mutation($i: ID!, $u: [ID!]) {
    sendMessage(conversationId: $i, body: "", clientId: "m-1", uploadIds: $u) { id } }"""


async def announced(desk: Desk, held: Held) -> dict[str, Any]:
    what = {"name": "a.txt", "size": len(TEXT), "sha": sha256(TEXT), "c": "u-1"}
    return (await desk.deployment.data(CREATE, held.token, **what))["createUpload"]


async def make(desk: Desk, export: str) -> None:
    """Make an export, as a worker does."""
    platform = desk.deployment.platform
    with acting(desk.practice.id):
        run = JobRun(platform=platform, practice_id=desk.practice.id, payload={"export_id": export}, attempt=1)
        await platform.jobs.entries["chat.export_conversation"].function(run)


async def states(desk: Desk, sql: str) -> list[tuple[Any, ...]]:
    with acting(desk.practice.id):
        return [tuple(row) for row in await DB.fetch(sql)]


@pytest.mark.rule("S9", "C2")
@pytest.mark.promise("A4")
async def test_an_upload_under_way_goes_no_further_and_is_put_nowhere(fresh_database: Database, tmp_path: Path) -> None:
    async with opened(fresh_database, data=tmp_path, worker=False) as desk:
        door = desk.deployment
        held = await door.held(desk.practice)
        conversation = (await desk.data(START, p=held.id, c="start"))["id"]
        upload = await announced(desk, held)
        headers = {"authorization": f"Bearer {held.token}", "upload-offset": "0"}
        first = await door.http.patch(upload["url"], content=TEXT[:10], headers=headers)
        assert first.status_code == 200
        await desk.data(SUSPEND, p=held.id)
        headers["upload-offset"] = "10"
        for method in ("PATCH", "PUT", "HEAD", "DELETE"):
            answer = await door.http.request(method, upload["url"], content=TEXT[10:], headers=headers)
            assert answer.status_code == 401, method
        assert await door.code(SEND_FILE, held.token, i=conversation, u=[upload["id"]]) == "UNAUTHENTICATED"
        assert await states(
            desk, "SELECT f.state, sum(o.size)::bigint FROM file f JOIN file_object o ON o.file_id = f.id GROUP BY f.id"
        ) == [("uploading", 10)]
        assert await states(desk, "SELECT id FROM message") == []
        await desk.data(REINSTATE, p=held.id)
        assert (await door.http.patch(upload["url"], content=TEXT[10:], headers=headers)).status_code == 401
        headers["authorization"] = f"Bearer {await door.sign_in(held.email)}"
        assert (await door.http.patch(upload["url"], content=TEXT[10:], headers=headers)).status_code == 200


@pytest.mark.rule("S9", "S11", "C15")
@pytest.mark.parametrize("how", ["suspended", "removed"])
async def test_an_export_under_way_is_given_up(fresh_database: Database, tmp_path: Path, how: str) -> None:
    async with opened(fresh_database, data=tmp_path, worker=False) as desk:
        door = desk.deployment
        child = await door.held(desk.practice)
        gil = await door.held(desk.practice, child.patient, relationship="mother")
        conversation = (await desk.data(START, p=child.id, c="start"))["id"]
        asked = (await door.data(EXPORT, gil.token, i=conversation))["exportConversation"]
        if how == "suspended":
            await desk.data(SUSPEND, p=child.id)
        else:
            [_, holder] = (await desk.account(child.patient))["holders"]
            await desk.data(REMOVE, h=holder["id"])
        await make(desk, asked["id"])
        [(state, reason, file_id)] = await states(desk, "SELECT state, reason, file_id FROM conversation_export")
        assert (state, file_id) == ("failed", None)
        assert reason == "Who asked for this export may not any more."
        assert await states(desk, "SELECT id FROM file") == []
        assert await door.code(EXPORTED, gil.token, i=asked["id"]) == "UNAUTHENTICATED"


@pytest.mark.rule("S11", "C15")
async def test_an_export_of_a_guardian_who_acts_still_is_made(fresh_database: Database, tmp_path: Path) -> None:
    async with opened(fresh_database, data=tmp_path, worker=False) as desk:
        door = desk.deployment
        child = await door.held(desk.practice)
        gil = await door.held(desk.practice, child.patient, relationship="mother")
        conversation = (await desk.data(START, p=child.id, c="start"))["id"]
        asked = (await door.data(EXPORT, gil.token, i=conversation))["exportConversation"]
        await make(desk, asked["id"])
        made = (await door.data(EXPORTED, gil.token, i=asked["id"]))["conversationExport"]
        assert (made["state"], made["reason"]) == ("READY", None)
        assert UUID(asked["id"]) and made["url"] is not None
