"""Sets a conversation that was written as JSON as a PDF; a program of its own: `paper.py conversation.json out.pdf`.

The fonts have Latin, Greek, Cyrillic, Hebrew, Thai and Georgian letters, unjoined Arabic ones, and some symbols. What
they lack is named in brackets, an emoji by its name, a Chinese character by its number, so that nothing is lost unseen.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pymupdf_fonts as _fonts  # pyright: ignore[reportMissingTypeStubs]
from fpdf import FPDF

FONTS = (("text", "", "notos"), ("text", "B", "notosbo"), ("symbols", "", "symbol2"), ("letters", "", "figo"))
"""Family, style, and what the package calls it: Noto Sans, Noto Sans Symbols 2 and FiraGO (SIL Open Font License)."""
UNSEEN = {0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, *range(0xFE00, 0xFE10), *range(0x1F3FB, 0x1F400)}
"""What joins and varies symbols, and has no picture of its own."""
WIDTH = 180.0
"""Millimetres of a line."""
_PACKAGE: Any = _fonts
"""The fonts' package, which ships no types."""
KINDS = {
    "direct": "Direct conversation",
    "external": "Conversation with an external contact",
    "patient": "Conversation with a patient",
    "group": "Group",
    "team": "Team conversation",
}


class Paper(FPDF):
    """A PDF of pages with numbers, whose lines are broken here: the library's way takes minutes for a thousand."""

    def __init__(self, folder: Path) -> None:
        super().__init__(format="A4")
        self.set_margin(15)
        self.set_auto_page_break(True, 18)
        self.lacking = False
        """Whether something was named in brackets."""
        for family, style, name in FONTS:
            file = folder / f"{name}.ttf"
            file.write_bytes(_PACKAGE.myfont(name))
            self.add_font(family, style, file)
        self.set_fallback_fonts(["symbols", "letters"], exact_match=False)
        self._known = [set(self.fonts[key].cmap) for key in ("text", "symbols", "letters")]  # type: ignore[attr-defined]
        self._widths: dict[tuple[str, str], float] = {}

    def footer(self) -> None:
        """Number the page."""
        self.set_y(-14)
        self.set_font("text", "", 8)
        self.set_text_color(110)
        self.cell(0, 6, f"{self.page_no()}", align="C")
        self.set_text_color(0)

    def say(self, text: str, size: float = 10, *, bold: bool = False, grey: bool = False, indent: float = 0) -> None:
        """Write a text on lines of its own."""
        self.set_font("text", "B" if bold else "", size)
        self.set_text_color(110 if grey else 0)
        for line in self._lines(self._shown(text), WIDTH - indent):
            self.set_x(15 + indent)
            self.cell(WIDTH - indent, size * 0.5, line, new_x="LMARGIN", new_y="NEXT")
        self.set_text_color(0)

    def _shown(self, text: str) -> str:
        """Return a text with what no font has named in brackets."""
        shown: list[str] = []
        for each in unicodedata.normalize("NFC", text):
            place = ord(each)
            if each not in "\n\t" and unicodedata.category(each) == "Cc":
                continue
            if each in "\n\t" or any(place in known for known in self._known):
                shown.append("    " if each == "\t" else each)
            elif place not in UNSEEN:
                self.lacking = True
                name = unicodedata.name(each, "").lower() if unicodedata.category(each) == "So" else ""
                shown.append(f"[{name or f'U+{place:04X}'}]")
        return "".join(shown)

    def _lines(self, text: str, width: float) -> Iterator[str]:
        """Break a text into lines, between words where one fits."""
        for paragraph in text.split("\n"):
            line, filled = "", 0.0
            for word in paragraph.split(" "):
                wide = self._width(word)
                if line and filled + wide > width:
                    yield line
                    line, filled = "", 0.0
                while wide > width:  # longer than a line
                    fits = self._fitting(word, width)
                    yield word[:fits]
                    word = word[fits:]
                    wide = self._width(word)
                line += word + " "
                filled += wide + self._width(" ")
            yield line.rstrip()

    def _fitting(self, word: str, width: float) -> int:
        filled = 0.0
        for number, each in enumerate(word):
            filled += self._width(each)
            if filled > width:
                return max(number, 1)
        return len(word)

    def _width(self, text: str) -> float:
        style = f"{self.font_style}{self.font_size_pt}"
        total = 0.0
        for each in text:
            if (style, each) not in self._widths:
                self._widths[style, each] = self.get_string_width(each)
            total += self._widths[style, each]
        return total


