"""The guide's page on scheduling holds: its operations run as they are printed, in the page's order."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from deployment import Held, Person, Socket
from graphql import FragmentDefinitionNode, OperationDefinitionNode, parse, print_ast
from plugins.scheduling.groupwork import settings_settled
from plugins.scheduling.rota import BERLIN, Rota, at, monday, rota, text, weekly

from bedside_core.testing import Database, until

GUIDE = (Path(__file__).parents[3] / "docs" / "graphql-guide" / "scheduling.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def operations() -> dict[str, str]:
    """Name -> operation, with the fragments beside it, of all in the page."""
    found: dict[str, str] = {}
    for block in blocks("graphql"):
        nodes = parse(block).definitions
        fragments = [print_ast(node) for node in nodes if isinstance(node, FragmentDefinitionNode)]
        for node in nodes:
            if isinstance(node, OperationDefinitionNode) and node.name is not None:
                printed = print_ast(node)
                used = [each for each in fragments if "...Shown" in printed and "fragment Shown" in each]
                found[node.name.value] = "\n\n".join([printed, *used])
    return found


class Reader:
    """Somebody who does what the page says."""

    def __init__(self, house: Rota) -> None:
        self.house = house
        self.printed = operations()
        self.done: set[str] = set()

    async def do(self, name: str, who: Person | Held, **given: Any) -> Any:
        """Run an operation as printed, and return the value of its only field, or all of them."""
        self.done.add(name)
        data = await self.house.deployment.data(self.printed[name], who.token, **given)
        return next(iter(data.values())) if len(data) == 1 else data

    async def refused(self, name: str, who: Person | Held, **given: Any) -> dict[str, Any]:
        """Run an operation that has to be refused, and return what the error says besides."""
        [error] = (await self.house.deployment.ask(self.printed[name], who.token, **given))["errors"]
        return {key: value for key, value in error["extensions"].items() if key != "requestId"}

    async def follow(self, socket: Socket, who: Person, **given: Any) -> str:
        """Follow the calendar, and return the operation's id."""
        self.done.add("Live")
        assert who.token
        return await socket.subscribe(self.printed["Live"], **given)


@pytest_asyncio.fixture
async def reader(fresh_database: Database) -> AsyncGenerator[Reader]:
    """With a worker, that offers what becomes free; ada sees patients on Mondays from nine to twelve, as both kinds."""
    async with rota(fresh_database, worker=True) as house:
        await house.set(waitingList=True, noticeMinutes=0)
        await settings_settled(fresh_database)
        await house.host(house.ada)
        await house.week(house.ada, weekly(monday(), "09:00", "12:00", "BOTH"))
        yield Reader(house)


