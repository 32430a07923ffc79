"""The demo's calendars: a week of a practice, seen by its people, and what strangers can try with it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import websockets
from cli_stage import server_folder
from demo_stage import Demo, calendar, started
from deployment import Socket

pytestmark = pytest.mark.timeout(300)  # a start makes three practices, on a machine that does much besides

DESK, PATIENT = "staff@premium.example", "patient@premium.example"
FEEDS = "{ calendarFeeds { createdAt } }"
MEMBERS = "{ members(first: 10) { nodes { id name } } }"
AVAILABILITY = """query($m: ID!, $f: Date!, $t: Date!) { availability(memberId: $m, from: $f, to: $t) {
    zone telehealth sections { weekday begins ends mode selfScheduling } days { date sections { begins } }
    closures { reason } } }"""
OWN = """{ portal { appointments { nodes { kind type { name } bookedBy { name patient } canMove { allowed } } }
    visits { nodes { type { name } } } } }"""
WAITING = "{ waitingList { nodes { patient { name } type { name } member { name } offer { id } } } }"
MAKE = 'mutation { makeCalendarFeed(clientId: "test") { url } }'
HERE = ZoneInfo("America/Los_Angeles")
LEADS = {"Bianca Russo": 7, "Ivan Petrov": 4, "Cedric Laurent": 3}
"""How many minutes those wait whose day it is, where that is not four."""


@pytest.fixture(scope="module")
def running() -> Iterator[Demo]:
    with server_folder() as folder:
        demo = started(folder / "data")
        yield demo
        demo.process.kill()


def made(running: Demo) -> datetime:
    """When the calendars were made: the practitioner's feed is the first of it."""
    [feed] = running.ask(FEEDS, running.sign_in("practitioner@premium.example"))["data"]["calendarFeeds"]
    return datetime.fromisoformat(feed["createdAt"])


def fetched(url: str) -> httpx.Response:
    return httpx.get(url, timeout=20)


def day_of(node: dict[str, Any]) -> date:
    return datetime.fromisoformat(node["localStartsAt"]).date()


def line(node: dict[str, Any]) -> tuple[Any, ...]:
    """An appointment, in a line."""
    [member] = node["members"]
    who = ", ".join(each["patient"]["name"] for each in node["patients"])
    what = node["type"]["name"] + (" by video" if node["kind"] == "TELEHEALTH" else "")
    clock = datetime.fromisoformat(node["localStartsAt"]).strftime("%H:%M")
    return (clock, member["name"].split()[0], what, who, node["state"])


@pytest.mark.rule("S1", "S5", "S7")
def test_a_practice_has_a_past_a_present_and_a_future(running: Demo) -> None:
    nodes, now = calendar(running, DESK), made(running)
    days = {day: [line(each) for each in those] for day, those in groupby(nodes, key=day_of)}
    before = [day for day in sorted(days) if day < now.astimezone(HERE).date()]
    [today, *ahead] = [day for day in sorted(days) if day not in before]
    assert all(day.weekday() < 5 for day in days)
    assert [days[day] for day in before] == [
        [("08:30", "Julian", "First visit", "Karl Svensson", "COMPLETED"),
         ("09:00", "Nadia", "First visit", "Aaron Feldman", "COMPLETED")],
        [("10:15", "Nadia", "Follow-up", "Dolores Vega", "COMPLETED")],
        [("10:00", "Julian", "Blood pressure", "Lucia Ferrari", "NO_SHOW"),
         ("11:00", "Nadia", "Follow-up by video", "Aaron Feldman", "COMPLETED")],
        [("09:00", "Nadia", "First visit", "Jamila Aziz", "COMPLETED"),
         ("10:15", "Nadia", "Follow-up", "Ivan Petrov", "NO_SHOW"),
         ("15:00", "Julian", "Blood pressure", "George Papadakis", "BOOKED")],
    ]  # fmt: skip
    assert [(*each[:4],) for each in days[today]] == [
        ("08:30", "Julian", "First visit", "Ivan Petrov"),
        ("09:00", "Nadia", "First visit", "Bianca Russo"),
        ("10:15", "Nadia", "Follow-up", "Dolores Vega"),
        ("10:30", "Julian", "Follow-up", "Lucia Ferrari"),
        ("11:00", "Nadia", "Follow-up by video", "Hye-jin Seo"),
        ("13:00", "Julian", "First visit", "Cedric Laurent"),
        ("13:45", "Nadia", "Minor procedure", "George Papadakis"),
        ("15:00", "Julian", "Follow-up", "Jamila Aziz"),
    ]
    pressed = ("Julian", "Blood pressure", "Dolores Vega", "BOOKED")
    assert [days[day] for day in ahead[:4]] == [
        [("09:00", "Nadia", "First visit", "Emeka Obi", "BOOKED"), ("10:00", *pressed), ("13:00", *pressed)],
        [("08:30", "Julian", "First visit", "Hye-jin Seo", "BOOKED"),
         ("10:00", "Nadia", "Follow-up by video", "Aaron Feldman", "BOOKED")],
        [("13:00", "Julian", "Quitting smoking, together", "George Papadakis, Ivan Petrov, Karl Svensson", "BOOKED")],
        [("13:30", "Nadia", "Minor procedure", "Lucia Ferrari", "BOOKED")],
    ]  # fmt: skip
    weeks = [ahead[0] + timedelta(weeks=number) for number in range(1, 8)]
    assert {day: those for day, those in days.items() if day in ahead[4:]} == {
        day: [("11:15" if number == 1 else "10:00", *pressed)] for number, day in enumerate(weeks)
    }
    [series] = {each["seriesId"] for each in nodes} - {None}
    assert [each["reason"] for each in nodes if each["seriesId"] == series and each["reason"]] == [
        "The room is being painted."
    ]


