"""The coded problems of the GraphQL endpoint itself, before any field is resolved (G3, G4)."""

from __future__ import annotations

from bedside_core import errors
from bedside_core.errors import Problem


class BadRequest(Problem):
    """The request is no well-formed GraphQL-over-HTTP request."""

    code = "BAD_REQUEST"
    meaning = "The request is not well-formed JSON, or a member is missing or of the wrong type; `field` names it."
    status = 400


class BatchingNotSupported(Problem):
    """Several requests came in one."""

    code = "BATCHING_NOT_SUPPORTED"
    meaning = "A request holds one operation. Select several fields in it, or send several requests."
    status = 400


class MethodNotAllowed(Problem):
    """Another HTTP method than POST."""

    code = "METHOD_NOT_ALLOWED"
    meaning = "Operations are sent by POST; `Allow` names what is accepted."
    status = 405


class NotAcceptable(Problem):
    """No media type of the answer suits the client."""

    code = "NOT_ACCEPTABLE"
    meaning = "`Accept` allows neither application/graphql-response+json nor application/json."
    status = 406


class RequestTimeout(Problem):
    """The body did not arrive in time."""

    code = "REQUEST_TIMEOUT"
    meaning = "The body of the request did not arrive in time; nothing was done."
    retryable = True
    status = 408


class UnsupportedMediaType(Problem):
    """The body is something else than JSON in UTF-8."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    meaning = "The body must be application/json in UTF-8. Forms and plain text are never read, which keeps out CSRF."
    status = 415


class DocumentTooLarge(Problem):
    """The document or the whole request is too long."""

    code = "DOCUMENT_TOO_LARGE"
    meaning = "The document, or the whole request, is longer than the deployment reads; `limit` tells the bytes."
    status = 413


class VariablesTooLarge(Problem):
    """The variables are too long, or too many."""

    code = "VARIABLES_TOO_LARGE"
    meaning = (
        "The variables have more bytes or values than the deployment reads; `limit` tells how many, `unit` of which. "
        "Files go by upload (G5)."
    )
    status = 413


class ParseFailed(Problem):
    """The document is not GraphQL."""

    code = "GRAPHQL_PARSE_FAILED"
    meaning = "The document can't be parsed; `locations` tells where."
    status = 400


class ValidationFailed(Problem):
    """The document does not fit the schema."""

    code = "GRAPHQL_VALIDATION_FAILED"
    meaning = "The document does not fit the schema; `locations` tells where. Only the first fault is told."
    status = 400


class OperationUnknown(Problem):
    """Which operation to run can't be told."""

    code = "OPERATION_UNKNOWN"
    meaning = "The document has no operation of that name, or several and `operationName` chooses none."
    status = 400


class SubscriptionNeedsSocket(Problem):
    """A subscription came by HTTP."""

    code = "SUBSCRIPTION_NEEDS_SOCKET"
    meaning = "Subscriptions run over a WebSocket with the subprotocol graphql-transport-ws, at the same address."
    status = 400


class TooManyTokens(Problem):
    """The document has too many tokens."""

    code = "TOO_MANY_TOKENS"
    meaning = "The document has more tokens than the deployment parses; `limit` tells how many."
    status = 400


class TooManyDefinitions(Problem):
    """The document has too many operations and fragments."""

    code = "TOO_MANY_DEFINITIONS"
    meaning = "The document has more operations and fragments than the deployment checks; `limit` tells how many."
    status = 400


class TooDeep(Problem):
    """Fields are nested too deeply."""

    code = "TOO_DEEP"
    meaning = "Fields or fragments are nested more deeply than the deployment allows; `limit` tells how deep."
    status = 400


class TooManyAliases(Problem):
    """The operation has too many aliases."""

    code = "TOO_MANY_ALIASES"
    meaning = "The operation has more aliases than the deployment allows, fragments expanded; `limit` tells how many."
    status = 400


class TooManyFields(Problem):
    """The operation selects too many fields."""

    code = "TOO_MANY_FIELDS"
    meaning = "The operation selects more fields than the deployment allows, fragments expanded; see `limit`."
    status = 400


class TooCostly(Problem):
    """The operation could answer too much."""

    code = "TOO_COSTLY"
    meaning = (
        "The operation costs more than the deployment allows (`cost`, `limit`), or repeats a field marked `@once`."
    )
    status = 400


class TooManyOperations(Problem):
    """Too many operations are open on the socket."""

    code = "TOO_MANY_OPERATIONS"
    meaning = "Too many operations are open on this socket; complete some first. `limit` tells how many."
    status = 429


class PersistedDocumentRequired(Problem):
    """Only documents of the allow-list are accepted."""

    code = "PERSISTED_DOCUMENT_REQUIRED"
    meaning = "This deployment or practice accepts documents of its allow-list only, by `documentId`."
    status = 403


class PersistedDocumentUnknown(Problem):
    """No document has this id."""

    code = "PERSISTED_DOCUMENT_UNKNOWN"
    meaning = "The allow-list has no document with this `documentId` (`sha256:` and 64 lower-case hex digits)."
    status = 404


class IntrospectionOff(Problem):
    """The schema is not told."""

    code = "INTROSPECTION_OFF"
    meaning = "This deployment does not tell its schema through the API, or to signed-in people only."
    status = 403


OF_THE_DOCUMENT: tuple[type[Problem], ...] = (
    ParseFailed,
    ValidationFailed,
    OperationUnknown,
    SubscriptionNeedsSocket,
    TooManyTokens,
    TooManyDefinitions,
    TooDeep,
    TooManyAliases,
    TooManyFields,
    TooCostly,
    PersistedDocumentRequired,
    PersistedDocumentUnknown,
    IntrospectionOff,
    errors.InvalidInput,
)
"""Problems of well-formed requests; older clients, who accept application/json only, get them with status 200."""
