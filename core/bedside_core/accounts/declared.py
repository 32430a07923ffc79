"""What coming to an account declares of core's: permissions, jobs, listeners and notifications."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bedside_core.access import LEADERS, OPERATOR, Permission
from bedside_core.accounts import resets
from bedside_core.accounts.letters import LOCKED
from bedside_core.auth import AccountLocked, Role
from bedside_core.auth.preferences import PLUGIN
from bedside_core.database import unit
from bedside_core.events import Listener, on
from bedside_core.jobs.declared import Job
from bedside_core.notify.kinds import Fact, Recipient
from bedside_core.people.base import raise_positions
from bedside_core.people.permissions import a_member
from bedside_core.settings import SettingsChanged

if TYPE_CHECKING:
    from bedside_core.platform import Platform

PERMISSIONS = (
    Permission(key="members.invite", doc="Invite people, and see who was invited.", roles=LEADERS),
    Permission(key="practices.invite", doc="Invite a practice's first owner.", roles=OPERATOR),
    Permission(
        key="account.recover",
        doc="Take lost second factors from members of one's own practice alone.",
        roles=frozenset({Role.OWNER}),
        check=a_member,
    ),
    Permission(key="terms.publish", doc="Publish the Terms of Use.", roles=OPERATOR),
)

JOBS: Sequence[Job] = (
    Job(
        name=resets.SEND.partition(".")[2],
        function=resets.send,
        doc="Sends the mail for a new password, where the address has an account.",
        public=True,
    ),
)


def listeners(platform: Platform) -> Sequence[Listener]:
    """Return core's own listeners."""

    async def tell(event: AccountLocked) -> None:
        """Write to the owner of a locked account, once for each lock (A5)."""
        async with unit() as work:
            await platform.notify.send(
                work,
                LOCKED.key,
                to=Recipient.account(event.account_id),
                data={Fact.TIME: event.until},
                dedupe=str(event.lock_id),
            )

    async def look_again(event: SettingsChanged) -> None:
        """Have a practice's open sockets looked at again at once where it demands a second factor now (A9, A10)."""
        if event.plugin == PLUGIN and event.member_id is None and "second_factor_required" in event.changed:
            async with unit() as work:
                await raise_positions(work, event.practice_id)

    return [on(AccountLocked, tell, durable=True), on(SettingsChanged, look_again)]
