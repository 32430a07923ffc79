"""SMS and voice by Twilio, whose official client is used over a session of our own, within a time limit."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Any

# pyright: reportMissingTypeStubs=false
from bedside_core.notify.channels import Letter, OptedOut, Permanent, Receipt, Temporary
from bedside_core.notify.kinds import Channel, Language

if TYPE_CHECKING:
    from twilio.rest import Client

SECONDS = 10.0
"""Longest time that a call of Twilio's API may take; its client has no limit of its own."""

OPTED_OUT = 21610
"""Twilio's error code where STOP was written from the number."""

_HOME = "https://api.twilio.com"
_VOICES = {Language.ENGLISH: "en-US", Language.SPANISH: "es-US"}


class Twilio:
    """An account at Twilio.

    Args:
        account: its SID.
        token: its secret.
        sender: the number (E.164) or, for SMS, the messaging service (`MG…`) that sends.
        url: where the API is, if not at Twilio's own address.
    """

    def __init__(self, account: str, token: str, sender: str, url: str | None = None) -> None:
        self.account = account
        self.token = token
        self.sender = sender
        self._url = url

    def client(self) -> Client:
        """Return the client. It is slow to import, so that happens when it is first needed."""
        from twilio.http.async_http_client import AsyncTwilioHttpClient
        from twilio.rest import Client

        home = self._url

        class Http(AsyncTwilioHttpClient):
            async def request(self, method: str, url: str, *args: Any, **others: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
                others.pop("timeout", None)
                async with asyncio.timeout(SECONDS):
                    return await super().request(method, url.replace(_HOME, home) if home else url, *args, **others)

        return Client(self.account, self.token, http_client=Http(pool_connections=False))


def _load() -> None:
    """Import Twilio's client, which takes too long for the event loop."""
    for module in ("twilio.rest", "twilio.rest.api", "twilio.http.async_http_client", "twilio.twiml.voice_response"):
        import_module(module)


class Phone:
    """Sends SMS or calls.

    Args:
        channel: which of the two.
        twilio: the account.
        webhook: where Twilio tells what became of it, a URL up to the path of the delivery; None where it can't.
    """

    def __init__(self, channel: Channel, twilio: Twilio, webhook: str | None) -> None:
        self._channel = channel
        self._twilio = twilio
        self._webhook = webhook

    async def send(self, letter: Letter) -> Receipt:
        """Hand an SMS or a call over.

        Raises:
            Temporary: Twilio is away or has too much to do (429, 5xx).
            OptedOut: STOP was written from the number.
            Permanent: it refuses this one; the reason is Twilio's error code.
        """
        from aiohttp import ClientError

        await asyncio.to_thread(_load)
        from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException

        try:
            made = await self._made(letter)
        except (TwilioRestException, TwilioServiceException) as error:
            raise _refusal(error.status, error.code) from error
        except (TwilioException, ValueError) as error:  # such as a page of somebody in between, with status 200
            raise Temporary(f"Twilio's answer can't be read: {type(error).__name__}") from error
        except (TimeoutError, ClientError, OSError) as error:
            raise Temporary(f"Twilio does not answer: {type(error).__name__}", channel=True) from error
        return Receipt(provider_id=str(made.sid))

    async def _made(self, letter: Letter) -> Any:
        client = self._twilio.client()
        told: dict[str, Any] = {}
        if self._webhook is not None:
            told["status_callback"] = f"{self._webhook}/{letter.practice_id}/{letter.id}"
        if self._channel is Channel.VOICE:
            from twilio.twiml.voice_response import VoiceResponse

            speech: Any = VoiceResponse()
            for _ in range(2):  # whoever answers has missed half of it
                speech.say(letter.content.text, language=_VOICES[letter.language])
            return await client.calls.create_async(
                to=letter.address, from_=self._twilio.sender, twiml=str(speech), **told
            )
        service = self._twilio.sender.startswith("MG")
        sender = {"messaging_service_sid" if service else "from_": self._twilio.sender}
        text = letter.content.text
        if letter.content.link and letter.content.link not in text:
            text = f"{text} {letter.content.link}"
        return await client.messages.create_async(to=letter.address, body=text, **sender, **told)


def _refusal(status: Any, code: Any) -> Temporary | Permanent:
    """Return what a refusal of Twilio means, in either of its forms; its message is left out, which repeats the number.

    Args:
        status: of HTTP; in problem details (RFC 9457) it comes out of the body.
        code: Twilio's own.
    """
    if code == OPTED_OUT:
        return OptedOut()
    status = status if isinstance(status, int) else 500
    reason = f"Twilio {code if isinstance(code, int) and code else status}"
    if status in {401, 403}:  # the account's fault, not the recipient's
        return Temporary(reason, channel=True)
    return Permanent(reason) if 400 <= status < 500 and status != 429 else Temporary(reason)
