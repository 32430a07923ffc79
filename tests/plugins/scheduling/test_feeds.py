"""Calendar feeds over HTTP: whose secret opens what, what they tell, and that their address is told nowhere (S8)."""

from __future__ import annotations

import io
import logging
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import pytest_asyncio
import structlog
from audit_stage import length, trail
from icalendar import Calendar
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from plugins.scheduling.diary import FEEDS, MAKE, NAMES, REVOKE, Diary, diary, soon, weeks_before_change
from plugins.scheduling.readers import Occurrence, by_icalendar, by_icaljs, values

from bedside_core.auth import Role
from bedside_core.database import DB, acting
from bedside_core.testing import Database, statements, until
from bedside_core.watching import tracing

SUSPEND = "mutation($p: ID!) { suspendPortalAccount(patientId: $p) { state } }"
REINSTATE = "mutation($p: ID!) { reinstatePortalAccount(patientId: $p) { state } }"
REMOVE = "mutation($h: ID!) { removePortalHolder(holderId: $h) { state } }"
HOLDERS = "query($p: ID!) { patient(id: $p) { portalAccount { holders { id relationship } } } }"
REACTIVATE = "mutation($i: ID!) { reactivateMember(memberId: $i) { id } }"
DEACTIVATE = "mutation($i: ID!) { deactivateMember(memberId: $i) { id } }"
MERGE = 'mutation($k: ID!, $m: ID!) { mergePatients(keepId: $k, mergeId: $m, clientId: "m") { id } }'
TYPE = """mutation($i: AppointmentTypeInput!) { createAppointmentType(input: $i, clientId: "type") { id } }"""
KEY = """mutation($s: [String!]!, $e: DateTime!) { createApiKey(name: "a", scopes: $s, expiresAt: $e, clientId: "k") {
    token } }"""


@pytest_asyncio.fixture
async def here(fresh_database: Database) -> AsyncGenerator[Diary]:
    async with diary(fresh_database) as made:
        yield made


async def gone(here: Diary, path: str) -> None:
    """See that an address answers as one that never was any."""
    answer = await here.deployment.http.get(path)
    never = await here.deployment.http.get("/scheduling/calendar/" + "x" * 43 + ".ics")
    assert (answer.status_code, never.status_code) == (404, 404)
    assert [{**each.json(), "requestId": ""} for each in (answer, never)] == [
        {"title": "There is no calendar at this address.", "status": 404, "code": "NOT_FOUND", "requestId": "",
         "retryable": False}
    ] * 2  # fmt: skip
    assert set(answer.headers) == set(never.headers)


@pytest.mark.rule("S6", "S8")
async def test_a_series_with_exceptions_over_a_change_of_clocks_is_read_as_the_database_has_it(here: Diary) -> None:
    series_id, made = await here.series("FREQ=WEEKLY;COUNT=9", weeks_before_change())
    alone = await here.book(soon(8, 20))
    await here.move(made[2], timedelta(hours=3))
    await here.move(made[6], timedelta(days=1))
    await here.cancel(made[4])
    expected = sorted(
        Occurrence(str(each.series_id or each.id), each.starts_at, each.ends_at)
        for each in await here.of([alone, *made[:4], *made[5:]])
    )
    for who in (here.ada, here.pat):
        text = await here.text((await here.feed(who))[1])
        assert by_icalendar(text) == by_icaljs(text) == expected
        assert set(values(text, "UID")) == {str(series_id), str(alone)}
        assert values(text, "METHOD") == ["PUBLISH"]
        assert values(text, "TZID") == ["America/New_York"]
        # A change of any of them is one of the series: of three that were changed, one each.
        assert sorted(set(values(text, "SEQUENCE"))) == ["0", "3"]


@pytest.mark.rule("N4", "S8")
async def test_a_feed_names_nobody_unless_the_practice_wants_it_and_then_to_members_alone(here: Diary) -> None:
    given = {"name": "Chemotherapy", "description": "", "mode": "BOTH", "memberIds": [here.ada.id]}
    type_id = (await here.deployment.data(TYPE, here.owner.token, i=given))["createAppointmentType"]["id"]
    other = await here.deployment.held(here.practice)
    await here.book(soon(), here.pat, other, type_id=UUID(type_id))
    paths = {who: (await here.feed(person))[1] for who, person in (("ada", here.ada), ("pat", here.pat))}
    secret_words = ("Chemotherapy", "Pat", "Reed", "Ada", "Moss")
    for path in paths.values():
        text = await here.text(path)
        assert values(text, "SUMMARY") == ["Appointment at Bay View"]
        assert [word for word in secret_words if word in text] == []
    await here.deployment.data(NAMES, here.owner.token, p={"namesInFeeds": True})
    assert values(await here.text(paths["pat"]), "SUMMARY") == ["Appointment at Bay View"]
    names = "\\, ".join(f"{each.patient.first_name} {each.patient.last_name}" for each in (here.pat, other))
    assert values(await here.text(paths["ada"]), "SUMMARY") == [f"Chemotherapy: {names}"]
    newest = (await trail(here.practice.id))[-1]
    assert (newest.action, newest.person_id) == ("scheduling.read_feed", here.ada.member.id)
    assert set(newest.patients) == {here.pat.patient.id, other.patient.id}


