"""Where Twilio tells what became of an SMS or a call. Signed with our token, over the public address (N1)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Request, Response, post
from litestar.params import FromPath

from bedside_core import errors
from bedside_core.database import DB, acting
from bedside_core.notify import optouts
from bedside_core.notify.channels import STOPPED
from bedside_core.notify.channels.phone import OPTED_OUT
from bedside_core.notify.ways import TWILIO_PATH
from bedside_core.platform import Platform
from bedside_core.routes import Route, public_route

_DONE = frozenset({"delivered", "read", "completed"})
_FAILED = frozenset({"failed", "undelivered", "busy", "no-answer", "canceled"})

_TOLD = """
UPDATE notification_delivery SET state = $2, reason = $3, ended_at = $4
WHERE id = $1 AND channel IN ('sms', 'voice') AND state IN ('waiting', 'sent')
    AND (provider_id IS NULL OR provider_id = $5)
RETURNING id
"""


@post(f"{TWILIO_PATH}/{{practice_id:uuid}}/{{delivery_id:uuid}}", guards=[public_route], status_code=204)
async def twilio_status(
    request: Request[Any, Any, Any], practice_id: FromPath[UUID], delivery_id: FromPath[UUID]
) -> Response[None]:
    """Take note of a delivery's fate; a second time, or late, it changes nothing.

    Raises:
        errors.Forbidden: it is not signed by Twilio with our token.
    """
    from twilio.request_validator import RequestValidator  # pyright: ignore[reportMissingTypeStubs]

    platform: Platform = request.app.state.platform
    account = platform.config.twilio_token
    form = {name: str(value) for name, value in (await request.form()).items()}
    url = platform.notify.url(f"{TWILIO_PATH}/{practice_id}/{delivery_id}")
    signature = request.headers.get("x-twilio-signature", "")
    if account is None or not _genuine(RequestValidator(account.get_secret_value()), url, form, signature):
        raise errors.Forbidden("This is not signed by Twilio.")
    status = form.get("MessageStatus") or form.get("CallStatus") or ""
    if status in _DONE | _FAILED:
        code = form.get("ErrorCode", "")
        stopped = status in _FAILED and code == str(OPTED_OUT)
        reason = f"Twilio {code or status}"[:40] if status in _FAILED else None
        with acting(practice_id):
            told = await DB.fetchval(
                _TOLD,
                delivery_id,
                "delivered" if status in _DONE else "failed",
                STOPPED if stopped else reason,
                platform.clock.now(),
                form.get("MessageSid") or form.get("CallSid"),
            )
            if stopped and told is not None:
                await optouts.remember(told, platform.clock.now())
    return Response(None, status_code=204)


def _genuine(validator: Any, url: str, form: dict[str, str], signature: str) -> bool:
    return bool(signature) and bool(validator.validate(url, form, signature))


def notify_routes() -> list[Route]:
    """Return the routes."""
    return [twilio_status]
