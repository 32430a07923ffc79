"""A demo that runs in a process of its own, as whoever has started it knows it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil


def demo(*arguments: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BEDSIDE_")}
    return subprocess.Popen(
        (sys.executable, "-m", "bedside_core.cli", "demo", *arguments),
        # These tests sign in more often within a minute than somebody does who looks around.
        env={**kept, "PYTHONFAULTHANDLER": "1", "BEDSIDE_GRAPHQL_SIGN_INS_PER_ADDRESS": "300"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@dataclass
class Demo:
    """A running demo, as whoever has started it knows it."""

    process: subprocess.Popen[str]
    told: dict[str, Any]
    data: Path
    seconds: float
    tokens: dict[str, str] = field(default_factory=dict)
    """Who has signed in: nobody does so more often than is allowed within a minute."""

    def ask(self, query: str, token: str | None = None, **variables: Any) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        answer = httpx.post(
            self.told["graphql"], json={"query": query, "variables": variables}, headers=headers, timeout=20
        )
        return answer.json()

    def sign_in(self, email: str) -> str:
        if email not in self.tokens:
            self.tokens[email] = self._sign_in(email)
        return self.tokens[email]

    def _sign_in(self, email: str) -> str:
        [account] = [account for account in self.told["accounts"] if account["email"] == email]
        answer = self.ask(
            "mutation ($email: String!, $password: String!) { signIn(email: $email, password: $password) { token } }",
            email=account["email"],
            password=account["password"],
        )
        return answer["data"]["signIn"]["token"]

    def stop(self, number: signal.Signals) -> str:
        """End it; return what it still had to say on standard output."""
        self.process.send_signal(number)
        try:
            out, errors = self.process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # with PYTHONFAULTHANDLER it says where it hangs
            out, errors = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, errors
        return out


def started(data: Path) -> Demo:
    began = time.monotonic()
    process = demo("--json", "--port", "0", "--data", str(data))
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise AssertionError(process.communicate()[1])
    return Demo(process, json.loads(line), data, time.monotonic() - began)


def change_plan(demo: Demo, practice: str, tier: str) -> None:
    operator = demo.sign_in("operator@bedside.example")
    found = demo.ask("{ practices(first: 100) { nodes { id name } } }", operator)["data"]["practices"]["nodes"]
    [practice_id] = [each["id"] for each in found if each["name"] == practice]
    change = "mutation ($id: ID!, $tier: PlanTier!) { changePlan(practiceId: $id, tier: $tier) { tier } }"
    assert demo.ask(change, operator, id=practice_id, tier=tier)["data"] == {"changePlan": {"tier": tier}}


def tiers_of_page(demo: Demo) -> dict[str, set[str]]:
    """Practice -> the tiers that stand beside it."""
    page = httpx.get(f"{demo.told['url']}/demo").text
    found: dict[str, set[str]] = {}
    for practice, tier in re.findall("<tr><td>([^<]*)</td><td>([^<]*)</td>", page):
        found.setdefault(practice, set()).add(tier)
    return found


def left_running(data: Path) -> list[str]:
    """Processes with the folder on their command line or as their working folder: PostgreSQL has it as both."""
    found: list[str] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if str(data) in " ".join(process.cmdline()) or process.cwd().startswith(str(data)):
                found.append(" ".join(process.cmdline()))
    return found


def conversations(demo: Demo, token: str) -> list[tuple[str, int]]:
    """Kind and number of messages of each conversation, the most recently active first."""
    found = demo.ask("{ conversations { nodes { kind messages(first: 20) { nodes { id } } } } }", token)
    return [(each["kind"], len(each["messages"]["nodes"])) for each in found["data"]["conversations"]["nodes"]]


CALENDAR = """query($f: DateTime!, $t: DateTime!) { appointments(from: $f, to: $t, first: 100, states: [
    HELD, BOOKED, COMPLETED, NO_SHOW, CANCELLED]) { nodes { id kind state version startsAt endsAt localStartsAt reason
    arrivedAt startedAt finishedAt seriesId occurrenceAt type { name } bookedBy { name patient } cancelledBy { name }
    members { name } patients { patient { name } } } } }"""


def calendar(demo: Demo, email: str) -> list[dict[str, Any]]:
    """The appointments around today that somebody sees, in the order of their starts."""
    now = datetime.now(UTC)
    span = {"f": (now - timedelta(days=14)).isoformat(), "t": (now + timedelta(days=70)).isoformat()}
    return demo.ask(CALENDAR, demo.sign_in(email), **span)["data"]["appointments"]["nodes"]
