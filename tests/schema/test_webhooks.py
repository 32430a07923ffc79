"""Webhooks: signed, ids only, at least once with the same id, retried, logged, replayed, rotated, given up (G6)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from accounts_stage import rows
from deployment import APPS, Deployment, Person, served
from webhooks_stage import CREATE, LOG, LOOPBACK, Hook, Received, Receiver, hooked, receiving

from bedside_core.auth import Role
from bedside_core.database import DB, acting, unit
from bedside_core.people import ContactAdded
from bedside_core.testing import Database, statements, until
from bedside_core.webhooks import sending
from bedside_core.webhooks.model import PAUSES

LIST = "{ webhooks { id url types enabled oldSecretUntil failingSince disabledReason } }"
ROTATE = "mutation($i: ID!) { rotateWebhookSecret(id: $i) { secret webhook { oldSecretUntil } } }"
UPDATE = "mutation($i: ID!, $p: WebhookPatch!) { updateWebhook(id: $i, patch: $p) { url types enabled failingSince } }"
DELETE = "mutation($i: ID!) { deleteWebhook(id: $i) }"
REPLAY = "mutation($i: ID!) { replayWebhookDelivery(id: $i) { id state attempts } }"
TYPES = "{ webhookEventTypes { key description ids } }"


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest_asyncio.fixture
async def deployment(fresh_database: Database) -> AsyncGenerator[Deployment, None]:
    async with served(fresh_database, worker=True, webhook_networks=LOOPBACK) as running:
        yield running


@pytest_asyncio.fixture
async def owner(deployment: Deployment) -> Person:
    return await deployment.person(await deployment.practice(), Role.OWNER)


@pytest_asyncio.fixture
async def receiver() -> AsyncGenerator[Receiver, None]:
    async with receiving() as there:
        yield there


@pytest_asyncio.fixture
async def hook(deployment: Deployment, owner: Person, receiver: Receiver) -> Hook:
    return await hooked(deployment, owner, receiver.url())


def signatures(request: Received) -> list[str]:
    return request.headers["webhook-signature"].split(" ")


def signature(secret: str, request: Received) -> str:
    """What Standard Webhooks 1.0 says, written anew."""
    content = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


@pytest.mark.rule("G6")
async def test_a_receiver_is_told_of_an_event_signed_and_by_ids_alone(
    deployment: Deployment, fresh_database: Database, receiver: Receiver, hook: Hook
) -> None:
    contact = await hook.happens()
    delivery = await hook.ended("delivered")
    [request] = receiver.got
    assert request.target == "/hooks?of=us"
    assert request.told == {
        "type": "contact.added",
        "timestamp": request.told["timestamp"],
        "data": {"practiceId": str(hook.owner.member.practice_id), "contactId": contact},
    }
    assert request.headers["content-type"] == "application/json"
    assert signatures(request) == [signature(hook.secret, request)]
    sent = int(request.headers["webhook-timestamp"])
    assert abs(sent - deployment.platform.clock.now().timestamp()) < 60
    assert request.headers["webhook-id"] == delivery["messageId"]
    assert (delivery["type"], delivery["attempts"], delivery["status"], delivery["reason"]) == (
        "contact.added", 1, 204, None,
    )  # fmt: skip
    assert (delivery["nextAttemptAt"], delivery["endedAt"] is None) == (None, False)
    assert 0 <= delivery["milliseconds"] < 60_000
    assert delivery["body"].encode() == request.body
    stored = await rows(fresh_database, "SELECT e::text AS row FROM webhook_endpoint e")
    assert hook.secret not in str(stored)
    assert base64.b64decode(hook.secret.removeprefix("whsec_")).hex() not in str(stored)


@pytest.mark.rule("G6")
async def test_only_chosen_types_of_one_s_own_practice_are_told(
    deployment: Deployment, receiver: Receiver, hook: Hook
) -> None:
    other = await deployment.person(await deployment.practice("Other"), Role.OWNER)
    await hook.happens(by=other)
    await deployment.data('mutation { updateProfile(patch: { firstName: "Olga" }) { __typename } }', hook.owner.token)
    contact = await hook.happens()
    await hook.ended("delivered")
    assert [request.told["data"]["contactId"] for request in receiver.got] == [contact]
    assert len(await hook.log()) == 1


@pytest.mark.rule("G6")
async def test_what_is_rolled_back_is_told_to_nobody(deployment: Deployment, owner: Person, hook: Hook) -> None:
    practice_id = owner.member.practice_id

    class Undone(Exception):
        pass

    with acting(practice_id), pytest.raises(Undone):
        async with unit() as work:
            work.emit(ContactAdded(practice_id=practice_id, contact_id=UUID(int=1)))
            work.at_the_end(_raise(Undone))
    assert await hook.log() == []


def _raise(error: type[Exception]) -> Any:
    async def step() -> None:
        raise error

    return step


@pytest.mark.rule("G6")
async def test_a_failed_delivery_is_tried_again_with_the_same_id_after_growing_pauses(
    deployment: Deployment, receiver: Receiver, hook: Hook
) -> None:
    receiver.refuse(500, 302, 404)
    receiver.answers.append(None)
    await hook.happens()
    reasons: list[tuple[int | None, str]] = []
    for number in range(1, 5):
        tried = await hook.tried(number)
        reasons.append((tried["status"], tried["reason"]))
        assert (tried["state"], tried["endedAt"]) == ("WAITING", None)
        await hook.later(PAUSES[number - 1])
    delivered = await hook.ended("delivered")
    assert (delivered["attempts"], delivered["status"], delivered["reason"]) == (5, 204, None)
    assert reasons == [
        (500, "The receiver answered 500."),
        (302, "The receiver redirects, which is not followed."),
        (404, "The receiver answered 404."),
        (None, "The receiver can't be talked to: ServerDisconnectedError."),
    ]
    assert len({request.headers["webhook-id"] for request in receiver.got}) == 1
    assert len({request.body for request in receiver.got}) == 1
    assert len({request.headers["webhook-timestamp"] for request in receiver.got}) == 5
    for request in receiver.got:
        assert signatures(request) == [signature(hook.secret, request)]
    assert list(PAUSES) == sorted(PAUSES)


@pytest.mark.rule("G6")
async def test_a_delivery_is_given_up_at_last_and_can_be_replayed_with_the_same_id(
    deployment: Deployment, receiver: Receiver, hook: Hook
) -> None:
    receiver.refuse(*([503] * (len(PAUSES) + 1)))
    await hook.happens()
    for number, pause in enumerate(PAUSES, start=1):
        await hook.tried(number)
        assert await deployment.code(REPLAY, hook.owner.token, i=(await hook.log())[0]["id"]) == "CONFLICT"
        await hook.later(pause)
    failed = await hook.ended("failed")
    assert (failed["attempts"], failed["reason"]) == (len(PAUSES) + 1, "The receiver answered 503.")
    again = (await deployment.data(REPLAY, hook.owner.token, i=failed["id"]))["replayWebhookDelivery"]
    assert again == {"id": failed["id"], "state": "WAITING", "attempts": 0}
    delivered = await hook.ended("delivered")
    assert (delivered["attempts"], delivered["messageId"]) == (1, failed["messageId"])
    assert len({request.headers["webhook-id"] for request in receiver.got}) == 1
    await deployment.data(REPLAY, hook.owner.token, i=failed["id"])  # what was delivered, too
    await until(lambda: len(receiver.got) == len(PAUSES) + 3, "the second replay", 60)


@pytest.mark.rule("G6")
async def test_a_worker_that_ends_between_sending_and_writing_down_sends_again_with_the_same_id(
    deployment: Deployment, receiver: Receiver, hook: Hook
) -> None:
    await hook.happens()
    await hook.ended("delivered")
    with acting(hook.owner.member.practice_id):  # as it stands where a worker was killed in between
        await DB.execute(
            """UPDATE webhook_delivery SET state = 'waiting', status = NULL, ended_at = NULL,
            claimed_until = clock_timestamp() - interval '1 second'"""
        )
    assert (await hook.ended("delivered"))["attempts"] == 2
    assert len({request.headers["webhook-id"] for request in receiver.got}) == 1


@pytest.mark.rule("G6")
async def test_both_secrets_sign_for_a_day_after_a_rotation(
    deployment: Deployment, receiver: Receiver, hook: Hook
) -> None:
    rotated = (await deployment.data(ROTATE, hook.owner.token, i=hook.id))["rotateWebhookSecret"]
    assert rotated["secret"] != hook.secret
    assert rotated["webhook"]["oldSecretUntil"] is not None
    await hook.happens()
    await hook.ended("delivered")
    first = receiver.got[-1]
    assert signatures(first) == [signature(rotated["secret"], first), signature(hook.secret, first)]
    await hook.later(timedelta(hours=24, seconds=1))
    await hook.happens()
    await until(lambda: len(receiver.got) == 2, "the second delivery", 60)
    second = receiver.got[-1]
    assert signatures(second) == [signature(rotated["secret"], second)]


@pytest.mark.rule("G6")
async def test_a_receiver_that_failed_for_days_is_switched_off_and_owners_are_told(
    deployment: Deployment, fresh_database: Database, receiver: Receiver, hook: Hook
) -> None:
    manager = await deployment.person(await _practice(deployment, hook), Role.MANAGER, "Max")
    receiver.refuse(*([500] * 3))
    await hook.happens()
    await hook.tried(1)
    [listed] = (await deployment.data(LIST, hook.owner.token))["webhooks"]
    assert (listed["enabled"], listed["failingSince"] is None) == (True, False)
    await hook.later(timedelta(days=5, minutes=1))
    failed = await hook.ended("failed")
    assert failed["attempts"] == 2
    [listed] = (await deployment.data(LIST, hook.owner.token))["webhooks"]
    assert (listed["enabled"], listed["disabledReason"]) == (False, "The receiver failed for days.")
    told = await rows(fresh_database, "SELECT recipient_id FROM notification WHERE kind = 'core.webhook_disabled'")
    assert [str(row["recipient_id"]) for row in told] == [hook.owner.id]
    assert manager.id != hook.owner.id
    await hook.happens()
    assert len(await hook.log()) == 1  # nothing is made for it any more
    assert await deployment.code(REPLAY, hook.owner.token, i=failed["id"]) == "CONFLICT"
    receiver.answers.clear()
    changed = (await deployment.data(UPDATE, hook.owner.token, i=hook.id, p={"enabled": True}))["updateWebhook"]
    assert (changed["enabled"], changed["failingSince"]) == (True, None)
    await deployment.data(REPLAY, hook.owner.token, i=failed["id"])
    assert (await hook.ended("delivered"))["status"] == 204


async def _practice(deployment: Deployment, hook: Hook) -> Any:
    return await deployment.platform.people.practice(hook.owner.member.practice_id)


@pytest.mark.rule("G6")
async def test_a_receiver_that_says_that_it_is_gone_is_switched_off_at_once(
    deployment: Deployment, receiver: Receiver, hook: Hook
) -> None:
    receiver.refuse(410)
    await hook.happens()
    await hook.ended("failed")
    [listed] = (await deployment.data(LIST, hook.owner.token))["webhooks"]
    assert (listed["enabled"], listed["disabledReason"]) == (False, "The receiver says that it is gone.")


@pytest.mark.rule("G6")
async def test_a_success_ends_a_row_of_failures(deployment: Deployment, receiver: Receiver, hook: Hook) -> None:
    receiver.refuse(500)
    await hook.happens()
    await hook.tried(1)
    await hook.later(timedelta(days=6))
    await hook.ended("delivered")
    [listed] = (await deployment.data(LIST, hook.owner.token))["webhooks"]
    assert (listed["enabled"], listed["failingSince"]) == (True, None)


@pytest.mark.rule("G6")
@pytest.mark.rule("G9")
async def test_webhooks_are_registered_changed_and_deleted_by_owners(
    deployment: Deployment, fresh_database: Database, receiver: Receiver, owner: Person
) -> None:
    wanted = {"u": "https://partner.example/hooks", "t": ["patient.created", "contact.added"], "c": "w1"}
    made = (await deployment.data(CREATE, owner.token, **wanted))["createWebhook"]
    assert made["secret"].startswith("whsec_")
    assert len(base64.b64decode(made["secret"].removeprefix("whsec_"))) == 32
    again = (await deployment.data(CREATE, owner.token, **wanted))["createWebhook"]
    assert (again["secret"], again["webhook"]) == (None, made["webhook"])
    assert await deployment.code(CREATE, owner.token, **{**wanted, "t": ["patient.created"]}) == "CONFLICT"
    eve = await deployment.person(await deployment.practice("Other"), Role.OWNER, "Eve")
    manager = await deployment.person(
        await deployment.platform.people.practice(owner.member.practice_id) or pytest.fail(), Role.MANAGER
    )
    key = made["webhook"]["id"]
    before = await rows(fresh_database, "SELECT * FROM webhook_endpoint")
    for query, variables in ((UPDATE, {"p": {"enabled": False}}), (ROTATE, {}), (DELETE, {})):
        for wrong in (key, str(UUID(int=7)), "nothing"):
            assert await deployment.code(query, eve.token, i=wrong, **variables) == "NOT_FOUND"
        assert await deployment.code(query, manager.token, i=key, **variables) == "FORBIDDEN"
    assert await deployment.code(LOG, eve.token, i=key) == "NOT_FOUND"
    assert (await deployment.data(LIST, eve.token))["webhooks"] == []
    assert await rows(fresh_database, "SELECT * FROM webhook_endpoint") == before
    with statements() as ran:
        assert [each["id"] for each in (await deployment.data(LIST, manager.token))["webhooks"]] == [key]
    assert len(ran) == 2
    changed = await deployment.data(UPDATE, owner.token, i=key, p={"url": "https://other.example/", "enabled": False})
    assert changed["updateWebhook"] == {
        "url": "https://other.example/", "types": ["contact.added", "patient.created"], "enabled": False,
        "failingSince": None,
    }  # fmt: skip
    assert await deployment.data(DELETE, owner.token, i=key) == {"deleteWebhook": True}
    assert await deployment.code(LOG, owner.token, i=key) == "NOT_FOUND"
    for number in range(20):
        await hooked(deployment, owner, receiver.url())
        assert number < 20
    assert await deployment.code(CREATE, owner.token, **{**wanted, "c": "one more"}) == "CONFLICT"
    log = await rows(
        fresh_database, "SELECT DISTINCT action FROM audit_entry WHERE action LIKE 'webhooks.%' ORDER BY 1"
    )
    assert [row["action"] for row in log] == ["webhooks.change", "webhooks.create", "webhooks.delete"]


@pytest.mark.rule("G6")
async def test_core_and_plugins_declare_what_webhooks_may_be_told_of(deployment: Deployment, owner: Person) -> None:
    types = {each["key"]: each["ids"] for each in (await deployment.data(TYPES, owner.token))["webhookEventTypes"]}
    assert types["patient.created"] == ["practiceId", "patientId"]
    assert types["message.sent"] == ["practiceId", "conversationId", "messageId", "senderId"]
    assert types["appointment.booked"] == ["practiceId", "appointmentId"]
    assert types["portal_account.changed"] == ["practiceId", "patientId"]
    assert types["file.attached"] == ["practiceId", "fileId", "ownerId", "attachedBy"]
    assert all(name.endswith(("Id", "By")) for ids in types.values() for name in ids)
    refused = await deployment.ask(CREATE, owner.token, u="https://a.example/", t=["no.such"], c="c")
    facts = refused["errors"][0]["extensions"]
    assert (facts["code"], facts["field"]) == ("INVALID_INPUT", ["types"])


@pytest.mark.rule("G6")
async def test_the_log_is_paged_at_a_constant_number_of_statements(
    deployment: Deployment, fresh_database: Database, receiver: Receiver, hook: Hook
) -> None:
    told = [await hook.happens() for _ in range(5)]

    async def all_written_down() -> bool:
        return [each["state"] for each in await hook.log()] == ["DELIVERED"] * 5

    async def idle() -> bool:
        return not await rows(fresh_database, "SELECT FROM pgqueuer WHERE status IN ('queued', 'picked')")

    await until(all_written_down, "five deliveries", 60)
    await until(idle, "the worker to look for more and find none", 60)
    with statements() as ran:
        page = (await deployment.data(LOG, hook.owner.token, i=hook.id, f=3))["webhookDeliveries"]
    assert len(ran) == 3
    assert page["pageInfo"]["hasNextPage"] is True
    rest = await deployment.data(LOG, hook.owner.token, i=hook.id, a=page["pageInfo"]["endCursor"])
    bodies = [each["body"] for each in [*page["nodes"], *rest["webhookDeliveries"]["nodes"]]]
    assert [contact in body for contact, body in zip(reversed(told), bodies, strict=True)] == [True] * 5
    assert await deployment.code(LOG, hook.owner.token, i=hook.id, a="bm90aGluZw") == "INVALID_INPUT"


@pytest.mark.rule("G6")
async def test_deliveries_are_forgotten_a_month_after_their_end(
    deployment: Deployment, fresh_database: Database, hook: Hook
) -> None:
    await hook.happens()
    await hook.ended("delivered")
    await hook.later(timedelta(days=32))

    async def forgotten() -> bool:
        return await rows(fresh_database, "SELECT * FROM webhook_delivery") == []

    await until(forgotten, "the log to be forgotten", 60)
    assert len(await rows(fresh_database, "SELECT * FROM contact")) == 1


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> float:
    """Have receivers be waited for half as long as they are: what hangs holds the others up for less than that."""
    monkeypatch.setattr(sending, "SECONDS", 5.0)
    return sending.SECONDS


@pytest.mark.rule("G6")
async def test_a_practice_whose_receivers_hang_holds_up_no_other(patience: float, deployment: Deployment) -> None:
    hanging: list[bytes] = []
    most = 0

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal most
        hanging.append(await reader.readuntil(b"\r\n\r\n"))
        most = max(most, len(hanging))
        await reader.read()  # until the client has had enough
        hanging.pop()
        writer.close()

    bad = await deployment.person(await deployment.practice("Bad"), Role.OWNER)
    good = await deployment.person(await deployment.practice("Good"), Role.OWNER)
    async with receiving() as receiver, await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        hooks = [await hooked(deployment, bad, f"http://127.0.0.1:{port}/{number}") for number in range(8)]
        for _ in range(5):
            await hooks[0].happens()
        await until(lambda: len(hanging) >= 2, "two to hang", 60)
        hook = await hooked(deployment, good, receiver.url())
        for _ in range(3):
            before = len(receiver.got)
            await hook.happens()
            await until(lambda before=before: len(receiver.got) > before, "the other practice's", 0.9 * patience)
        assert most < 5  # of five runs of the job at once; two that begin in the same moment may both be let in


@pytest.mark.rule("G6")
async def test_three_practices_whose_receivers_hang_hold_up_no_fourth(patience: float, deployment: Deployment) -> None:
    hanging, over = 0, 0

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal hanging, over
        hanging += 1
        await reader.readuntil(b"\r\n\r\n")
        with suppress(ConnectionError):
            await reader.read()  # until the client has had enough
        hanging, over = hanging - 1, over + 1
        writer.close()

    bad = [await deployment.person(await deployment.practice(f"Bad {name}"), Role.OWNER) for name in "ABC"]
    good = await deployment.person(await deployment.practice("Good"), Role.OWNER)
    async with receiving() as receiver, await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        for owner in bad:
            hooks = [await hooked(deployment, owner, f"http://127.0.0.1:{port}/{number}") for number in range(8)]
            for _ in range(3):
                await hooks[0].happens()
        hook = await hooked(deployment, good, receiver.url())
        await until(lambda: over >= 6, "the hanging ones to be known as such", 60)
        for _ in range(3):
            before = len(receiver.got)
            await until(lambda: hanging >= 3, "them to hang again", 60)
            await hook.happens()
            await until(lambda before=before: len(receiver.got) > before, "the fourth practice's", 0.9 * patience)
