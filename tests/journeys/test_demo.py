"""The main job: `bedside demo` from an empty folder, used by its people over HTTP, stopped and started again."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from cli_stage import logging_as_before, server_folder
from click.testing import CliRunner
from demo_stage import Demo, calendar, change_plan, conversations, left_running, started, tiers_of_page

from bedside_core.cli import bedside
from bedside_core.demo.conversations import converse
from bedside_core.demo.schedule import keep_calendars
from bedside_core.demo.story import Cast

pytestmark = pytest.mark.timeout(300)  # a start makes three practices, on a machine that does much besides

TIERS = {"starter": 6, "enhanced": 6, "premium": 6, None: 1}


def refused(*arguments: str, **variables: str) -> str:
    """What a demo that must not start tells; it does so before anything takes long, so in this process."""
    with logging_as_before():
        result = CliRunner().invoke(bedside, ("demo", *arguments), env=variables)
    assert (result.exit_code, result.stdout) == (1, "")
    return result.stderr


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
    listed = "nodes { kind messages(first: 20) { nodes { body sender { name } } } }"
    token = running.sign_in("owner@premium.example")
    found = running.ask(f"{{ conversations {{ {listed} }} }}", token)
    [conversation] = [each for each in found["data"]["conversations"]["nodes"] if each["kind"] == "DIRECT"]
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


@pytest.mark.rule("C1")
def test_the_premium_practice_writes_with_a_patient_a_contact_a_group_and_its_team(running: Demo) -> None:
    shown = {
        who: conversations(running, running.sign_in(f"{who}@premium.example")) for who in ("practitioner", "staff")
    }
    assert shown == {
        "practitioner": [("GROUP", 3), ("PATIENT", 5), ("TEAM", 3), ("DIRECT", 6)],
        "staff": [("GROUP", 3), ("EXTERNAL", 2), ("TEAM", 3)],
    }


@pytest.mark.rule("C12")
@pytest.mark.rule("C17")
def test_its_patient_was_answered_and_sees_photo_plan_and_reaction_and_no_receipt_of_members(running: Demo) -> None:
    token = running.sign_in("patient@premium.example")
    asked = """{ conversations(first: 2) { nodes { messages(first: 20) { nodes { automatic cursor
        sender { name readUpTo } reactions { emoji } attachments { name url } } } } } }"""
    [conversation] = running.ask(asked, token)["data"]["conversations"]["nodes"]
    messages = conversation["messages"]["nodes"]
    told = [(each["automatic"], (each["sender"] or {}).get("name"), [file["name"] for file in each["attachments"]])
            for each in messages]  # fmt: skip
    assert told == [
        (False, "Aaron Feldman", []),
        (True, None, []),
        (False, "Nadia Haddad", []),
        (False, "Aaron Feldman", ["monitor.jpg"]),
        (False, "Nadia Haddad", ["Medication plan.txt"]),
    ]
    photo, last = messages[3], messages[4]
    assert [each["emoji"] for each in photo["reactions"]] == ["\N{THUMBS UP SIGN}"]
    assert (photo["sender"]["readUpTo"], last["sender"]["readUpTo"]) == (last["cursor"], None)  # their own (C14)
    bearer = {"authorization": f"Bearer {token}"}
    image = httpx.get(running.told["url"] + photo["attachments"][0]["url"], headers=bearer)
    assert (image.status_code, image.content[:3]) == (200, b"\xff\xd8\xff")


@pytest.mark.rule("C10")
def test_an_urgent_message_waits_for_one_person_whose_badge_is_red(running: Demo) -> None:
    asked = "{ chatBadges { kind unread urgent } }"
    lit: dict[str, dict[str, tuple[int, int]]] = {}
    for who in ("practitioner", "owner", "staff"):
        badges = running.ask(asked, running.sign_in(f"{who}@premium.example"))["data"]["chatBadges"]
        counts = {each["kind"]: (each["unread"], each["urgent"]) for each in badges}
        lit[who] = {kind: count for kind, count in counts.items() if count != (0, 0)}
    assert lit == {"practitioner": {"GROUP": (3, 1)}, "owner": {"DIRECT": (1, 0)}, "staff": {}}


@pytest.mark.rule("L2")
@pytest.mark.parametrize(
    ("who", "plain", "code"),
    [("patient@starter", 0, "FEATURE_NOT_IN_PLAN"), ("guardian@enhanced", 2, None)],
)
def test_a_patient_gets_files_on_every_plan_and_texts_from_enhanced_on(
    running: Demo, who: str, plain: int, code: str | None
) -> None:
    asked = """{ conversations { nodes { composer { text { open code message } files { open } }
        messages(first: 20) { nodes { id body attachments { name } } } } } }"""
    [conversation] = running.ask(asked, running.sign_in(f"{who}.example"))["data"]["conversations"]["nodes"]
    text, messages = conversation["composer"]["text"], conversation["messages"]["nodes"]
    assert (text["open"], text["code"], bool(text["message"])) == (code is None, code, code is not None)
    assert conversation["composer"]["files"]["open"]
    assert sum(bool(each["body"]) for each in messages) == plain
    assert messages[-1]["attachments"] == [{"name": "Sprained ankle.txt"}]


@pytest.mark.rule("C18")
def test_quick_texts_are_there_for_the_patient_s_conversation(running: Demo) -> None:
    token = running.sign_in("practitioner@premium.example")
    asked = "{ quickTexts { nodes { id title own } } conversations { nodes { id kind } } }"
    found = running.ask(asked, token)["data"]
    texts = {each["title"]: each for each in found["quickTexts"]["nodes"]}
    assert {title: each["own"] for title, each in texts.items()} == {
        "Directions": False, "Not today": True, "Results are in": False,
    }  # fmt: skip
    [talk] = [each["id"] for each in found["conversations"]["nodes"] if each["kind"] == "PATIENT"]
    render = "query ($id: ID!, $in: ID!) { renderQuickText(id: $id, conversationId: $in) }"
    rendered = running.ask(render, token, **{"id": texts["Results are in"]["id"], "in": talk})["data"]
    assert rendered["renderQuickText"].startswith("Dear Aaron Feldman, your results are in.")


@pytest.mark.rule("C6")
@pytest.mark.promise("A6")
def test_a_contact_s_link_in_the_outbox_opens_the_conversation_and_nothing_else(running: Demo) -> None:
    url = running.told["url"]
    [link] = re.findall(r'<a href="([^"]+/chat/guest#[^"]+)"', httpx.get(f"{url}/demo/outbox").text)
    address, _, secret = link.partition("#")
    assert httpx.get(address).headers["content-type"].startswith("text/html")
    entered = httpx.post(f"{url}/chat/guest/exchange", json={"secret": secret}, timeout=20).json()
    read = "query ($id: ID!) { conversation(id: $id) { kind messages(first: 20) { nodes { body sender { name } } } } }"
    found = running.ask(read, entered["token"], id=entered["conversationId"])["data"]["conversation"]
    assert found["kind"] == "EXTERNAL"
    assert [each["sender"]["name"] for each in found["messages"]["nodes"]] == ["Gwen Castellano"] * 2
    assert conversations(running, entered["token"]) == [("EXTERNAL", 2)]
    [refused] = running.ask("{ patients { nodes { id } } }", entered["token"])["errors"]
    assert refused["extensions"]["code"] == "FORBIDDEN"


@pytest.mark.rule("A7")
def test_every_link_in_the_outbox_leads_to_a_page(running: Demo) -> None:
    letters = httpx.get(f"{running.told['url']}/demo/outbox.json").json()
    for link in {link.partition("#")[0] for letter in letters for link in letter["links"]}:
        page = httpx.get(link, follow_redirects=True)
        assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (200, "text/html"), link


async def test_what_is_said_once_more_changes_nothing(running: Demo) -> None:
    people = [each["email"] for each in running.told["accounts"] if each["role"] != "operator"]

    def said() -> dict[str, Any]:
        return {email: (conversations(running, running.sign_in(email)), calendar(running, email)) for email in people}

    before = said()
    await converse(Cast(running.told["url"], running.tokens))
    await keep_calendars(Cast(running.told["url"], running.tokens))
    assert said() == before


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
        assert conversations(again, token) == [("GROUP", 3), ("TEAM", 3), ("DIRECT", 6)]
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
