"""The page on which an invitation is followed: served under the strict policy, nothing inline, no secret on the way."""

from __future__ import annotations

import re

import pytest
from plugins.portal.desk import Desk

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


@pytest.mark.rule("A7")
@pytest.mark.promise("G3")
async def test_the_page_and_its_files_are_served_under_the_strict_policy(desk: Desk) -> None:
    http = desk.deployment.http
    page = await http.get("/portal/register")
    assert (page.status_code, page.headers["content-security-policy"]) == (200, POLICY)
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\son[a-z]+=|https?://", page.text)
    found = re.findall(r'(?:src|href)="(/portal/[^"]+\.(js|css|svg))"', page.text)
    assert len(found) == 3
    for name, kind in found:
        file = await http.get(name)
        assert (file.status_code, file.headers["content-type"].partition(";")[0]) == (
            200,
            {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}[kind],
        )
        assert "innerHTML" not in file.text and 'fetch("http' not in file.text


@pytest.mark.rule("A7")
async def test_looking_at_the_page_by_get_and_head_changes_nothing(desk: Desk) -> None:
    _, secret = await desk.invited()
    before = await desk.account()
    for _ in range(3):
        for method in ("GET", "HEAD", "OPTIONS"):
            await desk.deployment.http.request(method, f"/portal/register?{secret}")
    assert await desk.account() == before
