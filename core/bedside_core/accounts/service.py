"""Everything about coming to an account and changing it, in one place for the entrances."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bedside_core.accounts.address import Addresses
from bedside_core.accounts.invitations import Invitations
from bedside_core.accounts.joining import Joining
from bedside_core.accounts.recovery import Recovery
from bedside_core.accounts.registration import Registration
from bedside_core.accounts.resets import Resets
from bedside_core.accounts.review import Review
from bedside_core.accounts.terms import TermsOfUse

if TYPE_CHECKING:
    from bedside_core.platform import Platform


class Accounts:
    """The verbs of accounts, by subject.

    Args:
        platform: for its clock, links, people, sign-ins and notifications.
    """

    def __init__(self, platform: Platform) -> None:
        self.invitations = Invitations(platform)
        self.registration = Registration(platform)
        self.joining = Joining(platform)
        self.resets = Resets(platform)
        self.recovery = Recovery(platform)
        self.terms = TermsOfUse(platform.clock)
        self.addresses = Addresses(platform)
        self.review = Review(platform)
