"""A deployment in which a word that stands for health data is everywhere, and everything that can be done with it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

from core_stage import plugin
from deployment import Deployment, Person, served
from files_stage import ATTACH, CREATE, sha256
from notify_stage import MESSAGE, SETTINGS, WARD, until
from smtp_stage import SENDER, MailServer, mail_server

from bedside_core.auth import Role
from bedside_core.database import acting, unit
from bedside_core.jobs import Job, JobRun
from bedside_core.manifest import Manifest
from bedside_core.notify import Fact, Recipient
from bedside_core.people import NewPatient, Patient, Practice
from bedside_core.plugins import installed
from bedside_core.testing import Database

WORD = "Canary7f3a"
TOKEN = "token-of-the-monitoring"


async def _fails(run: JobRun) -> None:
    raise ValueError(f"{WORD} has a fever: {run.payload}")


GLOOM = plugin(
    "gloom",
    Manifest(name="gloom", title="Gloom", api=">=1.0,<2"),
    jobs=lambda: [Job(name="fail", function=_fails, doc="Fails.", retries=0, public=True)],
)


class Watched:
    """A running deployment and its people."""

    def __init__(
        self, deployment: Deployment, practice: Practice, owner: Person, patient: Patient, mail: MailServer
    ) -> None:
        self.deployment = deployment
        self.practice = practice
        self.owner = owner
        self.patient = patient
        self.mail = mail

    async def everything(self) -> None:
        """Use the word in every way that a client, a job and a mail server can."""
        deployment, token = self.deployment, self.owner.token
        await deployment.data(f"query {WORD} {{ {WORD}: patients(first: 5) {{ nodes {{ lastName }} }} }}", token)
        await deployment.data("query($t: String!) { search(text: $t) { nodes { __typename } } }", token, t=WORD)
        for refused in (f"{{ {WORD} }}", f'{{ patients(first: "{WORD}") {{ nodes {{ id }} }} }}', f'{{ "{WORD}'):
            assert "errors" in await deployment.ask(refused, token)
        assert "errors" in await deployment.ask(
            "mutation($i: PatientInput!) { createPatient(input: $i) { id } }", token, i={"lastName": WORD}
        )
        http = deployment.http
        marked = {"x-secret": WORD, "cookie": f"{WORD}={WORD}", "user-agent": WORD, "traceparent": WORD}
        assert (await http.get(f"/{WORD}/{WORD}?q={WORD}", headers=marked)).status_code == 404
        assert (await http.request("PROPFIND", "/graphql", headers=marked)).status_code == 405
        assert (await http.get(f"/files/{WORD}", headers=marked)).status_code in {401, 404}
        assert (await http.post("/graphql", content=WORD, headers={"content-type": "text/plain"})).status_code == 415
        content = f"{WORD} has a fever".encode()
        values = {"name": f"{WORD}.txt", "size": len(content), "sha": sha256(content), "c": WORD}
        made = (await deployment.data(CREATE, token, **values))["createUpload"]
        bearer = {"authorization": f"Bearer {token}"}
        assert (await http.put(made["url"], content=content, headers=bearer)).status_code == 200
        await deployment.data(ATTACH, token, u=made["id"], p=str(self.patient.id))
        assert (await http.get(f"/files/{made['id']}", headers=bearer)).status_code == 200
        async with deployment.socket(token) as socket:
            key = await socket.subscribe(f"query {WORD} {{ {WORD}: viewer {{ role }} }}")
            await socket.next(key)
            assert (await socket.receive())["type"] == "complete"
            await socket.error(await socket.subscribe(f"{{ {WORD} }}"))
        await self.failing_job()
        await self.notifications()

    async def failing_job(self) -> None:
        """Have a job fail for good with the word in its exception and payload."""
        platform = self.deployment.platform
        with acting(self.practice.id):
            async with unit() as work:
                await work.enqueue("gloom.fail", {"who": WORD})

        async def held() -> bool:
            return [job.name for job in await platform.jobs.held()] == ["gloom.fail"]

        await until(held, "the job to be held")

    async def notifications(self) -> None:
        """Have mails be refused for good, put off, and accepted, by a server that repeats what it is told."""
        platform, before = self.deployment.platform, self.mail.asked
        await self.deployment.data(SETTINGS, self.owner.token, p={"delaySeconds": 0})
        answers = [f"550 {WORD} is not here", f"451 {WORD} later", None]
        self.mail.answer = lambda to: answers.pop(0) if answers else None
        for number in range(3):
            with acting(self.practice.id):
                async with unit() as work:
                    to = Recipient.member(self.owner.member.id, self.practice.id)
                    data = {Fact.SENDER: WORD, Fact.LINK: f"/chat/{WORD}{number}"}
                    await platform.notify.send(work, MESSAGE.key, to=to, data=data)
            await until(lambda handed=before + number: self.mail.asked > handed, "the mail to be handed in")


@asynccontextmanager
async def watched(database: Database, **config: Any) -> AsyncGenerator[Watched]:
    """Serve it."""
    async with mail_server() as mail:
        given = {
            "plugins": ("graphql", "ward", "gloom"),
            "worker": True,
            "smtp_url": mail.url,
            "mail_sender": SENDER,
            "public_url": "https://clinic.example",
            "metrics_token": TOKEN,
            "job_seconds": 30.0,
            **config,
        }
        sources = {**installed(), "ward": WARD, "gloom": GLOOM}
        async with served(database, sources=sources, **given) as deployment:
            practice = await deployment.practice(f"Practice {WORD}", tier=None)
            owner = await deployment.person(practice, Role.OWNER, name=WORD)
            new = NewPatient(
                first_name=WORD, last_name=WORD, date_of_birth=date(1950, 2, 3), mrn=WORD, gender="female",
                phone="+12025550143", email=f"{WORD}@example.org",
            )  # fmt: skip
            patient = await deployment.platform.people.create_patient(practice.id, new)
            yield Watched(deployment, practice, owner, patient, mail)
