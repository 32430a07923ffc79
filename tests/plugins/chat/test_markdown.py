"""What people write, shown as HTML: a few marks, and nothing that acts whatever is written."""

from __future__ import annotations

import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plugins.chat.ward import Ward

from bedside_chat.markdown import REL, SCHEMES, TAGS, html_of

ALLOWED = {"a": {"href", "rel"}, "ol": {"start"}}


class Reader(HTMLParser):
    """Reads HTML as a browser would, and objects to what could act."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        given = dict(attrs)
        assert set(given) <= ALLOWED.get(tag, set()), attrs
        if tag == "a":
            assert given.get("rel") == REL
            if "href" in given:
                href = given["href"] or ""
                assert href.partition(":")[0].lower() in SCHEMES, href
                self.links.append(href)

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError("a declaration")

    def handle_pi(self, data: str) -> None:
        raise AssertionError("a processing instruction")


def read(body: str) -> Reader:
    reader = Reader()
    reader.feed(html_of(body))
    reader.close()
    return reader


@pytest.mark.parametrize(
    ("body", "html"),
    [
        ("", ""),
        ("**a** _b_ ~~c~~ `d`", "<p><strong>a</strong> <em>b</em> <s>c</s> <code>d</code></p>"),
        ("a\nb", "<p>a<br>\nb</p>"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
        ("3. a", '<ol start="3">\n<li>a</li>\n</ol>'),
        ("> a", "<blockquote>\n<p>a</p>\n</blockquote>"),
        ("# a", "<h1>a</h1>"),
        ("1 < 2 & 3", "<p>1 &lt; 2 &amp; 3</p>"),
        (
            '[a](https://b.example/?c=1&d=2 "t")',
            f'<p><a href="https://b.example/?c=1&amp;d=2" rel="{REL}">a</a></p>',
        ),
        ("<b>a</b>", "<p>&lt;b&gt;a&lt;/b&gt;</p>"),
    ],
)
def test_a_few_marks_are_shown(body: str, html: str) -> None:
    assert html_of(body).strip() == html


HOSTILE = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[a](javascript:alert(1))", "[a](JaVaScRiPt:alert(1))",
    "[a](data:text/html,<script>alert(1)</script>)", "[a](vbscript:x)", "[a](//evil.example)", "[a](/relative)",
    "<javascript:alert(1)>", "![a](https://evil.example/pixel.png)", "![a](javascript:alert(1))",
    "[a](&#106;avascript:alert(1))", "[a](java\nscript:alert(1))", "[a](https://a.example/\"onmouseover=\"alert(1))",
    "[a]: javascript:alert(1)\n\n[a]", "<!-- a -->", "<![CDATA[a]]>", "<?php a ?>", "<svg/onload=alert(1)>",
    "<iframe src=javascript:alert(1)>", "```\"><script>alert(1)</script>\na\n```", "<style>*{color:red}</style>",
    "<a href=https://x.example target=_self rel=opener>a</a>", "[<script>](https://a.example)", "\x00<script>",
    "</p></div><script>", "&lt;script&gt;alert(1)&lt;/script&gt;", "[a](\x01javascript:alert(1))",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>", "[a](tel:+12125550123)", "[a](MAILTO:a@b.c)",
)  # fmt: skip


@pytest.mark.parametrize("body", HOSTILE)
def test_what_is_meant_to_act_is_shown_as_text_or_not_at_all(body: str) -> None:
    read(body)


_piece = st.one_of(
    st.sampled_from(HOSTILE),
    st.sampled_from(
        ("[", "](", ")", "<", ">", "`", "```", "\n", "\n\n", "    ", "> ", "- ", "**", "_", "\\", "&", ";", "#")
    ),
    st.sampled_from(("javascript:", "data:", "https://", "onerror=", "script", "&#x", '"', "'", "//", "\t", "\u2028")),
    st.text(max_size=12),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(_piece, max_size=30).map("".join))
def test_nothing_acts_whatever_is_written(body: str) -> None:
    read(body)


@pytest.mark.promise("G1")
@pytest.mark.parametrize(
    "piece", ["[", "*_", "[a](", "_a", "~~a", "`", ">", "- a\n", "a\n", "<", "![", "&", "\\", " - a\n  "]
)
def test_a_long_text_costs_little_however_it_is_made(piece: str) -> None:
    body = (piece * 10_000)[:10_000]
    read(body)
    best = min(_seconds(body) for _ in range(3))
    assert best < 0.25, best  # in quiet it takes a hundredth at most


def _seconds(body: str) -> float:
    begin = time.perf_counter()
    html_of(body)
    return time.perf_counter() - begin


async def test_a_message_is_kept_as_it_was_written_and_shown_as_html(ward: Ward) -> None:
    body = "**Room 2** <script>alert(1)</script> [map](https://maps.example)"
    sent = await ward.send(body, "m-1")
    query = "query($i: ID!) { message(id: $i) { body html } }"
    shown = (await ward.deployment.data(query, ward.ben.token, i=sent["id"]))["message"]
    assert shown["body"] == body
    assert shown["html"].strip() == (
        "<p><strong>Room 2</strong> &lt;script&gt;alert(1)&lt;/script&gt; "
        f'<a href="https://maps.example" rel="{REL}">map</a></p>'
    )
    assert await ward.messages() == [body]
