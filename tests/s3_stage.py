"""As much of S3 as a store of files asks of it, in memory, on a port of this machine."""

from __future__ import annotations

import asyncio
import itertools
import socket as sockets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from email.utils import formatdate
from hashlib import md5
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import uvicorn

BUCKET = "files-of-tests"


class S3:
    """Objects by key, and every request that came: method, key and names of parameters."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.heard: list[tuple[str, str, tuple[str, ...]]] = []
        self.away = False
        self._parts: dict[str, dict[int, bytes]] = {}
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message.get("more_body"):
                break
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        if headers.get("x-amz-content-sha256", "").startswith("STREAMING"):
            raise AssertionError("chunked signatures are not spoken here")
        key = unquote(scope["path"]).removeprefix(f"/{BUCKET}").lstrip("/")
        asked = {
            name: values[0] for name, values in parse_qs(scope["query_string"].decode(), keep_blank_values=True).items()
        }
        self.heard.append((scope["method"], key, tuple(sorted(asked))))
        assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=key/")
        status, answer, further = 503, b"", dict[str, str]()
        if not self.away:
            status, answer, further = self._answer(scope["method"], key, asked, headers, body)
        told = {"content-length": str(len(answer)), **further}.items()
        fields = [(name.encode(), value.encode()) for name, value in told]
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer})

    def _answer(
        self, method: str, key: str, asked: dict[str, str], headers: dict[str, str], body: bytes
    ) -> tuple[int, bytes, dict[str, str]]:
        match method:
            case "PUT" if "x-amz-copy-source" in headers:
                source = unquote(headers["x-amz-copy-source"]).removeprefix("/").removeprefix(f"{BUCKET}/")
                self.objects[key] = self.objects[source]
                return 200, b"<CopyObjectResult><ETag>x</ETag></CopyObjectResult>", {}
            case "PUT" if "uploadId" in asked:
                self._parts[asked["uploadId"]][int(asked["partNumber"])] = body
                return 200, b"", {"etag": _etag(body)}
            case "PUT":
                self.objects[key] = body
                return 200, b"", {"etag": _etag(body)}
            case "POST" if "uploads" in asked:
                upload = f"upload-{next(self._numbers)}"
                self._parts[upload] = {}
                answer = f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
                return 200, answer.encode(), {}
            case "POST" if "uploadId" in asked:
                parts = self._parts.pop(asked["uploadId"])
                assert all(len(part) >= 5 << 20 for number, part in parts.items() if number != max(parts))
                self.objects[key] = b"".join(parts[number] for number in sorted(parts))
                return 200, b"<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>", {}
            case "POST" if "delete" in asked:
                keys = [item.text or "" for item in ElementTree.fromstring(body).iter() if item.tag.endswith("Key")]
                for each in keys:
                    self.objects.pop(each, None)
                deleted = "".join(f"<Deleted><Key>{escape(each)}</Key></Deleted>" for each in keys)
                return 200, f"<DeleteResult>{deleted}</DeleteResult>".encode(), {}
            case "DELETE":
                self.objects.pop(key, None)
                return 204, b"", {}
            case "GET" if "list-type" in asked:
                return 200, self._listed(asked.get("prefix", "")), {}
            case _:
                return self._got(key, headers.get("range"))

    def _got(self, key: str, asked: str | None) -> tuple[int, bytes, dict[str, str]]:
        if key not in self.objects:
            return 404, b"<Error><Code>NoSuchKey</Code></Error>", {}
        content = self.objects[key]
        told = {"etag": _etag(content), "last-modified": formatdate(usegmt=True)}
        if asked is None:
            return 200, content, told
        first, _, last = asked.removeprefix("bytes=").partition("-")
        start, end = int(first), min(int(last) + 1 if last else len(content), len(content))
        return 206, content[start:end], {**told, "content-range": f"bytes {start}-{end - 1}/{len(content)}"}

    def _listed(self, prefix: str) -> bytes:
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2020-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>{_etag(content)}</ETag><Size>{len(content)}</Size></Contents>"
            for key, content in sorted(self.objects.items())
            if key.startswith(prefix)
        )
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>".encode()


def _etag(content: bytes) -> str:
    return f'"{md5(content).hexdigest()}"'


@asynccontextmanager
async def s3() -> AsyncGenerator[tuple[S3, dict[str, str]], None]:
    """Serve it; gives it and the variables under which a deployment finds it."""
    bucket = S3()
    listener = sockets.socket(sockets.AF_INET, sockets.SOCK_STREAM, sockets.IPPROTO_TCP)  # see deployment.py
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(bucket, log_config=None, lifespan="off", access_log=False))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield (
            bucket,
            {
                "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_REGION": "us-east-1",
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{listener.getsockname()[1]}",
                "AWS_ALLOW_HTTP": "true",
            },
        )
    finally:
        server.should_exit = True
        await task
