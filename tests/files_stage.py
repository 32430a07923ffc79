"""A desk at which files are handed in over HTTP, and makers of files, kind and hostile."""

from __future__ import annotations

import hashlib
import io
import itertools
import struct
import zipfile
import zlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from deployment import Bearer, Deployment, Person, served
from PIL import Image

from bedside_core.database import acting
from bedside_core.people import NewPatient, Patient, Practice
from bedside_core.testing import Database

CREATE = """mutation($name: String!, $size: Int!, $sha: String!, $c: String!) {
  createUpload(name: $name, size: $size, sha256: $sha, clientId: $c) {
    id state name url progress expiresAt refusal { code message wayOn } } }"""
ATTACH = """mutation($u: ID!, $p: ID!) { attachToPatient(uploadId: $u, patientId: $p) {
    id state name mediaType megabytes url previewUrl attachedAt uploadedBy { id } } }"""
DELETE = "mutation($i: ID!) { deleteFile(id: $i) { id state name mediaType url deletedAt deletedBy { id } } }"
FILE = "query($i: ID!) { file(id: $i) { id state name mediaType megabytes url previewUrl deletedAt } }"
UPLOAD = "query($i: ID!) { upload(id: $i) { state progress name refusal { code } } }"
LIST = """query($p: ID!, $f: Int, $a: String) { patientFiles(patientId: $p, first: $f, after: $a) {
    nodes { id name state } pageInfo { endCursor hasNextPage } } }"""
MISSING = "0199aaaa-0000-7000-8000-000000000000"

_numbers = itertools.count()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Desk:
    """A practice with a practitioner, an owner and a patient, on a deployment whose files are in a folder."""

    deployment: Deployment
    database: Database
    practice: Practice
    ada: Person
    olga: Person
    patient: Patient
    folder: Path

    async def announce(
        self, content: bytes, name: str = "a.txt", by: Bearer | None = None, client_id: str | None = None
    ) -> dict[str, Any]:
        """Announce an upload of these bytes."""
        values = {"name": name, "size": len(content), "sha": sha256(content), "c": client_id or f"u-{next(_numbers)}"}
        return (await self.deployment.data(CREATE, (by or self.ada).token, **values))["createUpload"]

    async def put(self, url: str, content: Any, by: Bearer | None = None, **headers: str) -> httpx.Response:
        """Send bytes to an upload."""
        sent = {
            "authorization": f"Bearer {(by or self.ada).token}",
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        return await self.deployment.http.put(url, content=content, headers=sent)

    async def uploaded(self, content: bytes, name: str = "a.txt", by: Bearer | None = None) -> str:
        """Upload these bytes, which have to be taken."""
        upload = await self.announce(content, name, by)
        answer = await self.put(upload["url"], content, by)
        assert (answer.status_code, answer.json().get("state")) == (200, "stored"), answer.text
        return upload["id"]

    async def attached(self, content: bytes, name: str = "a.txt", by: Bearer | None = None) -> dict[str, Any]:
        """Upload these bytes and put them with the patient."""
        upload = await self.uploaded(content, name, by)
        data = await self.deployment.data(ATTACH, (by or self.ada).token, u=upload, p=str(self.patient.id))
        return data["attachToPatient"]

    async def refusal(self, content: bytes, name: str = "a.txt") -> tuple[int, str, str | None]:
        """Upload these bytes, which have to be refused; returns status, code and reason."""
        upload = await self.announce(content, name)
        answer = await self.put(upload["url"], content)
        told = answer.json()
        assert self.kept() == [], "a refused file left bytes"
        state = (await self.deployment.data(UPLOAD, self.ada.token, i=upload["id"]))["upload"]
        assert (state["state"], state["refusal"]) == ("REFUSED", {"code": told["code"]})
        again = await self.put(upload["url"], content)
        assert (again.status_code, again.json()["code"]) == (answer.status_code, told["code"])
        return answer.status_code, told["code"], told.get("reason")

    async def get(self, url: str, by: Bearer | None = None, **headers: str) -> httpx.Response:
        """Download."""
        token = {"authorization": f"Bearer {(by or self.ada).token}"}
        further = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.deployment.http.get(url, headers={**token, **further})

    def kept(self) -> list[Path]:
        """Return every file below the data folder."""
        return sorted(path for path in self.folder.rglob("*") if path.is_file())

    async def count(self, table: str) -> int:
        """Count a table's rows, past row-level security."""
        [row] = await self.rows(f"SELECT count(*) AS n FROM {table}")
        return row["n"]

    async def rows(self, sql: str, *values: Any) -> list[Any]:
        """Ask the database as its owner."""
        owner = await asyncpg.connect(self.database.owner_dsn)
        try:
            return await owner.fetch(sql, *values)
        finally:
            await owner.close()

    async def everything(self) -> str:
        """Return every row of every table as text."""
        tables = await self.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        rows = [
            str(row[0])
            for table in tables
            for row in await self.rows(f'SELECT to_jsonb(t)::text FROM "{table["tablename"]}" t')
        ]
        return "\n".join(rows)

    async def run(self, name: str, **payload: str) -> None:
        """Run a job of core's for the practice, as a worker does."""
        from bedside_core.jobs.declared import JobRun

        platform = self.deployment.platform
        with acting(self.practice.id):
            await platform.jobs.entries[f"core.{name}"].function(
                JobRun(platform=platform, practice_id=self.practice.id, payload=payload, attempt=1)
            )


@asynccontextmanager
async def desk_at(database: Database, folder: Path, **config: Any) -> AsyncGenerator[Desk, None]:
    """Serve a deployment whose data is in a folder."""
    from bedside_core.auth import Role

    async with served(database, data=folder, **config) as deployment:
        practice = await deployment.practice()
        ada = await deployment.person(practice)
        olga = await deployment.person(practice, Role.OWNER, "Olga")
        patient = await a_patient(deployment, practice)
        yield Desk(deployment, database, practice, ada, olga, patient, folder)


async def a_patient(deployment: Deployment, practice: Practice) -> Patient:
    number = next(_numbers)
    new = NewPatient(
        first_name="Pat", last_name=f"Reed{number}", date_of_birth=date(1980, 1, 2), mrn=f"M{number}", gender="x",
        email="pat@example.org",
    )  # fmt: skip
    return await deployment.platform.people.create_patient(practice.id, new)


# --- photos ---

CAMERA = "NotaPhone 9"


def photo(
    kind: str = "JPEG",
    size: tuple[int, int] = (64, 32),
    *,
    orientation: int | None = None,
    gps: bool = True,
    **how: Any,
) -> bytes:
    """Return a picture, left half red and right half blue, that says where and with what it was taken."""
    image = Image.new("RGB", size, "red")
    image.paste("blue", (size[0] // 2, 0, *size))
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    if gps:
        exif[0x0110] = CAMERA
        exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 17.0)})
    out = io.BytesIO()
    image.save(out, kind, exif=exif, **how)
    return out.getvalue()


