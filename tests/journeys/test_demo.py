"""The main job: `bedside demo` from an empty folder, used by its people over HTTP, stopped and started again."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from cli_stage import logging_as_before, server_folder
from click.testing import CliRunner

from bedside_core.cli import bedside

TIERS = {"starter": 6, "enhanced": 6, "premium": 6, None: 1}


def demo(*arguments: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BEDSIDE_")}
    return subprocess.Popen(
        (sys.executable, "-m", "bedside_core.cli", "demo", *arguments),
        env={**kept, "PYTHONFAULTHANDLER": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def refused(*arguments: str, **variables: str) -> str:
    """What a demo that must not start tells; it does so before anything takes long, so in this process."""
    with logging_as_before():
        result = CliRunner().invoke(bedside, ("demo", *arguments), env=variables)
    assert (result.exit_code, result.stdout) == (1, "")
    return result.stderr


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


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    with server_folder() as folder:
        yield folder / "data"


@pytest.fixture(scope="module")
def running(data: Path) -> Iterator[Demo]:
    """The first start, on a folder that is not there."""
    demo = started(data)
    yield demo
    if demo.process.poll() is None:
        demo.process.kill()


def test_it_tells_in_one_line_where_it_is_and_who_can_sign_in(running: Demo) -> None:
    assert set(running.told) == {"url", "graphql", "ws", "accounts"}
    url = running.told["url"]
    assert url.startswith("http://127.0.0.1:")
    assert running.told["graphql"] == f"{url}/graphql"
    assert running.told["ws"] == f"{url.replace('http', 'ws')}/graphql"
    accounts = running.told["accounts"]
    assert {tier: sum(account["tier"] == tier for account in accounts) for tier in TIERS} == TIERS
    for account in accounts:
        assert set(account) == {"email", "password", "practice", "tier", "role"}
        assert len(account["password"]) >= 15
    assert len({account["email"] for account in accounts}) == len(accounts)


def test_every_listed_account_signs_in_and_is_who_it_is_listed_as(running: Demo) -> None:
    for account in running.told["accounts"]:
        token = running.sign_in(account["email"])
        viewer = running.ask("{ viewer { role member { name } } }", token)["data"]["viewer"]
        assert viewer["role"].lower() == account["role"]
        if account["role"] in {"operator", "patient"}:
            continue
        found = running.ask("{ practice { name plan { tier } } patients(first: 50) { nodes { mrn } } }", token)
        assert found["data"]["practice"] == {"name": account["practice"], "plan": {"tier": account["tier"]}}
        assert len(found["data"]["patients"]["nodes"]) == 12


PORTAL = "{ patients(first: 50) { nodes { mrn portalAccount { state holders { name } } } } }"


@pytest.mark.rule("S9")
@pytest.mark.rule("S11")
def test_patients_of_each_practice_have_each_state_of_a_portal_account_and_one_signs_in(running: Demo) -> None:
    accounts = running.told["accounts"]
    for patient in [account for account in accounts if account["role"] == "patient"]:
        staff = next(each for each in accounts if (each["role"], each["practice"]) == ("staff", patient["practice"]))
        nodes = running.ask(PORTAL, running.sign_in(staff["email"]))["data"]["patients"]["nodes"]
        states = [node["portalAccount"]["state"] for node in nodes]
        assert {state: states.count(state) for state in set(states)} == {
            "ACTIVE": 1, "INVITED": 1, "SUSPENDED": 1, "NONE": 9,
        }  # fmt: skip
        [active] = [node for node in nodes if node["portalAccount"]["state"] == "ACTIVE"]
        own = running.ask("{ ownRecord { mrn } viewer { personas { name } } }", running.sign_in(patient["email"]))
        assert own["data"]["ownRecord"] == {"mrn": active["mrn"]}
        guardian = active["portalAccount"]["holders"][0]["name"] == "Fatou Diallo"
        assert guardian == (patient["tier"] == "enhanced")


@pytest.mark.rule("A1")
def test_the_outbox_holds_an_invitation_whose_link_opens_the_registration(running: Demo) -> None:
    def invitations() -> list[dict[str, Any]]:
        letters = httpx.get(f"{running.told['url']}/demo/outbox.json").json()
        return [letter for letter in letters if letter["to"] == "nia.vale@premium.example"]

    deadline = time.monotonic() + 60
    while not (found := invitations()):
        assert time.monotonic() < deadline, "no invitation"
        time.sleep(0.1)
    [link] = found[0]["links"]
    page, _, secret = link.partition("#")
    assert page == f"{running.told['url']}/register"
    assert httpx.get(page).status_code == 200
    look = "query ($s: String!) { invitation(secret: $s) { practice firstName inviter } }"
    told = running.ask(look, None, s=secret)["data"]["invitation"]
    assert (told["firstName"], told["inviter"]) == ("Nia", "Amelia Foster")


@pytest.mark.rule("L5")
def test_team_chat_is_there_for_the_premium_practice_and_can_be_read_everywhere(running: Demo) -> None:
    listed = "nodes { messages(first: 50) { nodes { body sender { name } } } }"
    token = running.sign_in("owner@premium.example")
    found = running.ask(f"{{ conversations {{ {listed} }} }}", token)
    [conversation] = found["data"]["conversations"]["nodes"]
    messages = conversation["messages"]["nodes"]
    assert len(messages) == 6
    assert {message["sender"]["name"] for message in messages} == {"Amelia Foster", "Nadia Haddad"}
    for tier in ("starter", "enhanced"):
        token = running.sign_in(f"owner@{tier}.example")
        answer = running.ask("{ conversations { nodes { composer { text { code } } } } }", token)
        codes = [node["composer"]["text"]["code"] for node in answer["data"]["conversations"]["nodes"]]
        assert codes == ["FEATURE_NOT_IN_PLAN"]
        answer = running.ask(f"{{ conversations {{ {listed} }} }}", token)
        [conversation] = answer["data"]["conversations"]["nodes"]
        assert len(conversation["messages"]["nodes"]) == 6


@pytest.mark.rule("P2")
@pytest.mark.rule("P7")
def test_two_practices_are_connected_and_search_shows_who_is_who(running: Demo) -> None:
    find = "query ($t: String!) { search(text: $t) { nodes { name label badge } } }"
    found = {}
    for text, email in (("mei ch", "owner@premium.example"), ("petra", "owner@premium.example"),
                        ("nadia", "owner@enhanced.example"), ("nadia", "owner@starter.example")):  # fmt: skip
        answer = running.ask(find, running.sign_in(email), t=text)
        found[text, email] = [tuple(node.values()) for node in answer["data"]["search"]["nodes"]]
    assert found == {
        ("mei ch", "owner@premium.example"): [("Mei Chen", "Lakeside Pediatrics", None)],
        ("petra", "owner@premium.example"): [("Petra Winslow", "(External)", None)],
        ("nadia", "owner@enhanced.example"): [("Nadia Haddad", "Northgate Clinic", "Video Chat Enabled")],
        ("nadia", "owner@starter.example"): [],
    }


def test_all_five_plugins_are_active(running: Demo) -> None:
    plugins = running.ask("{ plugins { name status } }")["data"]["plugins"]
    active = {plugin["name"] for plugin in plugins if plugin["status"] == "ACTIVE"}
    assert {"plans", "chat", "telehealth", "portal", "scheduling"} <= active


def test_only_names_of_this_machine_are_answered(running: Demo) -> None:
    url = running.told["url"]
    port = url.rpartition(":")[2]
    for host, status in (("localhost", 200), (f"localhost:{port}", 200), ("[::1]:1", 200), ("rebound.example", 421)):
        assert httpx.get(f"{url}/health/live", headers={"host": host}).status_code == status


def test_a_page_without_scripts_lists_the_sign_ins(running: Demo) -> None:
    page = httpx.get(f"{running.told['url']}/demo")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "<script" not in page.text
    for account in running.told["accounts"]:
        assert account["email"] in page.text
        assert tiers_of_page(running)[account["practice"] or ""] == {account["tier"] or ""}


def test_the_address_that_is_printed_leads_to_that_page(running: Demo) -> None:
    front = httpx.get(running.told["url"])
    assert (front.status_code, front.headers["location"]) == (302, "/demo")
    assert httpx.get(running.told["url"], follow_redirects=True).url.path == "/demo"


def test_the_clock_moves_for_programs_and_not_for_pages_of_other_origins(running: Demo) -> None:
    url = f"{running.told['url']}/demo/clock"
    before = httpx.post(url, json={"seconds": 0}).json()["now"]
    assert httpx.post(url, content='{"seconds": 3600}', headers={"content-type": "text/plain"}).status_code == 400
    for wrong in ({}, {"seconds": "x"}, {"seconds": 1e12}, []):
        assert httpx.post(url, json=wrong).status_code == 400
    after = httpx.post(url, json={"seconds": 3600}).json()["now"]
    assert 3600 <= (datetime.fromisoformat(after) - datetime.fromisoformat(before)).total_seconds() < 3660
    httpx.post(url, json={"seconds": -3600}).raise_for_status()


def test_another_demo_can_not_use_the_folder_meanwhile(running: Demo) -> None:
    assert "a demo already runs on" in refused("--port", "0", "--data", str(running.data))


def test_ctrl_c_ends_everything_and_the_next_start_is_quick_and_the_same(running: Demo) -> None:
    accounts = running.told["accounts"]
    assert left_running(running.data) != []
    assert running.stop(signal.SIGINT) == ""  # nothing but the one line
    assert left_running(running.data) == []
    again = started(running.data)
    try:
        assert again.told["accounts"] == accounts
        assert again.seconds < max(running.seconds, 10)
        token = again.sign_in("owner@premium.example")
        found = again.ask("{ conversations { nodes { messages(first: 50) { nodes { id } } } } }", token)
        assert [len(each["messages"]["nodes"]) for each in found["data"]["conversations"]["nodes"]] == [6]
        change_plan(again, "Harbor Street Practice", "enhanced")
        assert tiers_of_page(again)["Harbor Street Practice"] == {"enhanced"}
        os.kill(again.process.pid, signal.SIGKILL)
        again.process.wait()
        assert left_running(running.data) != []  # nobody could stop it, so the next start takes it over
    finally:
        again.process.kill()
    third = started(running.data)
    moved = [{**each, "tier": "enhanced"} if each["tier"] == "starter" else each for each in accounts]
    assert third.told["accounts"] == moved  # on which plan a practice is now, not at first
    assert third.stop(signal.SIGHUP) == ""
    assert left_running(running.data) == []


def test_a_folder_that_it_has_not_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("mine")
    assert "was not made by the demo" in refused("--port", "0", "--data", str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


@pytest.mark.parametrize("name", ["BEDSIDE_DATABASE_URL", "BEDSIDE_DATABASE_OWNER_URL"])
def test_a_database_that_it_has_not_made_is_left_alone(name: str, tmp_path: Path) -> None:
    told = refused("--port", "0", "--data", str(tmp_path / "data"), **{name: "postgresql://clinic@db/clinic"})
    assert told.startswith(f"bedside: {name} is set")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "clinic.example"])
def test_it_listens_on_this_machine_only(host: str, tmp_path: Path) -> None:
    told = refused("--port", "0", "--host", host, "--data", str(tmp_path / "data"))
    assert f"does not listen on {host}" in told
    assert not (tmp_path / "data").exists()
