"""`limits`: how long a hostile document keeps `/graphql` busy until it is refused; promise G1 allows 100 ms.

Sends each document of tests/graphql_documents.py to a real server in this process, several times and never one that is
remembered, beside a harmless one.
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from statistics import median

import structlog

from .machine import described
from .results import table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from graphql_documents import HOSTILE
from graphql_stage import Stage, codes, stage

ALLOWED_MS = 100.0


async def run(runs: int) -> str:
    """Measure, and return the section for RESULTS.md."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    about = described()
    rows: list[list[object]] = []
    async with stage(address_budget=10**9) as here:
        await _times(here, "{ hello }", 50)
        for name, code, document in (("harmless", "answered", "{ hello }"), *HOSTILE):
            times = await _times(here, document, max(3, runs), expected=code)
            rows.append([name, code, median(times), max(times)])
    worst = max(float(str(row[2])) for row in rows)
    return "\n\n".join(
        [
            "\n".join(f"- {line}" for line in [*about, f"{max(3, runs)} round trips of each"]),
            table(["document", "answer", "median ms", "worst ms"], rows),
            f"Worst median {worst:.1f} ms; promise G1 allows {ALLOWED_MS:.0f} ms.",
        ]
    )


async def _times(here: Stage, document: str, times: int, expected: str = "answered") -> list[float]:
    """Return the round trips in milliseconds.

    Raises:
        RuntimeError: the answer is not the expected one, so that the figure would mean nothing.
    """
    found: list[float] = []
    for number in range(times):
        text = f"{document}\n#{number}" if len(document) < 60_000 else document
        began = time.perf_counter()
        answer = await here.post(text)
        found.append((time.perf_counter() - began) * 1000)
        told = ",".join(codes(answer.json())) or "answered"
        if told != expected:
            raise RuntimeError(f"{told} instead of {expected}: {document[:60]}")
    return found
