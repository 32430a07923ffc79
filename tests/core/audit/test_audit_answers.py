"""Nothing of a REST answer leaves before the audit trail knows whose data is in it, however it is sent (A14)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from datetime import date
from uuid import UUID

import httpx
import pytest
from audit_stage import closed_trail, length, trail
from core_stage import plugin
from deployment import Deployment, Person, served
from litestar import get
from litestar.background_tasks import BackgroundTask
from litestar.response import Response, Stream

from bedside_core.people import NewPatient
from bedside_core.platform import Platform
from bedside_core.plugins import Source
from bedside_core.routes import Route, public_route
from bedside_core.testing import Database, until


class Ward:
    """A plugin that reads patients one by one while it answers."""

    def __init__(self) -> None:
        self.patients: list[UUID] = []
        self.sent = asyncio.Event()
        self.go_on = asyncio.Event()

    def source(self) -> Source:
        def routes(platform: Platform) -> Iterable[Route]:
            async def lines() -> AsyncGenerator[str, None]:
                for patient_id in self.patients:
                    found = await platform.people.patients_by_id([patient_id])
                    yield found[patient_id].last_name + "\n"
                    self.sent.set()
                    await self.go_on.wait()

            @get("/stream", guards=[public_route])
            async def stream() -> Stream:
                return Stream(lines())

            @get("/later", guards=[public_route])
            async def later() -> Response[str]:
                return Response("yes", background=BackgroundTask(platform.people.patients_by_id, self.patients))

            return [stream, later]

        return plugin("ward", routes=routes)


async def peopled(deployment: Deployment, ward: Ward) -> Person:
    """Somebody of a practice with three patients."""
    practice = await deployment.practice(tier=None)
    for number in range(3):
        new = NewPatient(
            first_name="Ann", last_name=f"Canary{number}", date_of_birth=date(1950, 1, 2), mrn=f"M-{number}",
            gender="female", email="ann@example.org",
        )  # fmt: skip
        ward.patients.append((await deployment.platform.people.create_patient(practice.id, new)).id)
    return await deployment.person(practice)


@pytest.mark.rule("A14")
async def test_what_streams_is_entered_part_by_part_and_cut_off_where_it_can_t_be(fresh_database: Database) -> None:
    ward = Ward()
    async with served(fresh_database, sources={"ward": ward.source()}, plugins=("ward",)) as deployment:
        ada = await peopled(deployment, ward)
        practice_id = ada.member.practice_id
        before = await length(practice_id)
        received = ""
        headers = {"authorization": f"Bearer {ada.token}"}
        with pytest.raises(httpx.RemoteProtocolError):
            async with deployment.http.stream("GET", "/ward/stream", headers=headers) as answer:
                assert answer.status_code == 200
                async with closed_trail(fresh_database):
                    async for part in answer.aiter_text():
                        received += part
                        [entry] = await trail(practice_id, past=before)
                        assert list(entry.patients) == ward.patients[:1]
                        ward.go_on.set()
        assert received == "Canary0\n"
        assert await length(practice_id) == before + 1

        ward.go_on.set()
        answer = await deployment.http.get("/ward/stream", headers=headers)
        assert answer.text == "Canary0\nCanary1\nCanary2\n"
        entries = await trail(practice_id, past=before + 1)
        assert [list(entry.patients) for entry in entries] == [[patient_id] for patient_id in ward.patients]
        assert {(entry.request_id, entry.detail["route"]) for entry in entries} == {
            (answer.headers["x-request-id"], "/ward/stream")
        }


async def test_what_is_read_after_the_answer_is_entered_all_the_same(fresh_database: Database) -> None:
    ward = Ward()
    async with served(fresh_database, sources={"ward": ward.source()}, plugins=("ward",)) as deployment:
        ada = await peopled(deployment, ward)
        before = await length(ada.member.practice_id)
        answer = await deployment.http.get("/ward/later", headers={"authorization": f"Bearer {ada.token}"})
        assert answer.text == "yes"

        async def entered() -> bool:
            return await length(ada.member.practice_id) == before + 1

        await until(entered, "what was read in the background is entered", 30)
        [entry] = await trail(ada.member.practice_id, past=before)
        assert list(entry.patients) == ward.patients
