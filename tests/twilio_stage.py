"""A look-alike of Twilio's API: it checks each call as Twilio would, and tells the fate of what it took."""

from __future__ import annotations

import base64
import itertools
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

import httpx
from aiohttp import web
from twilio.request_validator import RequestValidator

ACCOUNT = "AC" + "0" * 32
TOKEN = "twilio-secret"
SENDER = "+12025550100"

_E164 = re.compile(r"\+[1-9]\d{6,14}")


@dataclass(frozen=True)
class Taken:
    """An SMS or a call that was taken."""

    kind: str
    sid: str
    to: str
    text: str
    callback: str | None


class Twilio:
    """The running look-alike."""

    def __init__(self) -> None:
        self.taken: list[Taken] = []
        self.asked = 0
        self.refusals: list[tuple[int, int]] = []
        """HTTP status and error code of the next answers."""
        self.answers: list[web.Response] = []
        """What it answers next, whatever is asked."""
        self.wrong: list[str] = []
        """What Twilio would not have understood."""
        self.url = ""
        self._numbers = itertools.count(1)

    def settings(self, **more: Any) -> dict[str, Any]:
        """The configuration of a deployment that uses it."""
        return {
            "twilio_account": ACCOUNT,
            "twilio_token": TOKEN,
            "twilio_sender": SENDER,
            "twilio_url": self.url,
            **more,
        }

    async def take(self, request: web.Request) -> web.Response:
        """Answer `POST /2010-04-01/Accounts/<sid>/Messages.json` and `…/Calls.json`."""
        self.asked += 1
        form = {name: str(value) for name, value in (await request.post()).items()}
        wanted = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {wanted}" or request.match_info["account"] != ACCOUNT:
            return self._refusal(401, 20003)
        if self.answers:
            return self.answers.pop(0)
        if self.refusals:
            return self._refusal(*self.refusals.pop(0))
        kind = request.match_info["kind"]
        if not _E164.fullmatch(form.get("To", "")):
            return self._refusal(400, 21211)
        if form.get("From") != SENDER:
            return self._refusal(400, 21212)
        text = form.get("Body", "") if kind == "Messages" else self._spoken(form.get("Twiml", ""))
        if not 0 < len(text) <= 1600:
            return self._refusal(400, 21602)
        sid = ("SM" if kind == "Messages" else "CA") + f"{next(self._numbers):032}"
        self.taken.append(Taken(kind, sid, form["To"], text, form.get("StatusCallback")))
        return web.json_response({"sid": sid, "status": "queued", "to": form["To"]}, status=201)

    def _spoken(self, twiml: str) -> str:
        response = ET.fromstring(twiml)
        if response.tag != "Response" or {say.get("language") for say in response} - {"en-US", "es-US"}:
            self.wrong.append(twiml)
        return response[0].text or ""

    @staticmethod
    def _refusal(status: int, code: int) -> web.Response:
        # Like Twilio's, the message repeats what was sent.
        body = {"code": code, "message": "The 'To' number +12025550199 is not valid.", "status": status}
        return web.json_response(body, status=status)

    async def tell(
        self, taken: Taken, status: str, *, at: str, token: str = TOKEN, more: Mapping[str, str] | None = None
    ) -> int:
        """Tell a deployment what became of something, signed for the public URL; returns its answer's status.

        Args:
            taken: what.
            status: `delivered`, `failed`, `completed`, ….
            at: where the deployment is really reached, instead of its public address.
            token: to sign with.
            more: further parameters.
        """
        assert taken.callback is not None
        name = "Message" if taken.kind == "Messages" else "Call"
        form = {f"{name}Sid": taken.sid, f"{name}Status": status, "AccountSid": ACCOUNT, **(more or {})}
        signature = RequestValidator(token).compute_signature(taken.callback, form)
        path = "/" + taken.callback.split("/", 3)[3]
        async with httpx.AsyncClient(base_url=at) as client:
            answer = await client.post(path, data=form, headers={"X-Twilio-Signature": signature})
        return answer.status_code


@asynccontextmanager
async def twilio() -> AsyncGenerator[Twilio]:
    """Run the look-alike on a port of this machine."""
    api = Twilio()
    app = web.Application()
    app.router.add_post("/2010-04-01/Accounts/{account}/{kind:Messages|Calls}.json", api.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    api.url = f"http://127.0.0.1:{port}"
    try:
        yield api
    finally:
        await runner.cleanup()
    assert api.wrong == []