@pytest.mark.rule("S8")
async def test_a_feed_has_ninety_days_back_and_two_years_ahead_and_nothing_that_does_not_take_place(
    here: Diary,
) -> None:
    now = datetime.now(UTC)
    shown = [
        await here.book(now + timedelta(days=days), state_note)
        for days, state_note in ((-89, here.pat), (1, here.pat), (729, here.pat))
    ]
    for days in (-91, 731):
        await here.book(now + timedelta(days=days))
    await here.book(now + timedelta(days=2), held_until=now + timedelta(minutes=5))
    await here.cancel(await here.book(now + timedelta(days=3)))
    left = await here.book(now + timedelta(days=4))
    with acting(here.practice.id):
        await DB.execute("UPDATE appointment_patient SET cancelled_at = $2 WHERE appointment_id = $1", left, now)
    _, theirs = await here.feed(here.pat)
    _, hers = await here.feed(here.ada)
    assert values(await here.text(theirs), "UID") == [str(each) for each in shown]
    assert set(values(await here.text(hers), "UID")) == {str(each) for each in [*shown, left]}


@pytest.mark.rule("S8")
async def test_what_has_not_changed_is_not_sent_again(here: Diary) -> None:
    made = await here.book(soon())
    _, path = await here.feed(here.pat)
    http = here.deployment.http
    first = await http.get(path)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    entries = await length(here.practice.id)
    for given in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        again = await http.get(path, headers={"if-none-match": given})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert again.headers["cache-control"] == "private, no-cache"
    head = await http.head(path)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", tag)
    assert await length(here.practice.id) == entries  # nothing was handed out
    assert (await http.get(path, headers={"if-none-match": '"other"'})).status_code == 200
    assert await length(here.practice.id) == entries + 1
    await here.move(made, timedelta(hours=1))
    moved = await http.get(path, headers={"if-none-match": tag})
    assert (moved.status_code, values(moved.text, "SEQUENCE")) == (200, ["1"])
    assert moved.headers["etag"] != tag
    [feed] = (await here.deployment.data(FEEDS, here.pat.token))["calendarFeeds"]
    assert feed["readAt"] is not None


@pytest.mark.rule("A14", "S8")
async def test_what_is_handed_out_is_in_the_trail_and_who_it_is_about_sees_it(here: Diary) -> None:
    await here.book(soon())
    feed_id, path = await here.feed(here.pat)
    await here.text(path)
    made, read = (await trail(here.practice.id))[-2:]
    for entry, action in ((made, "scheduling.make_feed"), (read, "scheduling.read_feed")):
        assert (entry.action, entry.kind, entry.target) == (action, "calendar_feed", feed_id)
        assert (entry.account_id, entry.person_id) == (here.pat.account_id, here.pat.patient.id)
        assert list(entry.patients) == [here.pat.patient.id]
    assert read.detail == {"route": "/scheduling/calendar/{file}"}
    own = await here.deployment.data("{ ownAccesses(first: 5) { nodes { action } } }", here.pat.token)
    assert "scheduling.read_feed" in {each["action"] for each in own["ownAccesses"]["nodes"]}


@pytest.mark.rule("S8", "S9", "S11")
async def test_who_may_not_sign_in_any_more_has_no_calendar_from_that_moment_on(here: Diary) -> None:
    await here.book(soon())
    guardian = await here.deployment.held(here.practice, here.pat.patient, relationship="mother")
    other = await here.deployment.held(here.practice)
    _, pats = await here.feed(here.pat)
    _, mothers = await here.feed(guardian)
    _, hers = await here.feed(here.ada)
    _, others = await here.feed(other)
    for path in (pats, mothers, hers, others):
        await here.text(path)
    ask, owner, pat = here.deployment.data, here.owner.token, here.pat.id

    found = await ask(HOLDERS, owner, p=pat)
    [holder] = [each["id"] for each in found["patient"]["portalAccount"]["holders"] if each["relationship"]]
    await ask(REMOVE, owner, h=holder)
    await gone(here, mothers)
    await here.text(pats)

    await ask(SUSPEND, owner, p=pat)
    await gone(here, pats)
    await ask(REINSTATE, owner, p=pat)
    await here.text(pats)

    await ask(DEACTIVATE, owner, i=here.ada.id)
    await gone(here, hers)

    await ask(MERGE, owner, k=other.id, m=pat)
    await gone(here, pats)
    await here.text(others)


