"""Links that are used while something else happens to them or to their conversation (C6)."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from plugins.chat.lobby import BORN, SEND, SEND_LINK, Lobby, client_id

from bedside_core.testing import until

WRONG = "1999-09-09"


async def waits(lobby: Lobby) -> bool:
    """Whether somebody waits for a lock in the database."""
    owner = await asyncpg.connect(lobby.database.owner_dsn)
    try:
        return await owner.fetchval(
            """SELECT EXISTS (SELECT FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock')"""
        )
    finally:
        await owner.close()


@pytest.mark.rule("C6")
@pytest.mark.promise("A6")
async def test_the_fifth_wrong_date_of_birth_and_a_message_that_is_sent_never_wait_for_each_other(lobby: Lobby) -> None:
    conversation, _, secret = await lobby.patient()
    await lobby.entered(secret, BORN)  # from now on each message is told of by a further link
    for _ in range(4):
        await lobby.refusal(secret, WRONG)
    links = lobby.deployment.platform.links
    issue, reached, go = links.add, asyncio.Event(), asyncio.Event()

    async def held_up(*given: object) -> object:
        reached.set()
        await go.wait()
        return await issue(*given)  # type: ignore[arg-type]

    links.add = held_up  # type: ignore[assignment]
    try:
        sending = asyncio.create_task(lobby.deployment.ask(SEND, lobby.ada.token, i=conversation, b="x", c=client_id()))
        await asyncio.wait_for(reached.wait(), 60)
        trying = asyncio.create_task(lobby.exchange(secret, WRONG))
        await until(lambda: waits(lobby), "the attempt waits for who sends", 60)
        go.set()
        sent, tried = await asyncio.wait_for(asyncio.gather(sending, trying), 60)
    finally:
        links.add = issue
    assert "errors" not in sent
    assert (tried.status_code, tried.json()["code"], tried.json()["attemptsLeft"]) == (403, "DATE_OF_BIRTH_WRONG", 0)
    [row] = await lobby.rows("SELECT failures, revoked_at IS NOT NULL AS void FROM guest_link")
    assert row == {"failures": 5, "void": True}
    assert await lobby.refusal(secret, BORN) == (410, "LINK_OVER", "voided")


@pytest.mark.rule("C6")
async def test_wrong_dates_messages_and_links_sent_at_once_all_end_and_every_attempt_counts(lobby: Lobby) -> None:
    conversation, patient, secret = await lobby.patient()
    await lobby.entered(secret, BORN)
    for _ in range(3):
        send = [lobby.deployment.ask(SEND, lobby.ada.token, i=conversation, b="x", c=client_id()) for _ in range(3)]
        tries = [lobby.exchange(secret, WRONG) for _ in range(5)]
        tried, sent = await asyncio.gather(asyncio.gather(*tries), asyncio.gather(*send))
        assert sorted(answer.json()["attemptsLeft"] for answer in tried) == [0, 1, 2, 3, 4]
        assert not [answer for answer in sent if "errors" in answer]
        [row] = await lobby.rows("SELECT failures, revoked_at IS NOT NULL AS void FROM guest_link")
        assert row == {"failures": 5, "void": True}
        [address] = [row["email"] for row in await lobby.rows(f"SELECT email FROM patient WHERE id = '{patient}'")]
        count = len(lobby.letters(address))
        wrong, again = await asyncio.gather(
            lobby.exchange(secret, WRONG), lobby.deployment.ask(SEND_LINK, lobby.ada.token, i=conversation, p=patient)
        )
        assert wrong.status_code == 410 and "errors" not in again
        secret = await lobby.secret(address, count + 1)
        await lobby.entered(secret, BORN)
