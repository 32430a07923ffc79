"""The code that the documents give to front-end teams and partners runs, and does what they say."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bedside_core.webhooks.signing import new_secret, signed

DOCS = Path(__file__).parents[2] / "docs"
NOW = 1_795_341_600
BODY = '{"type":"patient.created","data":{"patientId":"é"}}'.encode()


def code(document: str, language: str) -> str:
    """The one block of a language in a document."""
    [block] = re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / document).read_text(), re.DOTALL | re.MULTILINE)
    return block


def python(document: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(code(document, "python"), document, "exec"), names)
    return names


def javascript(program: str) -> Any:
    node = shutil.which("node")
    assert node is not None
    done = subprocess.run([node, "-e", program], capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


def deliveries() -> list[tuple[str, dict[str, str], bytes, int, bool]]:
    """Secret, headers, body, the present, and whether it is genuine."""
    secret, other = new_secret(), new_secret()
    good = dict(signed("msg_1", NOW, BODY, [secret]))
    both = dict(signed("msg_1", NOW, BODY, [other, secret]))
    return [
        (secret, good, BODY, NOW, True),
        (secret, both, BODY, NOW + 299, True),
        (other, both, BODY, NOW - 299, True),
        (other, good, BODY, NOW, False),
        (secret, good, BODY + b" ", NOW, False),
        (secret, good, BODY, NOW + 301, False),
        (secret, good, BODY, NOW - 301, False),
        (secret, {**good, "webhook-id": "msg_2"}, BODY, NOW, False),
        (secret, {**good, "webhook-timestamp": str(NOW + 1)}, BODY, NOW, False),
        (secret, {**good, "webhook-timestamp": "soon"}, BODY, NOW, False),
        (secret, {**good, "webhook-signature": ""}, BODY, NOW, False),
        (secret, {**good, "webhook-signature": "v1,é"}, BODY, NOW, False),
        (secret, {}, BODY, NOW, False),
    ]


@pytest.mark.rule("G6")
def test_the_python_code_tells_genuine_deliveries_from_others() -> None:
    verified = python("webhooks.md")["verified"]
    for secret, headers, body, now, genuine in deliveries():
        assert verified(secret, headers, body, now=now) is genuine, headers


@pytest.mark.rule("G6")
def test_the_javascript_code_tells_genuine_deliveries_from_others() -> None:
    cases = deliveries()
    given = [
        {"secret": secret, "headers": headers, "body": base64.b64encode(body).decode(), "now": now}
        for secret, headers, body, now, _ in cases
    ]
    program = f"""{code("webhooks.md", "javascript")}
    const told = {json.dumps(given)}.map((one) =>
      verified(one.secret, one.headers, Buffer.from(one.body, "base64"), one.now));
    console.log(JSON.stringify(told));"""
    assert javascript(program) == [genuine for *_, genuine in cases]


@pytest.mark.rule("G6")
def test_a_published_example_of_standard_webhooks_is_signed_alike() -> None:
    headers = signed(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.rule("G1")
def test_the_code_for_pkce_makes_verifiers_and_their_challenges() -> None:
    verifier, challenge = python("clients.md")["pkce"]()
    other = javascript(code("clients.md", "javascript") + "\npkce().then((made) => console.log(JSON.stringify(made)));")
    for shown, proof in ((verifier, challenge), (other["verifier"], other["challenge"])):
        assert re.fullmatch(r"[A-Za-z0-9_-]{43,128}", shown)
        digest = hashlib.sha256(shown.encode()).digest()
        assert proof == base64.urlsafe_b64encode(digest).decode().rstrip("=")