def write(document: Mapping[str, Any], path: Path) -> None:
    """Set a conversation.

    Args:
        document: as `transcript` writes it.
        path: where the PDF comes, beside which fonts are laid for the time.
    """
    paper = Paper(path.parent)
    paper.set_title("Conversation")
    paper.set_creator("Bedside")
    paper.add_page()
    conversation = document["conversation"]
    paper.say(conversation["name"] or KINDS.get(conversation["kind"], "Conversation"), 16, bold=True)
    if conversation["description"]:
        paper.say(conversation["description"])
    by = document["exportedBy"]["name"]
    paper.say(f"{document['practice']} · started {_at(conversation['startedAt'])}", 9, grey=True)
    paper.say(f"Exported {_at(document['exportedAt'])}{f' by {by}' if by else ''}", 9, grey=True)
    paper.say(f"Times are those of the zone {document['zone']}.", 9, grey=True)
    paper.ln(3)
    paper.say("Participants", 12, bold=True)
    for each in document["participants"]:
        label = f" · {each['label']}" if each["label"] else ""
        left = f", left {_at(each['leftAt'])}" if each["leftAt"] else ""
        read = "" if each["readUpTo"] is None else f"; read up to no. {each['readUpTo']}"
        paper.say(f"{each['name']}{label}: joined {_at(each['joinedAt'])}{left}{read}")
    paper.ln(3)
    paper.say("Messages", 12, bold=True)
    numbers = {each["id"]: each["number"] for each in document["messages"]}
    for each in document["messages"]:
        _message(paper, each, numbers)
    if not document["messages"]:
        paper.say("There are none.")
    if paper.lacking:
        paper.ln(3)
        paper.say(
            "Characters that the fonts of this document lack are named in brackets; the JSON export has them as they "
            "were written.",
            8,
            grey=True,
        )
    paper.output(str(path))


def _message(paper: Paper, message: Mapping[str, Any], numbers: Mapping[str, int]) -> None:
    sender = "Automatic reply" if message["automatic"] else message["sender"]["name"] or "Somebody"
    urgent = " · urgent" if message["urgent"] else ""
    reply = f" · in reply to no. {numbers.get(message['replyTo'], '?')}" if message["replyTo"] else ""
    paper.ln(2)
    paper.say(f"{message['number']} · {sender} · {_at(message['sentAt'])}{urgent}{reply}", 8, bold=True)
    if message["deletedAt"]:
        name = message["deletedBy"]["name"] if message["deletedBy"] else None
        paper.say(f"Deleted {_at(message['deletedAt'])}{f' by {name}' if name else ''}.", grey=True, indent=4)
        return
    if message["body"]:
        paper.say(message["body"], indent=4)
    for file in message["attachments"]:
        paper.say(f"File: {file['name']} ({file['mediaType']}, {file['size']:,} bytes)", 9, indent=4)
    for mark in message["reactions"]:
        paper.say(f"{mark['emoji']} {', '.join(each['name'] or 'somebody' for each in mark['by'])}", 9, indent=4)
    for mark in message["acknowledgements"]:
        told = f"acknowledged {_at(mark['at'])}" if mark["at"] else "not acknowledged"
        paper.say(f"{mark['by']['name'] or 'Somebody'}: {told}", 9, indent=4)


def _at(instant: str) -> str:
    return datetime.fromisoformat(instant).strftime("%Y-%m-%d %H:%M:%S")


if __name__ == "__main__":
    write(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2]))