@pytest.mark.rule("S8", "S11", "A10")
async def test_the_address_of_who_was_put_out_opens_nothing_though_they_are_let_in_again(
    fresh_database: Database,
) -> None:
    async with diary(fresh_database, worker=True) as here:
        await here.book(soon())
        mother = await here.deployment.held(here.practice, here.pat.patient, relationship="mother")
        paths = [(await here.feed(who))[1] for who in (here.ada, mother, here.pat)]
        ask, owner = here.deployment.data, here.owner.token
        found = await ask(HOLDERS, owner, p=here.pat.id)
        [holder] = [each["id"] for each in found["patient"]["portalAccount"]["holders"] if each["relationship"]]
        await ask(REMOVE, owner, h=holder)
        await ask(DEACTIVATE, owner, i=here.ada.id)

        async def over() -> bool:
            with acting(here.practice.id):
                return await DB.fetchval("SELECT count(*) FROM calendar_feed WHERE revoked_at IS NULL") == 1

        await until(over, "two feeds are over", 30)
        await ask(REACTIVATE, owner, i=here.ada.id)
        await here.deployment.hold(here.pat.patient, mother.account_id, mother.email, relationship="mother")
        await gone(here, paths[0])
        await gone(here, paths[1])
        await here.text(paths[2])


@pytest.mark.rule("S8")
async def test_a_revoked_feed_and_one_that_never_was_look_alike(here: Diary) -> None:
    await here.book(soon())
    feed_id, path = await here.feed(here.pat)
    _, kept = await here.feed(here.pat)
    await here.text(path)
    aunt = await here.deployment.held(here.practice, here.pat.patient, relationship="aunt")
    for stranger in (here.ada, here.owner, aunt):
        assert await here.deployment.code(REVOKE, stranger.token, i=feed_id) == "NOT_FOUND"
    await here.text(path)
    assert (await here.deployment.data(REVOKE, here.pat.token, i=feed_id))["revokeCalendarFeed"] is True
    await gone(here, path)
    await here.text(kept)
    assert await here.deployment.code(REVOKE, here.pat.token, i=feed_id) == "NOT_FOUND"
    assert len((await here.deployment.data(FEEDS, here.pat.token))["calendarFeeds"]) == 1
    assert (await trail(here.practice.id))[-1].action == "scheduling.read_feed"
    names = [f"{'ü' * 43}.ics", f"{'x' * 3000}.ics", "%00.ics"]
    odd = [kept.removesuffix(".ics"), f"{kept[:-5]}.ics", kept.replace(".ics", ".ICS")]
    for each in (*odd, *(f"/scheduling/calendar/{name}" for name in names)):
        assert (await here.deployment.http.get(each)).status_code == 404, each


@pytest.mark.rule("A13", "G9", "S8")
async def test_the_address_is_told_once_kept_as_a_hash_and_made_by_people_alone(here: Diary) -> None:
    first = (await here.deployment.data(MAKE, here.pat.token, c="one"))["makeCalendarFeed"]
    secret = first["url"].rpartition("/")[2].removesuffix(".ics")
    assert len(secret) == 43  # 256 bits
    again = (await here.deployment.data(MAKE, here.pat.token, c="one"))["makeCalendarFeed"]
    assert again == {"feed": first["feed"], "url": None}
    [row] = await DB.fetch("SELECT * FROM scheduling_feed(sha256(convert_to($1, 'UTF8')))", secret)
    assert str(row["id"]) == first["feed"]["id"]
    with acting(here.practice.id):
        [stored] = await DB.fetch("SELECT to_jsonb(f)::text AS it FROM calendar_feed f")
    assert secret not in stored["it"]
    for number in range(9):
        await here.deployment.data(MAKE, here.pat.token, c=f"more-{number}")
    assert await here.deployment.code(MAKE, here.pat.token, c="too many") == "CONFLICT"
    assert len((await here.deployment.data(FEEDS, here.pat.token))["calendarFeeds"]) == 10
    assert (await here.deployment.data(FEEDS, here.ada.token))["calendarFeeds"] == []
    expires = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    key = await here.deployment.data(KEY, here.owner.token, s=["scheduling.feeds", "scheduling.make_feed"], e=expires)
    assert await here.deployment.code(MAKE, key["createApiKey"]["token"], c="by key") == "FORBIDDEN"
    assert (await here.deployment.data(FEEDS, here.owner.token))["calendarFeeds"] == []


