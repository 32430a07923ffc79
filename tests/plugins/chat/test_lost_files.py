"""A file deleted from a message that stays: its name is in no export any more, and no list shows it (C11, D7, F2)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from deployment import Person
from files_stage import DELETE
from plugins.chat.cabinet import Cabinet, cabinet_at
from plugins.chat.test_exports import EXPORT, ONE

from bedside_chat import exporting
from bedside_core.api import keep_made
from bedside_core.database import acting
from bedside_core.jobs import JobRun
from bedside_core.people import Practice
from bedside_core.testing import Database

CANARY = "canary4713"
INBOX = """subscription { inbox { __typename ... on ConversationInboxChanged { conversation { id unread lastMessage {
    body attachments { name } } } } } }"""
LISTED = "{ conversations { nodes { id unread lastMessage { body attachments { name } } } } }"


@pytest_asyncio.fixture
async def cabinet(fresh_database: Database, tmp_path: Path) -> AsyncGenerator[Cabinet, None]:
    async with cabinet_at(fresh_database, tmp_path) as cabinet:
        yield cabinet


async def run(cabinet: Cabinet, practice: Practice, name: str, **payload: str) -> None:
    """Run a job of chat's for a practice, as a worker does."""
    platform = cabinet.deployment.platform
    with acting(practice.id):
        await platform.jobs.entries[f"chat.{name}"].function(
            JobRun(platform=platform, practice_id=practice.id, payload=payload, attempt=1)
        )


async def made(cabinet: Cabinet, who: Person, practice: Practice, conversation: str = "") -> dict[str, Any]:
    """Have a conversation exported, and return the export."""
    asked = await cabinet.deployment.data(EXPORT, who.token, i=conversation or cabinet.direct, c="e")
    await run(cabinet, practice, "export_conversation", export_id=asked["exportConversation"]["id"])
    return await looked_at(cabinet, who, asked["exportConversation"]["id"])


async def looked_at(cabinet: Cabinet, who: Person, export_id: str) -> dict[str, Any]:
    return (await cabinet.deployment.data(ONE, who.token, i=export_id))["conversationExport"]


@pytest.mark.rule("C11")
@pytest.mark.rule("C15")
@pytest.mark.promise("F2")
async def test_exports_of_both_practices_go_with_a_file_whose_message_stays(cabinet: Cabinet) -> None:
    ben = await cabinet.deployment.person(cabinet.practice, name="Ben")
    data = await cabinet.deployment.data(
        'mutation($p: [ID!]) { createGroup(name: "Ward", clientId: "g", personIds: $p) { id } }',
        cabinet.ada.token,
        p=[ben.id],
    )
    other = data["createGroup"]["id"]
    upload = await cabinet.uploaded(b"x", f"{CANARY}.txt")
    await cabinet.send(cabinet.direct, cabinet.ada, "see this", upload)
    await cabinet.send(other, cabinet.ada, "elsewhere")
    people = ((cabinet.ada, cabinet.practice), (cabinet.bea, cabinet.hill))
    before = [await made(cabinet, who, practice) for who, practice in people]
    kept = await made(cabinet, ben, cabinet.practice, other)
    for (who, _), export in zip(people, before, strict=True):
        answer = await cabinet.get(export["url"], who)
        assert (answer.status_code, CANARY.encode() in answer.content) == (200, True)
    await cabinet.deployment.data(DELETE, cabinet.ada.token, i=upload)
    for (who, _), export in zip(people, before, strict=True):  # at once, before any job has run
        assert (await cabinet.get(export["url"], who)).status_code == 404
    await run(cabinet, cabinet.hill, "expire_exports")
    for (who, _), export in zip(people, before, strict=True):
        assert (await cabinet.get(export["url"], who)).status_code == 404
        after = await looked_at(cabinet, who, export["id"])
        assert (after["state"], after["url"]) == ("EXPIRED", None)
    assert (await cabinet.get(kept["url"], ben)).status_code == 200  # of a conversation in which nothing was deleted
    await cabinet.work(cabinet.practice, "remove_bytes")
    await cabinet.work(cabinet.hill, "remove_bytes")
    assert not [path for path in cabinet.folder.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
    # what comes later makes an export stale no more
    await cabinet.send(cabinet.direct, cabinet.ada, "later")
    asked = await cabinet.deployment.data(EXPORT, cabinet.bea.token, i=cabinet.direct, c="after")
    await run(cabinet, cabinet.hill, "export_conversation", export_id=asked["exportConversation"]["id"])
    after = await looked_at(cabinet, cabinet.bea, asked["exportConversation"]["id"])
    await cabinet.send(cabinet.direct, cabinet.bea, "later still")
    answer = await cabinet.get(after["url"], cabinet.bea)
    assert (answer.status_code, CANARY.encode() in answer.content) == (200, False)


@pytest.mark.rule("C11")
@pytest.mark.rule("C15")
@pytest.mark.promise("F2")
@pytest.mark.parametrize("away", [False, True])
async def test_a_file_deleted_while_an_export_is_made_is_not_named_in_it(
    cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch, away: bool
) -> None:
    who, practice = (cabinet.bea, cabinet.hill) if away else (cabinet.ada, cabinet.practice)
    upload = await cabinet.uploaded(b"x", f"{CANARY}.txt")
    await cabinet.send(cabinet.direct, cabinet.ada, "see this", upload)
    left = [upload]

    async def meanwhile(*given: Any) -> Any:
        if left:
            await cabinet.deployment.data(DELETE, cabinet.ada.token, i=left.pop())
        return await keep_made(*given)

    monkeypatch.setattr(exporting, "keep_made", meanwhile)
    export = await made(cabinet, who, practice)
    answer = await cabinet.get(export["url"], who)
    assert (export["state"], left) == ("READY", [])
    assert CANARY.encode() not in answer.content and b"see this" in answer.content


@pytest.mark.rule("C16")
@pytest.mark.promise("D7")
async def test_lists_hear_of_a_file_that_goes_from_a_message_that_stays(cabinet: Cabinet) -> None:
    first, second = [await cabinet.uploaded(b"x", f"{n}.txt") for n in range(2)]
    await cabinet.send(cabinet.direct, cabinet.ada, "see these", first, second)
    for person in (cabinet.ada, cabinet.bea):
        async with cabinet.deployment.socket(person.token) as socket:
            key = await socket.subscribe(INBOX)
            assert (await socket.next(key))["inbox"]["__typename"] == "InboxOpened"
            await cabinet.deployment.data(DELETE, cabinet.ada.token, i=first if person is cabinet.ada else second)
            event = (await socket.next(key))["inbox"]
            [fetched] = (await cabinet.deployment.data(LISTED, person.token))["conversations"]["nodes"]
            assert event == {"__typename": "ConversationInboxChanged", "conversation": fetched}
            names = [each["name"] for each in fetched["lastMessage"]["attachments"]]
            assert names == (["1.txt"] if person is cabinet.ada else [])
