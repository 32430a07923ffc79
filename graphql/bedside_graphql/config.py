"""What an operator sets for the GraphQL endpoint, by environment variables named BEDSIDE_GRAPHQL_*."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bedside_core.config import told
from bedside_core.plugins import PluginError

PREFIX = "BEDSIDE_GRAPHQL_"

ENVELOPE_BYTES = 16_384
"""What a request may hold beside document and variables: operation name, extensions, JSON's escapes."""


class GraphQLConfig(BaseSettings):
    """Limits and policies of `/graphql`; each field is the variable `BEDSIDE_GRAPHQL_<NAME>`.

    Raises:
        pydantic.ValidationError: a value out of range, or two that can't stand together.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    max_document_bytes: int = Field(default=32_768, ge=1_024, description="Longest document, in bytes of UTF-8.")
    max_variables_bytes: int = Field(default=262_144, ge=1_024, description="Longest variables, in bytes of JSON.")
    max_values: int = Field(default=2_000, ge=100, description="Most values in the variables, nested ones included.")
    max_tokens: int = Field(default=2_000, ge=100, description="Most tokens of a document, comments included.")
    max_definitions: int = Field(default=100, ge=1, description="Most operations and fragments of a document.")
    max_depth: int = Field(default=12, ge=3, description="Most fields within fields; introspection is measured apart.")
    max_aliases: int = Field(default=30, ge=0, description="Most aliases of an operation, fragments expanded.")
    max_fields: int = Field(default=1_000, ge=10, description="Most fields of an operation, fragments expanded.")
    max_cost: int = Field(default=10_000, ge=100, description="Most fields an operation may answer, by its page sizes.")
    list_size: int = Field(default=10, ge=1, description="How many items a list without `first` counts as.")
    cache_bytes: int = Field(default=67_108_864, ge=0, description="Memory for prepared documents, roughly, in bytes.")

    operations_per_socket: int = Field(default=50, ge=1, description="Most operations open on one socket.")
    sockets_per_session: int = Field(default=20, ge=1, description="Most sockets of one sign-in.")
    sockets_per_address: int = Field(
        default=100,
        ge=1,
        description="Most sockets of one address without a sign-in; again as many that have not begun.",
    )

    deadline_seconds: float = Field(default=10.0, gt=0, description="Longest time of an operation, or of one event.")
    init_seconds: float = Field(default=10.0, gt=0, description="Longest wait for a socket's `connection_init`.")
    ping_seconds: float = Field(default=25.0, gt=0, description="Time between the server's pings on a socket.")
    pong_seconds: float = Field(default=10.0, gt=0, description="Longest silence of a client after a ping.")
    send_seconds: float = Field(default=10.0, gt=0, description="Longest time a client may block one message to it.")
    recheck_seconds: float = Field(default=60.0, gt=0, description="Time between looks at whether a session expired.")

    introspection: Literal["everyone", "signed_in", "nobody"] = Field(
        default="everyone", description="Who may read the schema through the API."
    )
    persisted_documents: Path | None = Field(
        default=None, description="JSON file of allowed documents, an object of SHA-256 in hex to document."
    )
    persisted_only: bool = Field(default=False, description="Accept nothing but documents of that file, for everyone.")

    session_budget: int = Field(default=120_000, ge=100, description="Cost that one sign-in may spend in a minute.")
    address_budget: int = Field(default=20_000, ge=100, description="The same of one address without a sign-in.")

    sign_ins_per_address: int = Field(
        default=60, ge=1, description="Sign-ins, and what asks for a password or a code, of one address in a minute."
    )
    sign_ins_per_account: int = Field(
        default=30,
        ge=1,
        description="The same of one user name, of each device known to it, and of its requests for a new password.",
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.persisted_only and self.persisted_documents is None:
            raise ValueError(f"{PREFIX}PERSISTED_ONLY needs {PREFIX}PERSISTED_DOCUMENTS, the file of what to accept")
        if min(self.session_budget, self.address_budget) < self.max_cost:
            raise ValueError(f"a budget smaller than {PREFIX}MAX_COST would refuse some operations for ever")
        return self

    @property
    def max_message_bytes(self) -> int:
        """The longest HTTP body or socket message; give it to the server as its own limit too (`ws_max_size`)."""
        return self.max_document_bytes + self.max_variables_bytes + ENVELOPE_BYTES


def configured() -> GraphQLConfig:
    """Return what the environment says.

    Raises:
        PluginError: it can't be used; the words are for the operator.
    """
    try:
        return GraphQLConfig()
    except ValidationError as error:
        raise PluginError("its configuration can't be used", told(error, PREFIX)) from error
