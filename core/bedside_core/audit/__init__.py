"""The audit trail: who saw and did what, append-only, chained by hashes and anchored outside the database (A14).

`did(…)` enters an act in its unit of work, `saw(…)` whose data an operation returns, `operation(…)` joins them.
"""

from __future__ import annotations

from bedside_core.audit.entries import DEPLOYMENT, Detail, Entry, Via
from bedside_core.audit.operation import READ, Operation, did, operation, saw, within

__all__ = [
    "DEPLOYMENT",
    "READ",
    "Detail",
    "Entry",
    "Operation",
    "Via",
    "did",
    "operation",
    "saw",
    "within",
]
