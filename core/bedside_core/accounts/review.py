"""What a person is shown at the first sign-in: their settings, to look over once (A8); and answers set later (A4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bedside_core import audit
from bedside_core.accounts import questions
from bedside_core.auth import Actor
from bedside_core.database import DB, acting, unit

if TYPE_CHECKING:
    from bedside_core.platform import Platform


class Review:
    """Notes what each has looked over and answered.

    Args:
        platform: for its clock and sign-ins.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def is_done(self, actor: Actor) -> bool:
        """Tell whether a member has looked their settings over; others have none to look over."""
        if actor.member_id is None:
            return True
        found = await DB.fetchval("SELECT settings_reviewed_at IS NOT NULL FROM member WHERE id = $1", actor.member_id)
        return bool(found)

    async def done(self, actor: Actor) -> None:
        """Note that the member has looked their settings over; the first time counts."""
        _, member_id = actor.in_practice()
        now = self._platform.clock.now()
        async with unit():
            await DB.execute(
                "UPDATE member SET settings_reviewed_at = $2 WHERE id = $1 AND settings_reviewed_at IS NULL",
                member_id,
                now,
            )

    async def questions_of(self, actor: Actor) -> Sequence[str]:
        """Return the keys of the questions that the actor's account has answered."""
        return list(await questions.answered(actor.oneself().complete().account_id))

    async def answer(self, actor: Actor, password: str, answers: Sequence[tuple[str, str]]) -> None:
        """Put other answers in the place of the account's.

        Raises:
            errors.InvalidInput: the password is wrong, or the answers can't be used.
            Locked: the password was wrong six times in a row.
        """
        actor.oneself().complete()
        given = questions.checked(answers)
        account = await self._platform.auth.proof.by_password(actor, password)
        hashes = await questions.hashed(given)
        with acting(actor.practice_id or audit.DEPLOYMENT, actor.person_id):
            async with unit():
                await self._platform.auth.proof.still(actor, account)
                await questions.store(actor.account_id, hashes, self._platform.clock.now())
                audit.did("account.answers", kind="account", target=actor.account_id)