def test_what_became_of_today_s_appointments_goes_by_the_clock(running: Demo) -> None:
    nodes, now = calendar(running, DESK), made(running)
    today = next(day_of(each) for each in nodes if day_of(each) >= now.astimezone(HERE).date())
    for each in (each for each in nodes if day_of(each) == today):
        begins, ends = datetime.fromisoformat(each["startsAt"]), datetime.fromisoformat(each["endsAt"])
        [patient] = [each["patient"]["name"] for each in each["patients"]]
        recorded = tuple(each[step] is not None for step in ("arrivedAt", "startedAt", "finishedAt"))
        if patient == "Lucia Ferrari":
            assert (each["state"], each["reason"]) == ("CANCELLED", "The school trip is on that day.")
            assert each["cancelledBy"] == {"name": "Gwen Castellano"}
        elif patient == "Dolores Vega":
            assert (each["state"], recorded) == ("NO_SHOW" if ends <= now else "BOOKED", (False, False, False))
        else:
            came, began = begins - timedelta(minutes=5), begins + timedelta(minutes=LEADS.get(patient, 4))
            assert recorded == (came <= now, began <= now, ends <= now)
            assert each["state"] == ("COMPLETED" if ends <= now else "BOOKED")
    [forgotten] = [each for each in nodes if each["state"] == "BOOKED" and day_of(each) < today]
    assert (forgotten["arrivedAt"] is not None, forgotten["startedAt"]) == (True, None)


@pytest.mark.rule("S3")
def test_its_practitioners_have_hours_of_each_mode_a_closure_and_a_day_off(running: Demo) -> None:
    token = running.sign_in(DESK)
    ids = {each["name"]: each["id"] for each in running.ask(MEMBERS, token)["data"]["members"]["nodes"]}
    day = made(running).date()
    kept: dict[str, dict[str, Any]] = {}
    for name in ("Nadia Haddad", "Julian Park"):
        span = {"f": (day - timedelta(days=1)).isoformat(), "t": (day + timedelta(days=20)).isoformat()}
        kept[name] = running.ask(AVAILABILITY, token, m=ids[name], **span)["data"]["availability"]
    shown = {
        name: {
            (each["begins"], each["ends"], each["mode"], each["selfScheduling"], each["weekday"] in ("SATURDAY",))
            for each in of["sections"]
        }
        for name, of in kept.items()
    }
    assert shown == {
        "Nadia Haddad": {
            ("09:00", "12:30", "BOTH", True, False), ("13:30", "15:00", "IN_PERSON", True, False),
            ("15:00", "16:30", "TELEHEALTH", True, False), ("10:00", "12:00", "TELEHEALTH", True, True),
        },
        "Julian Park": {
            ("08:30", "12:00", "IN_PERSON", True, False), ("13:00", "16:00", "IN_PERSON", False, False),
            ("17:00", "19:30", "IN_PERSON", True, False),
        },
    }  # fmt: skip
    assert {name: (of["zone"], of["telehealth"], len(of["sections"])) for name, of in kept.items()} == {
        "Nadia Haddad": ("America/Los_Angeles", True, 16),
        "Julian Park": ("America/Los_Angeles", False, 11),
    }
    assert [of["closures"] for of in kept.values()] == [[{"reason": "Staff training"}]] * 2
    assert [len(of["days"]) for of in kept.values()] == [0, 1]


