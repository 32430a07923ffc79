"""What a file is decides whether it is kept: hostile ones are refused with a code, photos lose their position."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote

import pytest
import pytest_asyncio
from deployment import APPS
from files_stage import (
    CAMERA,
    CREATE,
    PDF,
    Desk,
    archive,
    desk_at,
    open_document,
    overlapping,
    package,
    photo,
    pixels,
    png_bomb,
)
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydantic import ValidationError

from bedside_core.config import Config
from bedside_core.testing import Database


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest_asyncio.fixture
async def desk(fresh_database: Database, tmp_path: Path) -> AsyncGenerator[Desk, None]:
    async with desk_at(fresh_database, tmp_path) as desk:
        yield desk


TAKEN = [
    (PDF, "a.pdf", "application/pdf", "a.pdf"),
    (PDF, "invoice.exe", "application/pdf", "invoice.exe.pdf"),
    (photo(), "a.JPG", "image/jpeg", "a.JPG"),
    (photo("PNG"), "a.png.html", "image/png", "a.png.html.png"),
    (photo("WEBP"), "a", "image/webp", "a.webp"),
    (package(), "a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "a.docx"),
    (open_document(), "a.odt", "application/vnd.oasis.opendocument.text", "a.odt"),
    (b"a;b\n1;2\n", "a.csv", "text/plain", "a.csv"),
    ("größer".encode("cp1252"), "a.txt", "text/plain", "a.txt"),
    (b"alert(1)", "a.js", "text/plain", "a.js.txt"),
]


@pytest.mark.rule("C12")
@pytest.mark.promise("F1")
async def test_the_type_is_the_content_s_whatever_the_name_says(desk: Desk) -> None:
    for content, given, media_type, name in TAKEN:
        file = await desk.attached(content, given)
        assert (file["mediaType"], file["name"]) == (media_type, name)
        got = await desk.get(file["url"])
        assert got.headers["content-type"].partition(";")[0] == media_type
        assert got.headers["content-disposition"].startswith("attachment;")
        assert bool(file["previewUrl"]) == media_type.startswith("image/")


HTML = b"<!doctype html><script>alert(1)</script>"
REFUSED = {
    "a page": (HTML, 415, "FILE_TYPE_NOT_ALLOWED", None),
    "a page after blanks": (b"\n \t" + HTML, 415, "FILE_TYPE_NOT_ALLOWED", None),
    "an svg": (b'<?xml version="1.0"?><svg onload="alert(1)"/>', 415, "FILE_TYPE_NOT_ALLOWED", None),
    "a program": (b"MZ\x90\0" + b"\0" * 200, 415, "FILE_TYPE_NOT_ALLOWED", None),
    "a script": (b"#!/bin/sh\nrm -rf /\n", 415, "FILE_TYPE_NOT_ALLOWED", None),
    "a gif that is a script": (b"GIF89a/*" + b"\0" * 20 + b"*/=1;alert(1)", 415, "FILE_TYPE_NOT_ALLOWED", None),
    "nothing known": (bytes(range(256)) * 4, 415, "FILE_TYPE_NOT_ALLOWED", None),
    "an archive": (archive(), 415, "FILE_TYPE_NOT_ALLOWED", None),
    "an archive with a way out": (archive("../../etc/passwd"), 422, "FILE_UNSAFE", "traversal"),
    "a document with a way out": (package(("../../x.xml", b"x")), 422, "FILE_UNSAFE", "traversal"),
    "a document with macros": (package(("word/vbaProject.bin", b"x")), 422, "FILE_UNSAFE", "macros"),
    "a document that declares macros": (
        package(main="application/vnd.ms-word.document.macroEnabled.main+xml"), 422, "FILE_UNSAFE", "macros"
    ),
    "a document with a program": (package(("word/embeddings/setup.exe", b"x")), 422, "FILE_UNSAFE", "macros"),
    "an archive of archives": (package(("word/media/more.zip", archive())), 422, "FILE_UNSAFE", "macros"),
    "a document with a tail": (package() + b"<script>", 422, "FILE_UNSAFE", "polyglot"),
    "a document with a head": (b"PK\x03\x04<script>" + package(), 422, "FILE_UNSAFE", "polyglot"),
    "a pdf that is an archive": (PDF + archive() + b"\n%%EOF", 422, "FILE_UNSAFE", "polyglot"),
    "a text that is an archive": (None, 415, "FILE_TYPE_NOT_ALLOWED", None),
    "a pdf with a tail": (PDF + b"x" * 5000, 422, "FILE_UNSAFE", "damaged"),
    "a bomb of one part": (package(("word/media/a.bin", b"\0" * 60_000_000)), 422, "FILE_UNSAFE", "bomb"),
    "a bomb of many parts": (
        package(*((f"word/{n}.xml", b"") for n in range(5001))), 422, "FILE_UNSAFE", "bomb"
    ),
    "a bomb whose parts overlap": (overlapping(), 422, "FILE_UNSAFE", "bomb"),
    "a picture of milliards of pixels": (png_bomb(), 422, "FILE_UNSAFE", "bomb"),
    "half a photo": (photo()[:400], 422, "FILE_UNSAFE", "damaged"),
    "a photo of nothing": (b"\xff\xd8\xff\xe0" + b"x" * 100, 422, "FILE_UNSAFE", "damaged"),
    "half a picture": (photo("PNG")[:60], 422, "FILE_UNSAFE", "damaged"),
    "a webp that claims more": (b"RIFF\xff\xff\xff\x7fWEBPVP8 ", 422, "FILE_UNSAFE", "damaged"),
}  # fmt: skip
REFUSED["a text that is an archive"] = (b"hello\n" + archive(), 415, "FILE_TYPE_NOT_ALLOWED", None)


@pytest.mark.promise("F1")
@pytest.mark.rule("C12")
async def test_hostile_files_are_refused_with_a_code_and_nothing_of_them_is_kept(desk: Desk) -> None:
    told = {what: await desk.refusal(content or b"") for what, (content, *_) in REFUSED.items()}
    assert told == {what: tuple(expected) for what, (_, *expected) in REFUSED.items()}
    assert desk.kept() == []


NAMES = {
    "../../etc/passwd": "passwd.txt",
    "..\\..\\windows\\system.ini": "system.ini.txt",
    "a\r\nSet-Cookie: x=1.txt": "aSet-Cookie x=1.txt",
    "invoice\u202etxt.exe": "invoicetxt.exe.txt",
    "\ufeff\u200bhidden\u2066.txt": "hidden.txt",
    "x" * 4096 + ".txt": "x" * 146 + ".txt",
    "…/..": "file.txt",
    "": "file.txt",
    ".htaccess": "htaccess.txt",
    "con.txt": "_con.txt",
    'a"b;c*.txt': "a b;c.txt",
    "Befund\u00a0März 😀.txt": "Befund März 😀.txt",
    "u\u0308ber.txt": "über.txt",
}


@pytest.mark.promise("F1")
async def test_hostile_names_are_shown_cleaned_and_are_in_no_key(desk: Desk) -> None:
    for given, shown in NAMES.items():
        file = await desk.attached(b"text", given)
        assert file["name"] == shown, given
        header = (await desk.get(file["url"])).headers["content-disposition"]
        plain, _, encoded = header.partition("; filename*=UTF-8''")
        assert plain.isascii()
        assert unquote(encoded) == shown
        assert plain.count('"') == 2
    for path in desk.kept():
        assert len(path.name) == 32
        int(path.name, 16)


@pytest.mark.promise("F1")
@pytest.mark.parametrize("name", ["a\0b.txt", "\ud800x.txt"])
async def test_names_that_are_no_text_are_refused_with_a_code(desk: Desk, name: str) -> None:
    values = {"name": name, "size": 1, "sha": "0" * 64, "c": "c"}
    answer = await desk.deployment.http.post(
        "/graphql",
        content=json.dumps({"query": CREATE, "variables": values}),
        headers={"content-type": "application/json", "authorization": f"Bearer {desk.ada.token}"},
    )
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST", answer.text
    assert await desk.count("file") == 0


@pytest.mark.promise("F1")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
async def test_a_photo_loses_its_position_and_stays_the_right_way_round(desk: Desk, kind: str) -> None:
    given = photo(kind, orientation=6, progressive=kind == "JPEG")
    assert CAMERA.encode() in given
    file = await desk.attached(given, "a")
    kept = (await desk.get(file["url"])).content
    shown, exif, colours = pixels(given)
    assert shown == (32, 64)
    assert pixels(kept) == (shown, {0x0112: 6}, colours), "the picture itself is as it was"
    assert exif != {0x0112: 6}
    small = await desk.get(file["previewUrl"])
    assert small.headers["content-type"] == "image/jpeg"
    size, exif, [first, last] = pixels(small.content)
    assert (size, exif) == ((32, 64), {})
    assert first[0] > 200 > 100 > first[2]
    assert last[2] > 200 > 100 > last[0]
    for path in desk.kept():
        assert CAMERA.encode() not in path.read_bytes()
        assert b"Photoshop" not in path.read_bytes()


@pytest.mark.promise("F1")
async def test_what_hangs_on_a_photo_and_what_is_written_into_it_is_cut_off(desk: Desk) -> None:
    said = PngInfo()
    said.add_text("Comment", "canary-in-text")
    out = BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG", pnginfo=said)
    jpeg = photo(comment=b"canary-in-comment", xmp=b"<x>canary-in-xmp</x>")
    for content in (
        jpeg + archive("a", b"canary-behind"),
        out.getvalue() + b"<script>canary-behind</script>",
        photo("WEBP", xmp=b"<x>canary-in-xmp</x>") + b"canary-behind",
    ):
        assert b"canary" in content
        file = await desk.attached(content)
        kept = (await desk.get(file["url"])).content
        assert b"canary" not in kept
        assert pixels(kept)[0] in {(64, 32), (8, 8)}


@pytest.mark.rule("C12")
async def test_a_practice_decides_what_it_takes_and_how_long(desk: Desk) -> None:
    change = """mutation($p: FileSettingsPatch!) { updateFilesSettings(patch: $p) {
        photos pdfs officeDocuments texts photoMegabytes documentMegabytes } }"""
    patch = {"pdfs": False, "photoMegabytes": 1, "documentMegabytes": 2}
    assert await desk.deployment.code(change, desk.ada.token, p=patch) == "FORBIDDEN"
    assert (await desk.deployment.data(change, desk.olga.token, p=patch))["updateFilesSettings"] == {
        "photos": True, "pdfs": False, "officeDocuments": True, "texts": True,
        "photoMegabytes": 1, "documentMegabytes": 2,
    }  # fmt: skip
    assert (await desk.refusal(PDF))[:2] == (415, "FILE_TYPE_NOT_ALLOWED")
    assert (await desk.refusal(photo() + b"\0" * 1_000_000))[:2] == (413, "FILE_TOO_LARGE")
    assert await desk.uploaded(b"x" * 2_000_000)
    for much in (0, 2001):
        assert await desk.deployment.code(change, desk.olga.token, p={"documentMegabytes": much}) == "INVALID_INPUT"


# --- a virus scanner ---


class Clamd:
    """A daemon that speaks INSTREAM, finds `EICAR`, and can fall silent."""

    def __init__(self) -> None:
        self.answer: bytes | None = None
        self.heard: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(10) == b"zINSTREAM\0"
        content = b""
        while length := int.from_bytes(await reader.readexactly(4), "big"):
            content += await reader.readexactly(length)
        self.heard.append(content)
        found = b"stream: Eicar-Test-Signature FOUND\0" if b"EICAR" in content else b"stream: OK\0"
        writer.write(found if self.answer is None else self.answer)
        writer.close()


@pytest.mark.rule("C12")
async def test_nothing_is_kept_before_the_scanner_has_cleared_it(fresh_database: Database, tmp_path: Path) -> None:
    clamd = Clamd()
    server = await asyncio.start_server(clamd.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with desk_at(fresh_database, tmp_path, clamd_url=f"tcp://127.0.0.1:{port}") as desk:
        file = await desk.attached(b"x" * 700_000)
        assert clamd.heard == [b"x" * 700_000]
        assert (await desk.get(file["url"])).status_code == 200
        await desk.deployment.data("mutation($i: ID!) { deleteFile(id: $i) { id } }", desk.ada.token, i=file["id"])
        assert await desk.refusal(b"EICAR") == (422, "FILE_INFECTED", None)
        for silence in (b"", b"INSTREAM: something broke ERROR\0"):
            clamd.answer = silence
            await _closed_until_scanned(desk, clamd)
        clamd.answer = b"INSTREAM size limit exceeded. ERROR\0"
        assert (await desk.refusal(b"too long for it"))[:2] == (413, "FILE_TOO_LARGE")
        server.close()
        await server.wait_closed()
        upload = await desk.announce(b"hello")
        away = await desk.put(upload["url"], b"hello")
        assert (away.status_code, away.json()["code"]) == (503, "UNAVAILABLE")
        assert (await desk.get(f"/files/{upload['id']}")).status_code == 404


async def _closed_until_scanned(desk: Desk, clamd: Clamd) -> None:
    upload = await desk.announce(b"hello")
    away = await desk.put(upload["url"], b"hello")
    assert (away.status_code, away.json()["code"], away.json()["retryable"]) == (503, "UNAVAILABLE", True)
    assert (await desk.get(f"/files/{upload['id']}")).status_code == 404
    clamd.answer = None
    again = await desk.put(upload["url"], b"", upload_offset="5")
    assert again.json()["state"] == "stored"
    assert (await desk.get(f"/files/{upload['id']}")).content == b"hello"
    await desk.deployment.http.delete(upload["url"], headers={"authorization": f"Bearer {desk.ada.token}"})


@pytest.mark.parametrize("address", ["http://clamd", "tcp://", "unix://relative", "clamd:3310"])
def test_a_scanner_s_address_that_is_none_is_no_configuration(address: str) -> None:
    with pytest.raises(ValidationError):
        Config(clamd_url=address)
