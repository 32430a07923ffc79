"""In whose audit trail a person's sign-ins and factors stand (A14)."""

from __future__ import annotations

from contextlib import AbstractContextManager
from uuid import UUID

from bedside_core.audit import DEPLOYMENT
from bedside_core.database import acting


def in_trail_of(practice_id: UUID | None) -> AbstractContextManager[None]:
    """Act for the practice in whose trail the block's acts stand; the operator's stand in the deployment's."""
    return acting(practice_id or DEPLOYMENT)