@pytest.mark.rule("S4", "S10")
def test_patients_of_each_practice_have_booked_by_themselves(running: Demo) -> None:
    found = {}
    for email in ("patient@starter.example", "guardian@enhanced.example", PATIENT):
        portal = running.ask(OWN, running.sign_in(email))["data"]["portal"]
        [booked] = portal["appointments"]["nodes"]
        assert booked["canMove"] == {"allowed": True}
        visits = [each["type"]["name"] for each in portal["visits"]["nodes"]]
        found[email] = (booked["type"]["name"], booked["kind"], booked["bookedBy"]["patient"], visits)
    assert found == {
        "patient@starter.example": ("Check-up", "IN_PERSON", True, ["Check-up"]),
        "guardian@enhanced.example": ("Vaccination", "IN_PERSON", True, []),
        PATIENT: ("Follow-up", "TELEHEALTH", True, ["Follow-up", "First visit"]),
    }


@pytest.mark.rule("S7")
def test_somebody_waits_and_nothing_is_offered_yet(running: Demo) -> None:
    waiting = running.ask(WAITING, running.sign_in(DESK))["data"]["waitingList"]["nodes"]
    assert waiting == [
        {"patient": {"name": "Freya Lund"}, "type": {"name": "First visit"}, "member": {"name": "Nadia Haddad"},
         "offer": None}
    ]  # fmt: skip


@pytest.mark.rule("S8")
def test_a_feed_has_the_series_and_its_exception(running: Demo) -> None:
    url = running.ask(MAKE, running.sign_in("practitioner2@premium.example"))["data"]["makeCalendarFeed"]["url"]
    answer = fetched(url)
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/calendar")
    # What stands alone and is not cancelled, the series, and what of it was moved.
    assert answer.text.count("BEGIN:VEVENT") == 9 + 1 + 1
    assert (answer.text.count("\r\nRRULE:FREQ=WEEKLY"), answer.text.count("\r\nRECURRENCE-ID")) == (1, 1)


async def test_what_the_page_tells_one_to_try_works_as_it_stands_there(running: Demo) -> None:
    page = fetched(f"{running.told['url']}/demo").text
    tries = [
        (html.unescape(who), html.unescape(operation))
        for who, operation in re.findall(r"As <code>(.*?)</code>.*?<pre><code>(.*?)</code></pre>", page, re.DOTALL)
    ]
    assert [who for who, _ in tries] == [DESK, PATIENT, PATIENT, PATIENT, DESK, PATIENT]
    by_name = {operation.split()[1].partition("(")[0]: (who, operation) for who, operation in tries}

    def done(name: str, **variables: Any) -> dict[str, Any]:
        who, operation = by_name[name]
        answer = running.ask(operation, running.sign_in(who), **variables)
        assert "errors" not in answer, answer
        return answer["data"]

    assert len(done("Calendar")["appointments"]["nodes"]) >= 15
    kinds = {each["name"]: each["id"] for each in done("Mine")["appointmentTypes"]["nodes"]}
    assert set(kinds) == {"First visit", "Follow-up", "Blood pressure"}
    free = done("Free", type=kinds["Blood pressure"])["slots"]["nodes"]
    assert {each["zone"] for each in free} == {"America/Los_Angeles"}
    chosen = {"type": kinds["Blood pressure"], "member": free[-1]["member"]["id"], "at": free[-1]["startsAt"],
              "key": "mine"}  # fmt: skip

    _, live = by_name["Live"]
    address = running.told["ws"]
    async with websockets.connect(address, subprotocols=[websockets.Subprotocol("graphql-transport-ws")]) as raw:
        socket = Socket(raw)
        token = running.sign_in(DESK)
        await socket.send(type="connection_init", payload={"authorization": f"Bearer {token}"})
        assert (await socket.receive())["type"] == "connection_ack"
        followed = await socket.subscribe(live)
        assert set((await socket.next(followed))["scheduleChanged"]) == {"cursor"}
        booked = done("Book", **chosen)["bookAppointment"]["appointment"]
        told = (await socket.next(followed))["scheduleChanged"]["appointment"]
        assert (booked["state"], told["localStartsAt"]) == ("BOOKED", booked["localStartsAt"])
        assert told["patients"] == [{"patient": {"name": "Aaron Feldman"}}]

    assert fetched(done("Feed")["makeCalendarFeed"]["url"]).status_code == 200