def pixels(content: bytes) -> tuple[tuple[int, int], dict[int, Any], list[tuple[int, int, int]]]:
    """Return size as shown, Exif tags, and the colours of the first and the last pixel as shown."""
    from PIL import ImageOps

    with Image.open(io.BytesIO(content)) as image:
        exif = dict(image.getexif())
        shown = ImageOps.exif_transpose(image).convert("RGB")
        last = (shown.width - 1, shown.height - 1)
        return shown.size, exif, [shown.getpixel((0, 0)), shown.getpixel(last)]  # type: ignore[list-item]


def png_bomb(side: int = 50_000) -> bytes:
    """Return a PNG of a few bytes that claims two and a half milliard pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">L", len(data)) + name + data + struct.pack(">L", zlib.crc32(name + data))

    head = struct.pack(">LLBBBBB", side, side, 1, 0, 0, 0, 0)
    line = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", line) + chunk(b"IEND", b"")


# --- documents ---

PDF = b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"


def package(*parts: tuple[str, bytes], main: str = WORD, comment: bytes = b"") -> bytes:
    """Return a document of Word with further parts."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", f'<Types><Override PartName="/d.xml" ContentType="{main}"/></Types>')
        archive.writestr("word/document.xml", "<w:document/>")
        for name, data in parts:
            archive.writestr(name, data)
        archive.comment = comment
    return out.getvalue()


def open_document(media_type: str = "application/vnd.oasis.opendocument.text") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", media_type, zipfile.ZIP_STORED)
        archive.writestr("content.xml", "<office/>")
    return out.getvalue()


def archive(name: str = "a.txt", data: bytes = b"hello") -> bytes:
    """Return an archive that is no document."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr(name, data)
    return out.getvalue()


def overlapping() -> bytes:
    """Return a document in whose directory a hundred parts share the bytes of one (Fifield's bomb, in small)."""
    good = package(("word/media/image1.bin", b"\0" * 9_000_000))
    end = good.rfind(b"PK\x05\x06")
    _, _, _, _, count, length, offset, _ = struct.unpack("<4s4H2LH", good[end:])
    directory = good[offset : offset + length]
    last = directory[directory.rfind(b"PK\x01\x02") :]
    copies = b"".join(last.replace(b"image1", b"im%04d" % number) for number in range(100))
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count + 100, count + 100, length + len(copies), offset, 0)
    return good[:offset] + directory + copies + tail
