"""What people write, as HTML: a subset of Markdown in which nothing can act.

CommonMark with strikethrough, without HTML, images and references; line breaks are kept. What comes out is
sanitised once more by a second library, so that a fault in one of the two lets nothing through.
"""

from __future__ import annotations

import html
import re

import nh3
from markdown_it import MarkdownIt

TAGS = frozenset(
    {"a", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s"}
    | {"strong", "ul"}
)
"""All that a message is made of."""
SCHEMES = frozenset({"http", "https", "mailto", "tel"})
"""Where links may lead to."""
REL = "noopener noreferrer nofollow"
"""Of each link: the page that it leads to learns nothing of the conversation, and reaches nothing of it."""

_MOST_MARKS = 300
_MOST_LINES = 300
"""A text with more characters that could begin something, or more lines, is shown as it was written: what nobody writes
by hand would cost the parser time that grows with their square."""
_MARK = re.compile(r"[\[\]*_~`<&\\]")

# Nested quotes and lists cost time with their depth, too; nobody writes deeper than this.
_PARSER = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": 12}).enable("strikethrough")
_PARSER.disable(["image", "html_block", "html_inline", "reference"])
_PARSER.validateLink = lambda url: url.partition(":")[0].strip().lower() in SCHEMES  # pyright: ignore[reportAttributeAccessIssue]


def html_of(body: str) -> str:
    """Return a message's text as HTML that is safe to show.

    Args:
        body: as it was written.
    """
    if not body:
        return ""
    plain = len(_MARK.findall(body)) > _MOST_MARKS or body.count("\n") > _MOST_LINES
    return nh3.clean(
        f"<p>{html.escape(body).replace(chr(10), '<br>')}</p>" if plain else _PARSER.render(body),
        tags=set(TAGS),
        attributes={"*": set(), "a": {"href"}, "ol": {"start"}},
        url_schemes=set(SCHEMES),
        link_rel=REL,
    )
