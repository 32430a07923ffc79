"""Why an upload or a file is refused, as published codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bedside_core import errors


class FileTooLarge(errors.Problem):
    """Longer than the practice takes files of its kind."""

    code = "FILE_TOO_LARGE"
    meaning = "The file is longer than the practice takes files of its kind; `limit` tells the bytes."
    status = 413


class StorageFull(errors.Problem):
    """The practice's plan holds no more."""

    code = "STORAGE_FULL"
    meaning = "The practice's plan has no room for the file: `limit` and `used` tell the bytes (L6)."
    status = 403


class FileTypeNotAllowed(errors.Problem):
    """Its content is of no kind that the practice takes."""

    code = "FILE_TYPE_NOT_ALLOWED"
    meaning = "What the file is by its content is not taken by this practice; its name does not matter."
    status = 415


class FileUnsafe(errors.Problem):
    """It is made to do harm, or can't be told from what is."""

    code = "FILE_UNSAFE"
    meaning = "The file is damaged, unpacks to far too much, holds macros, or is two things at once; `reason` tells."
    status = 422


class FileInfected(errors.Problem):
    """The virus scanner has found something."""

    code = "FILE_INFECTED"
    meaning = "The deployment's virus scanner has found something in the file."
    status = 422


class HashMismatch(errors.Problem):
    """What arrived is not what was announced."""

    code = "FILE_HASH_MISMATCH"
    meaning = "What arrived has another SHA-256 than was announced. Send it again from its beginning."
    status = 422


class OffsetMismatch(errors.Problem):
    """A part was sent that does not follow on what is there."""

    code = "UPLOAD_OFFSET_MISMATCH"
    meaning = "The part does not begin where the upload stands; `offset` tells where that is."
    status = 409


class UploadInterrupted(errors.Problem):
    """The body of a PUT stopped before its end."""

    code = "UPLOAD_INTERRUPTED"
    meaning = "The body stopped coming. What came is kept: ask by HEAD how much, and go on from there."
    retryable = True
    status = 408


class FileLost(errors.Problem):
    """The store has no bytes for it."""

    code = "FILE_LOST"
    meaning = "The deployment's storage has lost the file's content; the operator can restore it from a backup."
    status = 500


def storage_full(detail: Mapping[str, Any] | None = None) -> StorageFull:
    """Return the problem of a file for which a practice's plan has no room.

    Args:
        detail: bytes that it holds and has, for those of the practice.
    """
    return StorageFull(
        "There is no room for this file in the practice's plan.",
        way_on="Delete what is not needed, or ask the owner of the practice for a larger plan.",
        detail=detail,
    )


def type_refused(media_type: str) -> FileTypeNotAllowed:
    """Return the problem of a file of a type that a practice does not take."""
    return FileTypeNotAllowed(
        "The practice does not take files of this type.",
        way_on="Ask an owner or manager of the practice, who decides on it.",
        detail={"found": media_type.partition(";")[0]},
    )


_REFUSALS: Mapping[str, type[errors.Problem]] = {
    kind.code: kind for kind in (FileTooLarge, FileTypeNotAllowed, FileUnsafe, FileInfected)
}
"""What an upload can be refused for once its content is known; told again whenever it is asked about."""


def is_refusal(problem: errors.Problem) -> bool:
    """Tell whether a problem is about the content itself, so that sending it again does not help."""
    return problem.code in _REFUSALS


def stored(problem: errors.Problem) -> dict[str, Any]:
    """Return a refusal as it is kept with the upload; none of it comes out of the file."""
    return {
        "code": problem.code,
        "message": problem.message,
        "way_on": problem.way_on,
        "detail": problem.detail,
    }


def restored(row: Mapping[str, Any]) -> errors.Problem:
    """Return the refusal that was kept with an upload."""
    return _REFUSALS[row["code"]](row["message"], way_on=row["way_on"], detail=row["detail"])
