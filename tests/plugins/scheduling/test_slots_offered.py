"""Patients and the practice's people are shown the times that are free for them (S1, S3, S4, S6, L7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from deployment import Held, Person
from plugins.scheduling.rota import (
    ARCHIVE,
    CHANGE,
    CLEAR,
    CLOSE,
    DAY,
    OWN,
    REMOVE,
    SLOTS,
    TYPES,
    Rota,
    at,
    booked,
    last_sunday,
    monday,
    section,
    text,
    weekly,
)

from bedside_core.auth import Role
from bedside_core.database import DB, acting, unit
from bedside_core.testing import statements
from bedside_plans.api import ItemKind, PlanItem
from bedside_plans.service import PlanService
from bedside_scheduling.api import AppointmentKind
from bedside_scheduling.keeping import hold_calendars
from bedside_scheduling.offering import Offering

NOBODY = "0199aaaa-0000-7000-8000-000000000000"


async def offered(
    house: Rota, type: str, who: Person, kind: AppointmentKind, starts_at: datetime, but: UUID | None = None
) -> bool:
    """Ask as booking asks, in its unit."""
    offering = house.deployment.platform.service(Offering)
    with acting(house.practice.id):
        async with unit() as work:
            await hold_calendars(house.deployment.platform, work, [who.member.id])
            return await offering.offered(UUID(type), who.member.id, kind, starts_at, but=but)


@pytest.mark.rule("S1")
@pytest.mark.rule("S3")
@pytest.mark.rule("S4")
async def test_in_a_section_marked_both_patients_choose_and_else_there_is_one_kind(house: Rota) -> None:
    first, ada, pat = monday(), house.ada, house.pat
    visit = await house.type(ada)
    await house.host(ada)
    await house.week(
        ada,
        weekly(first, "09:00", "10:00"),
        weekly(first, "10:00", "11:00", "TELEHEALTH"),
        weekly(first, "11:00", "12:00", "BOTH"),
        weekly(first, "14:00", "16:00", "BOTH", open=False),
    )
    both = ["IN_PERSON", "TELEHEALTH"]

    async def kinds(who: Person | Held, **given: object) -> list[tuple[int, list[str]]]:
        found = await house.slots(who, at(first, 0), at(first, 23), y=visit, **given)
        assert all(each["memberId"] == ada.id for each in found)
        return [
            ((datetime.fromisoformat(each["startsAt"]) - at(first, 0)).seconds // 3600, each["kinds"]) for each in found
        ]

    assert await kinds(pat) == [(9, ["IN_PERSON"]), (10, ["TELEHEALTH"]), (11, both)]
    assert [hour for hour, _ in await kinds(pat, k="TELEHEALTH")] == [10, 11]
    assert [hour for hour, _ in await kinds(pat, k="IN_PERSON")] == [9, 11]
    # The front desk sees what is not open to patients, too.
    assert [hour for hour, _ in await kinds(house.desk)] == [9, 10, 11, 14, 15]
    # A type for one kind alone takes the choice away.
    await house.deployment.data(CHANGE, house.olga.token, t=visit, p={"mode": "TELEHEALTH"})
    assert await kinds(pat) == [(10, ["TELEHEALTH"]), (11, ["TELEHEALTH"])]
    await house.deployment.data(CHANGE, house.olga.token, t=visit, p={"mode": "BOTH"})
    telehealth, in_person = AppointmentKind.TELEHEALTH, AppointmentKind.IN_PERSON
    assert await offered(house, visit, ada, telehealth, at(first, 11)) is True
    assert await offered(house, visit, ada, in_person, at(first, 10)) is False
    assert await offered(house, visit, ada, in_person, at(first, 14)) is False
    assert await offered(house, visit, house.ben, in_person, at(first, 11)) is False
    # Who may host no more offers what is left at once: one kind in each slot (S4).
    await house.host(ada, enabled=False)
    assert await kinds(pat) == [(9, ["IN_PERSON"]), (11, ["IN_PERSON"])]
    assert await offered(house, visit, ada, telehealth, at(first, 11)) is False
    assert await offered(house, visit, ada, in_person, at(first, 11)) is True
    # And so it is where the plan has no telehealth.
    await house.host(ada)
    assert len(await kinds(pat)) == 3
    off = PlanItem(kind=ItemKind.OVERRIDE, key="telehealth", enabled=False)
    await house.deployment.platform.service(PlanService).set_item(house.practice.id, off)
    assert await kinds(pat) == [(9, ["IN_PERSON"]), (11, ["IN_PERSON"])]


@pytest.mark.rule("S3")
async def test_days_closures_and_appointments_take_what_the_week_offers(house: Rota) -> None:
    first, deployment, ada, pat = monday(), house.deployment, house.ada, house.pat
    second = first + timedelta(days=7)
    visit = await house.type(ada, house.ben)
    await house.week(ada, weekly(first, "09:00", "13:00"))
    four = ["09:00", "10:00", "11:00", "12:00"]
    assert await house.starts(pat, first, y=visit) == four
    assert await house.starts(pat, second, y=visit) == four
    # Sections of a date stand in the place of the weekly ones; cleared, those stand again.
    await deployment.data(DAY, ada.token, m=ada.id, d=first.isoformat(), s=[section("20:00", "22:00")])
    assert await house.starts(pat, first, y=visit) == ["20:00", "21:00"]
    assert await house.starts(pat, second, y=visit) == four
    await deployment.data(DAY, ada.token, m=ada.id, d=first.isoformat(), s=[])
    assert await house.starts(pat, first, y=visit) == []
    await deployment.data(CLEAR, ada.token, m=ada.id, d=first.isoformat())
    assert await house.starts(pat, first, y=visit) == four
    # Closures: one's own, and the practice's.
    span = {"b": text(at(first, 9, 30)), "e": text(at(first, 10, 30))}
    mine = (await deployment.data(CLOSE, ada.token, m=ada.id, c="1", **span))["addClosure"]["id"]
    assert await house.starts(pat, first, y=visit) == ["11:00", "12:00"]
    await deployment.data(CLOSE, house.ben.token, m=house.ben.id, c="1", b=text(at(first, 0)), e=text(at(second, 0)))
    assert await house.starts(pat, first, y=visit) == ["11:00", "12:00"]
    ours = await deployment.data(CLOSE, house.olga.token, c="1", b=text(at(first, 12)), e=text(at(first, 13)))
    assert await house.starts(pat, first, y=visit) == ["11:00"]
    for token, closure in ((ada.token, mine), (house.olga.token, ours["addClosure"]["id"])):
        await deployment.data(REMOVE, token, i=closure)
    # Appointments, held ones until they lapse, and none of others.
    now = deployment.platform.clock.now()
    await booked(house, at(first, 10), ada)
    await booked(house, at(first, 9), house.ben)
    assert await house.starts(pat, first, y=visit) == ["09:00", "11:00", "12:00"]
    await booked(house, at(first, 12), ada, held=now + timedelta(minutes=10))
    assert await house.starts(pat, first, y=visit) == ["09:00", "11:00"]
    await deployment.platform.clock.move(timedelta(minutes=11))
    assert await house.starts(pat, first, y=visit) == ["09:00", "11:00", "12:00"]
    late = await booked(house, at(first, 11), ada)
    assert await offered(house, visit, ada, AppointmentKind.IN_PERSON, at(first, 11)) is False
    assert await offered(house, visit, ada, AppointmentKind.IN_PERSON, at(first, 11), but=late) is True
    with acting(house.practice.id):
        await DB.execute("UPDATE appointment SET state = 'cancelled', cancelled_at = now() WHERE id = $1", late)
    assert await house.starts(pat, first, y=visit) == ["09:00", "11:00", "12:00"]


@pytest.mark.rule("S4")
async def test_notice_horizon_buffers_and_length_are_settings_of_practice_and_practitioner(house: Rota) -> None:
    first, deployment, ada, ben, pat = monday(), house.deployment, house.ada, house.ben, house.pat
    visit = await house.type(ada, minutes=None)
    for who in (ada, ben):
        await house.week(who, weekly(first, "09:00", "13:00"))
    # Length: the practice's usual one, and the type's.
    [nine, *_] = await house.slots(pat, at(first, 0), at(first, 23), y=visit)
    assert (nine["startsAt"], nine["endsAt"]) == (text(at(first, 9)), text(at(first, 9, 30)))
    await house.set(usualMinutes=90)
    assert await house.starts(pat, first, y=visit) == ["09:00", "10:00", "11:00"]
    await deployment.data(CHANGE, house.olga.token, t=visit, p={"minutes": 240})
    assert await house.starts(pat, first, y=visit) == ["09:00"]
    await deployment.data(CHANGE, house.olga.token, t=visit, p={"minutes": 60, "memberIds": [ada.id, ben.id]})
    # Buffers: the practice's, a practitioner's own, the type's.
    for who in (ada, ben):
        await booked(house, at(first, 10), who)
    mine, his = {"y": visit, "m": [ada.id]}, {"y": visit, "m": [ben.id]}
    assert await house.starts(pat, first, **mine) == ["09:00", "11:00", "12:00"]
    await house.set(bufferBeforeMinutes=30)
    assert await house.starts(pat, first, **mine) == ["12:00"]
    assert await house.starts(house.desk, first, **mine) == ["09:00", "11:00", "12:00"]
    await deployment.data(OWN, ben.token, p={"bufferBeforeMinutes": 0, "bufferAfterMinutes": 15})
    assert await house.starts(pat, first, **his) == ["12:00"]
    await deployment.data(OWN, ben.token, p={"bufferAfterMinutes": 0})
    assert await house.starts(pat, first, **his) == ["09:00", "11:00", "12:00"]
    assert await house.starts(pat, first, **mine) == ["12:00"]
    await deployment.data(CHANGE, house.olga.token, t=visit, p={"bufferBefore": 0, "bufferAfter": 0})
    assert await house.starts(pat, first, **mine) == ["11:00", "12:00"]
    await house.set(bufferBeforeMinutes=0)
    # Notice and horizon, for patients alone.
    notice = int((at(first, 11) - deployment.platform.clock.now()).total_seconds() // 60) - 30
    await house.set(noticeMinutes=notice)
    assert await house.starts(pat, first, **mine) == ["11:00", "12:00"]
    assert await house.starts(house.desk, first, **mine) == ["09:00", "11:00", "12:00"]
    await deployment.data(OWN, ada.token, p={"noticeMinutes": notice + 60})
    assert (await house.starts(pat, first, **mine), await house.starts(pat, first, **his)) == (
        ["12:00"], ["11:00", "12:00"],
    )  # fmt: skip
    assert await offered(house, visit, ada, AppointmentKind.IN_PERSON, at(first, 11)) is False
    assert await offered(house, visit, ben, AppointmentKind.IN_PERSON, at(first, 11)) is True
    days = (first - deployment.platform.clock.now().astimezone(at(first, 0).tzinfo).date()).days
    await house.set(horizonDays=days + 1, noticeMinutes=0)
    later = first + timedelta(days=7)
    assert (await house.starts(pat, first, **his), await house.starts(pat, later, **his)) == (
        ["09:00", "11:00", "12:00"], [],
    )  # fmt: skip
    await deployment.data(OWN, ben.token, p={"horizonDays": days + 8})
    assert len(await house.starts(pat, later, **his)) == 4
    assert await house.starts(pat, later, **mine) == []


@pytest.mark.rule("S6")
async def test_slots_stand_at_the_same_wall_time_before_and_after_clocks_change(house: Rota) -> None:
    ada = house.ada
    visit = await house.type(ada)
    for month, night in ((3, ["01:00", "03:00", "04:00"]), (10, ["01:00", "02:00", "02:00", "03:00", "04:00"])):
        sunday = last_sunday(month)
        await house.week(ada, weekly(sunday, "01:00", "05:00"), weekly(sunday - timedelta(days=1), "09:00", "11:00"))
        for who in (house.pat, house.desk):
            assert await house.starts(who, sunday, y=visit) == night
            assert await house.starts(who, sunday - timedelta(days=7), y=visit) == ["01:00", "02:00", "03:00", "04:00"]
            for saturday in (sunday - timedelta(days=1), sunday + timedelta(days=6)):
                assert await house.starts(who, saturday, y=visit) == ["09:00", "10:00"]
        found = await house.slots(house.pat, at(sunday, 0), at(sunday, 23), y=visit)
        instants = [datetime.fromisoformat(each["startsAt"]) for each in found]
        assert [later - before for before, later in pairwise(instants)] == [timedelta(hours=1)] * (len(night) - 1)
        for each in instants:
            assert await offered(house, visit, ada, AppointmentKind.IN_PERSON, each) is True
    shown = (
        "query($f: DateTime!, $t: DateTime!, $y: ID) {"
        " slots(from: $f, to: $t, typeId: $y) { nodes { zone member { name } } } }"
    )
    sunday = last_sunday(10)
    asked = {"f": text(at(sunday, 0)), "t": text(at(sunday, 2)), "y": visit}
    body = await house.deployment.data(shown, house.pat.token, **asked)
    assert body["slots"]["nodes"][0] == {"zone": "Europe/Berlin", "member": {"name": ada.member.name}}


@pytest.mark.rule("S3")
@pytest.mark.rule("S6")
async def test_a_section_across_midnight_is_offered_on_both_days(house: Rota) -> None:
    first, ada = monday(), house.ada
    next_day = first + timedelta(days=1)
    visit = await house.type(ada)
    await house.week(ada, weekly(first, "22:00", "02:00"), weekly(next_day, "02:00", "03:00"))
    assert await house.starts(house.pat, first, y=visit) == ["22:00", "23:00"]
    assert await house.starts(house.pat, next_day, y=visit) == ["00:00", "01:00", "02:00"]
    # One that begins late and goes on in a section of the next day.
    await house.week(ada, weekly(first, "22:30", "24:00"), weekly(next_day, "00:00", "01:00"))
    assert await house.starts(house.pat, first, y=visit) == ["22:30", "23:30"]
    assert await offered(house, visit, ada, AppointmentKind.IN_PERSON, at(first, 23, 30)) is True
    assert await offered(house, visit, ada, AppointmentKind.IN_PERSON, at(first, 22)) is False


@pytest.mark.rule("L7")
@pytest.mark.rule("S4")
async def test_who_may_book_by_themselves_is_a_matter_of_plan_and_settings(house: Rota) -> None:
    first, deployment, ada, pat = monday(), house.deployment, house.ada, house.pat
    visit = await house.type(ada)
    await house.week(ada, weekly(first, "09:00", "10:00"))
    guardian = await deployment.held(house.practice, pat.patient, relationship="mother")
    asked = {"f": text(at(first, 0)), "t": text(at(first, 23)), "y": visit}
    can = 'query { can(action: "scheduling.self_schedule") { allowed code } }'

    async def told(who: Held) -> tuple[str, str | None]:
        body = await deployment.ask(SLOTS, who.token, **asked)
        code = body["errors"][0]["extensions"]["code"] if "errors" in body else ""
        types = await deployment.ask(TYPES, who.token, a=False)
        assert (types["errors"][0]["extensions"]["code"] if "errors" in types else "") == code
        return code, (await deployment.data(can, who.token))["can"]["code"]

    assert (await told(pat), await told(guardian)) == (("", None), ("", None))
    await house.set(guardiansBook=False)
    assert (await told(pat), await told(guardian)) == (("", None), ("SWITCHED_OFF", "SWITCHED_OFF"))
    await house.set(guardiansBook=True, unseenPatientsBook=False)
    assert await told(pat) == ("SWITCHED_OFF", "SWITCHED_OFF")
    seen = await booked(house, datetime.now(UTC) - timedelta(days=3), ada)
    assert await told(pat) == ("SWITCHED_OFF", "SWITCHED_OFF")
    with acting(house.practice.id):
        await DB.execute("UPDATE appointment SET state = 'completed' WHERE id = $1", seen)
    assert (await told(pat), await told(guardian)) == (("", None), ("", None))
    await house.set(patientsBook=False)
    assert await told(pat) == ("SWITCHED_OFF", "SWITCHED_OFF")
    assert len(await house.slots(house.desk, at(first, 0), at(first, 23), y=visit)) == 1
    await house.set(patientsBook=True)
    plans = deployment.platform.service(PlanService)
    for key, staff in (("self_scheduling", ""), ("scheduling", "FEATURE_NOT_IN_PLAN")):
        await plans.set_item(house.practice.id, PlanItem(kind=ItemKind.OVERRIDE, key=key, enabled=False))
        assert await deployment.code(SLOTS, pat.token, **asked) == "FEATURE_NOT_IN_PLAN"
        body = await deployment.ask(SLOTS, house.desk.token, **asked)
        assert (body["errors"][0]["extensions"]["code"] if "errors" in body else "") == staff
    # What was there stays readable for the practice (L5).
    assert len((await deployment.data(TYPES, house.ada.token, a=False))["appointmentTypes"]["nodes"]) == 1


@pytest.mark.promise("A1")
@pytest.mark.rule("S4")
async def test_what_is_not_offered_is_told_as_if_it_were_not_there(house: Rota) -> None:
    first, deployment, ada, pat = monday(), house.deployment, house.ada, house.pat
    other = await deployment.practice("Hill Top")
    eve = await deployment.person(other, Role.OWNER, "Eve")
    theirs = Rota(deployment, other, eve, eve, eve, eve, await deployment.held(other))
    visit, closed = await house.type(ada), await house.type(ada, selfScheduling=False)
    gone, group = await house.type(ada), await house.type(ada, capacity=5)
    foreign = await theirs.type(eve)
    await deployment.data(ARCHIVE, house.olga.token, t=gone, a=True)
    await house.week(ada, weekly(first, "09:00", "10:00"))
    await house.week(house.ben, weekly(first, "09:00", "10:00"))
    span = {"f": text(at(first, 0)), "t": text(at(first, 23))}
    for type_id in (closed, gone, group, foreign, NOBODY, "x", pat.id):
        assert await deployment.code(SLOTS, pat.token, y=type_id, **span) == "NOT_FOUND"
    for type_id in (gone, foreign, NOBODY, "x"):
        assert await deployment.code(SLOTS, house.desk.token, y=type_id, **span) == "NOT_FOUND"
    for member in (eve.id, house.ben.id, NOBODY, pat.id, "x"):
        assert await deployment.code(SLOTS, pat.token, y=visit, m=[ada.id, member], **span) == "NOT_FOUND"
    for member in (eve.id, NOBODY, pat.id, "x"):
        assert await deployment.code(SLOTS, house.desk.token, y=visit, m=[member], **span) == "NOT_FOUND"
        assert await deployment.code(SLOTS, house.desk.token, m=[member], **span) == "NOT_FOUND"
    assert await deployment.code(SLOTS, theirs.pat.token, y=visit, **span) == "NOT_FOUND"
    assert await deployment.code(SLOTS, None, y=visit, **span) == "UNAUTHENTICATED"
    assert await deployment.code(SLOTS, await deployment.operator(), y=visit, **span) == "FORBIDDEN"
    assert len(await house.slots(pat, at(first, 0), at(first, 23), y=visit)) == 1
    # The front desk looks at whomever it likes, without a type too; who is deactivated offers nothing.
    both = await house.slots(house.desk, at(first, 0), at(first, 23), m=[house.ben.id, ada.id])
    assert [each["memberId"] for each in both] == sorted([ada.id, house.ben.id])
    await deployment.data("mutation($m: ID!) { deactivateMember(memberId: $m) { id } }", house.olga.token, m=ada.id)
    assert await house.slots(pat, at(first, 0), at(first, 23), y=visit) == []
    assert await offered(house, visit, ada, AppointmentKind.IN_PERSON, at(first, 9)) is False
    assert [each["memberId"] for each in await house.slots(house.desk, at(first, 0), at(first, 23), m=[ada.id])] == []


@pytest.mark.rule("G2")
async def test_ranges_and_numbers_are_bounded_and_slots_come_in_order(house: Rota) -> None:
    first, deployment, ada, ben = monday(), house.deployment, house.ada, house.ben
    visit = await house.type(ada, ben, minutes=5)
    for who in (ada, ben):
        await house.week(who, *(weekly(first + timedelta(days=day), "00:00", "24:00") for day in range(7)))
    asked = {"y": visit, "f": text(at(first, 0))}
    for end in (at(first, 0) + timedelta(days=62, seconds=1), at(first, 0) - timedelta(seconds=1)):
        assert await deployment.code(SLOTS, house.pat.token, t=text(end), **asked) == "INVALID_INPUT"
    whole = {"t": text(at(first, 0) + timedelta(days=62)), **asked}
    for number in (0, -1):
        assert await deployment.code(SLOTS, house.pat.token, n=number, **whole) == "INVALID_INPUT"
    assert await deployment.code(SLOTS, house.pat.token, f=whole["f"], t=whole["t"]) == "INVALID_INPUT"
    assert await deployment.code(SLOTS, house.desk.token, f=whole["f"], t=whole["t"]) == "INVALID_INPUT"
    many = [str(uuid4()) for _ in range(101)]
    assert await deployment.code(SLOTS, house.desk.token, m=many, **whole) == "INVALID_INPUT"
    both = sorted([ada.id, ben.id])
    hours = range(int((at(first + timedelta(days=9), 0) - at(first, 0)).total_seconds()) // 3600)
    expected = [(text(at(first, 0) + timedelta(hours=hour)), who) for hour in hours for who in both]
    for number, length in ((1, 1), (3, 3), (None, 20), (100_000, 100)):
        found = (await deployment.data(SLOTS, house.pat.token, n=number, **whole))["slots"]
        assert [(each["startsAt"], each["memberId"]) for each in found["nodes"]] == expected[:length]
        assert found["pageInfo"]["hasNextPage"] is True
    # Page by page they come once each, cut within a time that both offer, too.
    week = {"y": visit, "f": text(at(first, 0)), "t": text(at(first + timedelta(days=9), 0))}
    for number in (99, 100):
        pages: list[tuple[str, str]] = []
        cursor: str | None = None
        while True:
            page = (await deployment.data(SLOTS, house.pat.token, n=number, a=cursor, **week))["slots"]
            pages += [(each["startsAt"], each["memberId"]) for each in page["nodes"]]
            cursor = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break
        assert pages == expected
    assert await deployment.code(SLOTS, house.pat.token, a="x", **week) == "INVALID_INPUT"
    # The past is not offered, nor what no calendar holds.
    for begins, ends in (
        ("1800-01-01T00:00:00Z", "1800-02-01T00:00:00Z"),
        ("8999-12-01T00:00:00Z", "8999-12-31T00:00:00Z"),
    ):
        found = (await deployment.data(SLOTS, house.pat.token, y=visit, f=begins, t=ends))["slots"]
        assert found == {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}
    now = deployment.platform.clock.now()
    found = await house.slots(house.desk, now - timedelta(days=2), now + timedelta(days=1), y=visit, n=1)
    assert now <= datetime.fromisoformat(found[0]["startsAt"]) <= now + timedelta(hours=1)


@pytest.mark.rule("S4")
@pytest.mark.rule("S6")
async def test_the_days_with_slots_are_dates_of_the_practice_s_zone(house: Rota) -> None:
    first, ada, pat = monday(), house.ada, house.pat
    third, ninth = first + timedelta(days=2), first + timedelta(days=9)
    visit = await house.type(ada)
    # At midnight in Berlin the date elsewhere is another one.
    await house.week(ada, weekly(first, "00:00", "02:00"), weekly(third, "22:00", "24:00", open=False))
    query = """query($f: DateTime!, $t: DateTime!, $y: ID, $m: [ID!], $k: AppointmentKind) {
        slotDays(from: $f, to: $t, typeId: $y, memberIds: $m, kind: $k) }"""
    asked = {"f": text(at(first, 0)), "t": text(at(first + timedelta(days=14), 0)), "y": visit}

    async def shown(who: Person | Held, **more: object) -> list[str]:
        return (await house.deployment.data(query, who.token, **asked, **more))["slotDays"]

    open_days = [first.isoformat(), (first + timedelta(days=7)).isoformat()]
    assert await shown(pat) == open_days
    assert await shown(house.desk) == sorted([*open_days, third.isoformat(), ninth.isoformat()])
    assert await shown(house.desk, k="TELEHEALTH") == []
    await booked(house, at(first, 0), ada, minutes=120)
    with statements() as ran:
        assert await shown(pat) == open_days[1:]
    of_days = len(ran)
    with statements() as ran:
        await house.slots(pat, at(first, 0), at(first + timedelta(days=14), 0), y=visit)
    assert len(ran) == of_days
    far = text(at(first, 0) + timedelta(days=63))
    for more, code in (
        ({"t": far}, "INVALID_INPUT"),
        ({"y": NOBODY}, "NOT_FOUND"),
        ({"m": [house.ben.id]}, "NOT_FOUND"),
    ):
        assert await house.deployment.code(query, pat.token, **{**asked, **more}) == code
    assert await house.deployment.code(query, None, **asked) == "UNAUTHENTICATED"


@pytest.mark.rule("S4")
async def test_however_many_there_are_the_statements_are_as_few(house: Rota) -> None:
    first, ada, ben = monday(), house.ada, house.ben
    visit = await house.type(ada)
    await house.host(ada)
    await house.week(ada, weekly(first, "09:00", "12:00"))
    counted: list[list[int]] = []

    async def count(days: int) -> None:
        ends = at(first, 0) + timedelta(days=days)
        numbers: list[int] = []
        for who in (house.pat, house.desk):
            with statements() as ran:
                await house.slots(who, at(first, 0), ends, y=visit)
            numbers.append(len(ran))
        with acting(house.practice.id), statements() as ran:
            await house.deployment.platform.service(Offering).offered(
                UUID(visit), ada.member.id, AppointmentKind.IN_PERSON, at(first, 9)
            )
        counted.append([*numbers, len(ran)])

    await count(1)
    await house.deployment.data(CHANGE, house.olga.token, t=visit, p={"memberIds": [ada.id, ben.id, house.olga.id]})
    for who in (ada, ben, house.olga):
        await house.week(who, *(weekly(first + timedelta(days=day), "09:00", "18:00") for day in range(5)))
        for number in range(8):
            day = first + timedelta(days=number)
            await booked(house, at(day, 9 + number), who, type=visit)
            given = {"m": who.id, "d": (day + timedelta(days=20)).isoformat(), "s": [section("09:00", "10:00")]}
            await house.deployment.data(DAY, who.token, **given)
    await count(62)
    assert counted[0] == counted[1]
    assert counted[0] == [14, 10, 9]


@pytest.mark.rule("S5")
async def test_the_next_free_slots_are_those_in_which_all_are_free(house: Rota) -> None:
    first, ada, ben = monday(), house.ada, house.ben
    visit = await house.type(ada, ben)
    await house.host(ada)
    await house.week(ada, weekly(first, "09:00", "13:00", "BOTH"))
    await house.week(ben, weekly(first, "10:00", "15:00"), weekly(first, "15:00", "16:00", open=False))
    await booked(house, at(first, 11), ben)
    offering, later = house.deployment.platform.service(Offering), first + timedelta(days=7)
    in_person, telehealth = AppointmentKind.IN_PERSON, AppointmentKind.TELEHEALTH

    async def found(kind: AppointmentKind, *people: Person, own: bool = False, many: int = 3) -> list[datetime]:
        with acting(house.practice.id):
            ids = [each.member.id for each in people]
            return list(await offering.next_free(UUID(visit), ids, kind, at(first, 9), own=own, many=many))

    assert await found(in_person, ada, own=True) == [at(first, 9), at(first, 10), at(first, 11)]
    assert await found(in_person, ada, ben) == [at(first, 10), at(first, 12), at(later, 10)]
    assert await found(telehealth, ada, ben, many=2) == [at(first, 10), at(first, 12)]
    assert await found(telehealth, ben) == []
    assert (await found(in_person, ben, many=5))[-1] == at(first, 15)
    assert (await found(in_person, ben, own=True, many=5))[-1] == at(later, 10)
    with acting(house.practice.id):
        assert await offering.next_free(None, [ada.member.id], in_person, at(first, 9), own=True) == []
        assert await offering.next_free(None, [house.pat.patient.id], in_person, at(first, 9), own=False) == []
        [soonest] = await offering.next_free(None, [ada.member.id], in_person, at(first, 8), own=False, many=1)
        assert soonest == at(first, 9)
