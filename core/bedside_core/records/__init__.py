"""The records of a patient or a practice as a whole: handed out, merged, and what plugins keep of them."""

from __future__ import annotations

from bedside_core.records.declared import DataContribution, KeptTable
from bedside_core.records.model import ExportState

__all__ = ["DataContribution", "ExportState", "KeptTable"]