@pytest.mark.promise("A2")
@pytest.mark.rule("S8")
async def test_the_secret_in_the_path_reaches_no_log_no_trace_no_figure_and_no_trail(fresh_database: Database) -> None:
    exporter, said = InMemorySpanExporter(), io.StringIO()
    everything = logging.StreamHandler(said)
    root = logging.getLogger()
    level = root.level
    root.addHandler(everything)
    root.setLevel(logging.DEBUG)
    try:
        with tracing(None, exporter=exporter), structlog.testing.capture_logs() as logs:
            async with diary(fresh_database, metrics_token="of-the-monitoring") as here:
                await here.book(soon())
                feed_id, path = await here.feed(here.pat)
                http = here.deployment.http
                secret = path.rpartition("/")[2].removesuffix(".ics")
                await here.text(path)
                for method in ("HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"):
                    await http.request(method, path)
                for odd in (
                    f"{path}?x={secret}",
                    f"{path}/{secret}",
                    f"/scheduling/calendar/x{secret}.ics",
                    f"//{secret}",
                ):
                    await http.get(odd)
                await here.deployment.data(REVOKE, here.pat.token, i=feed_id)
                await gone(here, path)
                figures = await http.get("/metrics", headers={"authorization": "Bearer of-the-monitoring"})
                trails = [str(entry) for entry in await trail(here.practice.id)]
    finally:
        root.removeHandler(everything)
        root.setLevel(level)
    told = [*map(str, logs), figures.text, *trails, *(each.to_json() for each in exporter.get_finished_spans())]
    routes = [each["route"] for each in logs if each["event"] == "request"]
    assert routes.count("/scheduling/calendar/{file}") >= 4
    assert 'route="/scheduling/calendar/{file}"' in figures.text
    lines = [line for line in said.getvalue().splitlines() if not line.startswith("HTTP Request:")]  # of the client
    assert [each for each in (*told, *lines) if secret in each] == []


@pytest.mark.rule("G4", "S8")
async def test_reading_too_often_and_guessing_are_held_back(here: Diary) -> None:
    _, path = await here.feed(here.pat)
    http = here.deployment.http
    for _ in range(30):
        assert (await http.get(path)).status_code == 200
    for _ in range(3):
        held_back = await http.get(path)
        assert (held_back.status_code, held_back.json()["code"]) == (429, "RATE_LIMITED")
        assert 1 <= int(held_back.headers["retry-after"]) <= 120
    _, another = await here.feed(here.ada)
    assert (await http.get(another)).status_code == 200
    wrong = "/scheduling/calendar/" + "w" * 43 + ".ics"
    codes = [(await http.get(wrong)).status_code for _ in range(62)]
    assert codes == [404] * 60 + [429] * 2
    with statements() as ran:
        assert (await http.get(wrong)).status_code == 429
        assert (await http.get("/scheduling/calendar/short.ics")).status_code == 429
    assert ["scheduling_feed" in sql for sql in ran] == [True]
    # Others behind the same address are held back by none of it.
    assert (await http.get(another)).status_code == 200


@pytest.mark.rule("S8")
async def test_a_feed_takes_as_many_statements_however_many_appointments_it_has(here: Diary) -> None:
    await here.deployment.data(NAMES, here.owner.token, p={"namesInFeeds": True})
    costs: dict[str, list[int]] = {"ada": [], "pat": []}
    paths = {who: (await here.feed(person))[1] for who, person in (("ada", here.ada), ("pat", here.pat))}
    for number in range(2):
        await here.book(soon(3 + number))
        await here.series("FREQ=DAILY;COUNT=20", soon(10 + 30 * number).replace(tzinfo=None))
        for who, path in paths.items():
            with statements() as ran:
                await here.text(path)
            costs[who].append(len(ran))
        assert len(Calendar.from_ical(await here.text(paths["ada"])).walk("VEVENT")) >= 2 * (number + 1)
    assert costs["ada"][0] == costs["ada"][1] == 12
    assert costs["pat"][0] == costs["pat"][1] == 10


@pytest.mark.rule("A12", "P1", "S8")
async def test_a_feed_shows_one_s_own_appointments_of_one_practice(here: Diary) -> None:
    mine = await here.book(soon())
    ben = await here.deployment.person(here.practice, Role.PRACTITIONER, name="Ben")
    other = await here.deployment.held(here.practice)
    theirs = await here.book(soon(9), other, member_ids=[ben.member.id])
    both = await here.book(soon(11), here.pat, other)
    feeds = {name: (await here.feed(who))[1] for name, who in (
        ("pat", here.pat), ("ada", here.ada), ("ben", ben), ("owner", here.owner), ("other", other))}  # fmt: skip
    shown = {name: values(await here.text(path), "UID") for name, path in feeds.items()}
    assert shown == {
        "pat": [str(mine), str(both)],
        "ada": [str(mine), str(both)],
        "ben": [str(theirs)],
        "owner": [],
        "other": [str(theirs), str(both)],
    }