@pytest.mark.timeout(180)
@pytest.mark.rule("S4", "S5", "S6", "S7", "S8")
async def test_its_operations_run_as_printed(reader: Reader) -> None:
    house, do, refused = reader.house, reader.do, reader.refused
    ada, desk, pat = house.ada, house.desk, house.pat
    other = await house.deployment.held(house.practice)
    visit = await house.type(ada)
    group = await house.type(ada, name="Group", capacity=4)
    day = {"from": text(at(monday(), 0)), "to": text(at(monday() + timedelta(days=1), 0))}
    theirs = {"type": visit, "member": ada.id, "kind": "TELEHEALTH"}
    nine, ten, eleven = (text(at(monday(), hour)) for hour in (9, 10, 11))

    # A patient books.
    choices = await do("Choices", pat)
    assert (choices["portal"]["zone"], choices["portal"]["booking"]["allowed"]) == ("Europe/Berlin", True)
    assert [(each["id"], each["length"]) for each in choices["appointmentTypes"]["nodes"]] == [(visit, 60)]
    slots = (await do("Free", pat, type=visit, **day))["nodes"]
    assert [each["startsAt"] for each in slots] == [nine, ten, eleven]
    assert (slots[0]["kinds"], slots[0]["zone"]) == (["IN_PERSON", "TELEHEALTH"], "Europe/Berlin")
    booked = (await do("Book", pat, **theirs, at=nine, key="b-1"))["appointment"]
    assert (await do("Book", pat, **theirs, at=nine, key="b-1"))["appointment"] == booked
    assert booked["localStartsAt"] == at(monday(), 9).astimezone(BERLIN).isoformat()
    told = await refused("Book", other, **theirs, at=nine, key="b-2")
    assert (told["code"], told["next"][:2]) == ("SLOT_TAKEN", [ten, eleven])
    [printed] = [json.loads(block) for block in blocks("json")]
    assert {**printed, "next": told["next"]} == told

    held = await do("Hold", pat, **theirs, at=ten, key="h-1")
    assert (held["state"], held["heldUntil"] is not None) == ("HELD", True)
    assert (await do("Confirm", pat, id=held["id"]))["appointment"]["state"] == "BOOKED"
    held = await do("Hold", pat, **theirs, at=eleven, key="h-2")
    assert (await do("Release", pat, id=held["id"]))["state"] == "LAPSED"
    assert (await refused("Confirm", pat, id=held["id"]))["code"] == "HOLD_OVER"

    first, second = (await do("Mine", pat))["appointments"]["nodes"]
    assert (first["id"], first["canMove"]["allowed"], first["canCancel"]["allowed"]) == (booked["id"], True, True)
    moved = (await do("Move", pat, id=first["id"], at=eleven, version=first["version"]))["appointment"]
    assert moved["localStartsAt"] == at(monday(), 11).astimezone(BERLIN).isoformat()
    assert (await refused("Cancel", pat, id=first["id"], version=first["version"]))["code"] == "CONFLICT"

    # The calendar on screen.
    async with house.deployment.socket(desk.token) as socket:
        live = await reader.follow(socket, desk, **day)
        opened = (await socket.next(live))["scheduleChanged"]
        assert opened["__typename"] == "ScheduleOpened"
        week = await do("Week", desk, **day)
        assert [each["id"] for each in week["nodes"]] == [second["id"], first["id"]]
        cancelled = await do("Cancel", pat, id=first["id"], reason="Well again", version=moved["version"])
        event = (await socket.next(live))["scheduleChanged"]
        assert (event["appointment"]["id"], event["appointment"]["state"]) == (first["id"], "CANCELLED")
        assert event["appointment"]["version"] == cancelled["version"]
    async with house.deployment.socket(desk.token) as socket:  # after a break: what has changed, once, as it is now
        live = await reader.follow(socket, desk, **day, after=opened["cursor"])
        again = (await socket.next(live))["scheduleChanged"]
        assert (again["__typename"], again["appointment"]) == ("AppointmentChanged", event["appointment"])

    stranger = await house.deployment.patient(house.practice)
    given = {"patient": str(stranger.id), "member": ada.id, "kind": "TELEHEALTH", "key": "d-1"}
    saved = await do("BookFor", desk, **given, at=text(at(monday(), 12)), invite=[str(stranger.id)])
    codes = [(each["code"], each["patientId"], each["memberId"]) for each in saved["warnings"]]
    assert codes == [("PORTAL_ACCOUNT_MISSING", str(stranger.id), None), ("OUTSIDE_SECTIONS", None, ada.id)]
    soon = text(house.deployment.platform.clock.now().replace(second=0, microsecond=0) + timedelta(minutes=30))
    near = await do("BookFor", desk, **{**given, "kind": "IN_PERSON", "key": "d-2"}, at=soon)
    assert (await do("Arrived", desk, id=near["appointment"]["id"]))["arrivedAt"] is not None

    # Series and groups.
    later = monday() + timedelta(days=8)
    weekly_ = {"patient": pat.id, "member": ada.id, "at": text(at(later, 9))}
    busy = await do("BookFor", desk, **{**given, "kind": "IN_PERSON", "key": "d-3"}, at=text(at(later, 9)))
    clash = await refused("Recur", desk, **weekly_, skip=False, key="s-1")
    assert (clash["code"], clash["taken"]) == ("SLOT_TAKEN", [text(at(later, 9))])
    series = await do("Recur", desk, **weekly_, skip=True, key="s-2")
    assert (len(series["appointments"]), series["skipped"]) == (5, [text(at(later, 9))])
    assert busy["appointment"]["version"] == 1
    third = series["appointments"][1]["occurrenceAt"]
    assert (await do("MoveRest", desk, **{"series": series["id"], "from": third}))["id"] == series["id"]
    ended = await do("EndRest", desk, **{"series": series["id"], "from": third, "reason": "Moved away"})
    assert ended["endedAt"] is not None

    together = {"kind": "IN_PERSON", "startsAt": text(at(later, 15)), "memberIds": [ada.id], "typeId": group}
    book = 'mutation($i: AppointmentInput!) { bookAppointment(input: $i, clientId: "g-1") { appointment { id } } }'
    await house.deployment.data(book, desk.token, i=together)
    [open_] = (await do("Groups", pat))["nodes"]
    assert (open_["places"], (await do("Join", pat, id=open_["id"]))["startsAt"]) == (4, together["startsAt"])

    # The waiting list; with somebody else, of whose time none has become free before.
    await house.week(house.ben, weekly(monday(), "09:00", "12:00"))
    with_ben = await house.type(house.ben, name="With Ben")
    theirs = {"type": with_ben, "member": house.ben.id, "kind": "IN_PERSON"}
    taken = (await do("Book", pat, **theirs, at=nine, key="b-3"))["appointment"]
    entry = await do("Wait", other, type=with_ben, until=day["to"], key="w-1")
    await do("Cancel", pat, id=taken["id"])

    async def offered() -> bool:
        return (await do("Waiting", other))["nodes"][0]["offer"] is not None

    await until(offered, "an offer", 60)
    [waiting] = (await do("Waiting", other))["nodes"]
    assert (waiting["id"], waiting["offer"]["appointment"]["startsAt"]) == (entry["id"], nine)
    assert (await do("Decline", other, offer=waiting["offer"]["id"]))["id"] == entry["id"]
    assert (await refused("Accept", other, offer=waiting["offer"]["id"]))["code"] == "HOLD_OVER"
    assert (await do("Leave", other, entry=entry["id"]))["outcome"] == "LEFT"

    # Calendar feeds.
    feed = await do("Feed", pat, key="f-1")
    path = urlsplit(feed["url"]).path
    assert (await house.deployment.http.get(path)).headers["content-type"].startswith("text/calendar")
    [listed] = await do("Feeds", pat)
    assert (listed["id"], listed["readAt"] is not None) == (feed["feed"]["id"], True)
    assert await do("Revoke", pat, id=listed["id"]) is True
    assert (await house.deployment.http.get(path)).status_code == 404
    assert set(reader.printed) - reader.done == {"Accept"}


@pytest.mark.rule("S7")
async def test_an_offer_is_accepted_as_printed(reader: Reader) -> None:
    house, do = reader.house, reader.do
    visit = await house.type(house.ada)
    given = {"type": visit, "member": house.ada.id, "kind": "IN_PERSON", "at": text(at(monday(), 9)), "key": "b-1"}
    booked = (await do("Book", house.pat, **given))["appointment"]
    other = await house.deployment.held(house.practice)
    await do("Wait", other, type=visit, until=text(at(monday() + timedelta(days=1), 0)), key="w-1")
    await do("Cancel", house.pat, id=booked["id"])

    async def offered() -> bool:
        return (await do("Waiting", other))["nodes"][0]["offer"] is not None

    await until(offered, "an offer", 60)
    [waiting] = (await do("Waiting", other))["nodes"]
    accepted = await do("Accept", other, offer=waiting["offer"]["id"])
    assert (accepted["state"], accepted["startsAt"]) == ("BOOKED", given["at"])
