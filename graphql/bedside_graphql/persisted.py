"""The allow-list of documents: GraphQL over HTTP's persisted documents, by their SHA-256."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import cast
from uuid import UUID

from bedside_core.auth import Actor
from bedside_graphql import problems
from bedside_graphql.request import GraphQLRequest

PREFIX = "sha256:"
"""Prefix of a SHA256 hex document identifier; 64 lower-case hex digits follow (GraphQL over HTTP, appendix A)."""

PracticeOnly = Callable[[UUID], Awaitable[bool]]
"""Tells whether a practice accepts nothing but persisted documents."""


class PersistedFileFault(ValueError):
    """The allow-list can't be used; the message says why, and names the first bad entry."""


def digest_of(text: str) -> str:
    """Return a document's SHA-256, in lower-case hex."""
    return hashlib.sha256(text.encode()).hexdigest()


class PersistedDocuments:
    """The documents that are allowed, and whether others are.

    Args:
        documents: SHA-256 in hex to document.
        only: accept no other document, for the whole deployment.
        practice_only: tells the same of one practice. It does not count while no document is listed, or nobody of the
            practice could do anything, not even undo it.
    """

    def __init__(
        self,
        documents: Mapping[str, str] | None = None,
        *,
        only: bool = False,
        practice_only: PracticeOnly | None = None,
    ) -> None:
        self._documents = dict(documents or {})
        self._only = only
        self._practice_only = practice_only

    @classmethod
    def load(
        cls, file: Path | None, *, only: bool = False, practice_only: PracticeOnly | None = None
    ) -> PersistedDocuments:
        """Read the allow-list.

        Args:
            file: a JSON object of SHA-256 in hex, with or without the prefix `sha256:`, to document.
            only: accept no other document, for the whole deployment.
            practice_only: tells the same of one practice.

        Raises:
            PersistedFileFault: it can't be read, or a hash is not its document's.
        """
        documents: dict[str, str] = {}
        try:
            listed: object = json.loads(file.read_text(encoding="utf-8")) if file else {}
        except (OSError, ValueError) as error:
            raise PersistedFileFault(f"{file} can't be read as JSON in UTF-8") from error
        if not isinstance(listed, dict):
            raise PersistedFileFault(f"{file} must hold a JSON object of SHA-256 in hex to document")
        for key, text in cast(dict[str, object], listed).items():
            digest = key.removeprefix(PREFIX)
            if not isinstance(text, str) or digest != digest_of(text):
                raise PersistedFileFault(f"{file}: {key!r} is not the SHA-256 of its document, in lower-case hex")
            documents[digest] = text
        return cls(documents, only=only, practice_only=practice_only)

    def texts(self) -> Collection[str]:
        """Return the documents that are allowed."""
        return self._documents.values()

    async def text_of(self, request: GraphQLRequest, actor: Actor | None) -> str:
        """Return the document to run, where it may be run.

        A listed document may also be sent as text: what counts is that it is listed.

        Raises:
            problems.PersistedDocumentUnknown: no document has this id.
            problems.PersistedDocumentRequired: the deployment, or the actor's practice, accepts listed ones only.
        """
        if request.document_id is not None:
            text = self._documents.get(request.document_id.removeprefix(PREFIX))
            if text is None or not request.document_id.startswith(PREFIX):
                raise problems.PersistedDocumentUnknown(
                    "There is no document with this id.", field=("documentId",), way_on="Have the operator add it."
                )
            return text
        text = request.query or ""
        if await self._listed_only(actor) and digest_of(text) not in self._documents:
            raise problems.PersistedDocumentRequired(
                "Only listed documents are accepted here.", way_on="Send the `documentId` of one.", field=("query",)
            )
        return text

    async def _listed_only(self, actor: Actor | None) -> bool:
        if self._only:
            return True
        if not self._documents or self._practice_only is None or actor is None or actor.practice_id is None:
            return False
        return await self._practice_only(actor.practice_id)
