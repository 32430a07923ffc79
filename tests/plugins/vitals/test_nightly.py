"""Each night the days that are over are summed up, once, for practices that have the feature."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from bedside_vitals.service import VitalsService
from vitals_stage import Clinic

from bedside_core.access import Tier
from bedside_core.database import DB, acting
from bedside_core.testing import until
from bedside_plans.service import PlanService

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEW_YORK = ZoneInfo("America/New_York")
DAYS = """query($p: ID!) { patient(id: $p) {
    vitalsDays { day recordings lowestSystolic highestSystolic averagePulse } } }"""


async def moved_to(clinic: Clinic, at: datetime) -> None:
    """Move the clock, forwards."""
    clock = clinic.deployment.platform.clock
    assert at > clock.now()
    await clock.move(at - clock.now())


def local(clinic: Clinic, *, days: int, hour: int) -> datetime:
    """An hour of a coming day in the practices' time zone."""
    day = clinic.deployment.platform.clock.now().astimezone(NEW_YORK) + timedelta(days=days)
    return day.replace(hour=hour, minute=0, second=0)


async def test_the_worker_sums_up_by_schedule_and_plan(clinic: Clinic) -> None:
    """At 3:00 UTC it is evening in New York: the day before is summed up there, and no other."""
    downgraded = await clinic.deployment.practice("Lake", "enhanced")
    lea = await clinic.deployment.person(downgraded)
    theirs, patient = await clinic.patient(downgraded), await clinic.patient()
    await moved_to(clinic, local(clinic, days=2, hour=9))
    day = clinic.deployment.platform.clock.now().astimezone(NEW_YORK).date()
    for systolic, pulse in ((120, 60), (140, 61), (130, 80)):
        await clinic.record(patient, systolic, r=pulse)
    await clinic.record(theirs, by=lea)
    await clinic.deployment.platform.service(PlanService).change_plan(downgraded.id, Tier.STARTER)
    await moved_to(clinic, local(clinic, days=1, hour=1))
    await clinic.record(patient, 200)

    async def summed() -> bool:
        found = (await clinic.data(DAYS, clinic.ada.token, p=patient))["patient"]["vitalsDays"]
        return len(found) > 0

    await moved_to(clinic, datetime.combine(day + timedelta(days=2), datetime.min.time(), UTC) + timedelta(hours=3.1))
    await until(summed, "the night's sums", 20)
    found = (await clinic.data(DAYS, clinic.ada.token, p=patient))["patient"]["vitalsDays"]
    assert found == [
        {
            "day": day.isoformat(),
            "recordings": 3,
            "lowestSystolic": 120,
            "highestSystolic": 140,
            "averagePulse": pytest.approx(67),
        }
    ]
    with acting(downgraded.id):
        assert await DB.fetchval("SELECT count(*) FROM vitals") == 1
        assert await DB.fetchval("SELECT count(*) FROM vitals_daily") == 0


async def test_a_night_without_worker_is_made_up_for_and_twice_is_once(clinic: Clinic) -> None:
    practice = await clinic.deployment.practice("Shore", "enhanced")
    lea = await clinic.deployment.person(practice)
    patient = await clinic.patient(practice)
    days: list[str] = []
    for _ in range(3):
        await moved_to(clinic, local(clinic, days=2, hour=10))
        now = clinic.deployment.platform.clock.now()
        days.insert(0, now.astimezone(NEW_YORK).date().isoformat())
        await clinic.record(patient, 111, by=lea)
        await clinic.record(patient, 113, by=lea)
    service = clinic.deployment.platform.service(VitalsService)
    for _ in range(2):
        with acting(practice.id):
            await service.summarise(practice.id)
        found = (await clinic.data(DAYS, lea.token, p=patient))["patient"]["vitalsDays"]
        assert [(item["day"], item["recordings"]) for item in found] == [(day, 2) for day in days[1:]]
