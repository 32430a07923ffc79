"""What an operator sets for a deployment, by environment variables named BEDSIDE_*."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

FIRST_PARTY = ("graphql", "plans", "chat", "telehealth", "portal", "scheduling")


class Config(BaseSettings):
    """One deployment's configuration; each field is the variable `BEDSIDE_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="BEDSIDE_", extra="ignore", frozen=True)

    database_url: str | None = Field(
        default=None,
        description="PostgreSQL (15 or newer) as the application role. Without it a private server runs in `data`.",
    )
    database_owner_url: str | None = Field(
        default=None, description="The same database as the role that owns the tables; only `bedside migrate` uses it."
    )
    data: Path = Field(
        default=Path(".bedside"), description="Folder for the private PostgreSQL server and local files."
    )
    audit_anchor: Path | None = Field(
        default=None,
        description="Folder of the audit trail's anchor, on a disk that the database can't write; else `data`/audit.",
    )
    files_url: str | None = Field(
        default=None,
        description="Where files are kept, e.g. s3://bucket/folder. Without it the folder `files` in `data`.",
    )
    clamd_url: str | None = Field(
        default=None,
        pattern=r"^(tcp://[^/?#@]+|unix:///.+)$",
        description="ClamAV's daemon, tcp://host:3310 or unix:///path. With it no file is kept before it was scanned.",
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    public_url: str | None = Field(
        default=None,
        description="How browsers reach this deployment, e.g. https://clinic.example; else the Host header counts.",
    )
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Further browser origins that may call the API, comma separated (G1)."
    )
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        default=(IPv4Network("127.0.0.1/32"), IPv6Network("::1/128")),
        description="Addresses of proxies, as CIDR, comma separated: what they say of who asks is believed.",
    )
    forwarded_header: Literal["x-forwarded", "forwarded"] = Field(
        default="x-forwarded",
        description="Which headers those proxies write: `x-forwarded` (-For, -Proto, -Host) or `forwarded` (RFC 7239).",
    )
    plugins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=FIRST_PARTY, description="The plugins that are enabled, comma separated; installed is not enabled."
    )
    entitlements: str = Field(
        default="plans",
        description="The plugin that decides about plans. If it is enabled and fails, all features are refused (L8).",
    )
    strict: bool = Field(default=False, description="Refuse to start when any enabled plugin fails (tests and CI).")
    demo: bool = Field(
        default=False, description="Set by `bedside demo`: a movable clock, /demo routes, loopback only."
    )
    testing: bool = Field(default=False, description="Set by the test suite: a movable clock.")
    worker: bool = Field(default=True, description="Run background jobs inside the server process.")
    pool_size: int = Field(default=10, ge=2, description="Most PostgreSQL connections of one process's pool.")
    hook_seconds: float = Field(
        default=5.0, gt=0, description="Longest time a plugin's hook may take at start, in seconds."
    )
    listener_seconds: float = Field(
        default=10.0, gt=0, description="Longest time an event listener may take, in seconds."
    )
    job_seconds: float = Field(default=300.0, gt=0, description="Longest time one run of a job may take, in seconds.")
    job_heartbeat_seconds: float = Field(
        default=30.0,
        gt=0,
        description="After how long a silence of its worker a job is taken over by another, in seconds.",
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="Who sends it as bearer token reads /metrics; without it there is no /metrics.",
    )
    traces_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#@]+(/.*)?$",
        description="Where traces are sent, by OTLP over HTTP, e.g. http://127.0.0.1:4318/v1/traces.",
    )
    traces_share: float = Field(default=1.0, ge=0, le=1, description="Which part of the traces is kept, from 0 to 1.")
    drain_seconds: float = Field(
        default=8.0, ge=0, description="How long running jobs may go on when the process is told to stop, in seconds."
    )
    blocked_seconds: float = Field(
        default=1.0,
        gt=0,
        description="How long code may block the event loop before it is named and interrupted, in seconds.",
    )
    secret_key: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="Seals secrets in the database; 32 characters or more. Without it a key is made in `data`.",
    )
    session_hours: float = Field(default=12.0, gt=0, description="How long a sign-in lasts, in hours.")
    application_days: float = Field(
        default=30.0, gt=0, description="How long a sign-in in an application lasts without consenting anew, in days."
    )
    support_contact: str = Field(
        default="", description="The operator's contact shown to people who can't sign in (A2)."
    )

    smtp_url: SecretStr | None = Field(
        default=None,
        description="Where mail is handed in, smtp://user:password@host:587 (with STARTTLS) or smtps://…; "
        "without it no mail is sent.",
    )
    mail_sender: str = Field(
        default="", description="The address that mail comes from, e.g. Bedside <no-reply@clinic.example>."
    )
    twilio_account: str = Field(default="", description="SID of the Twilio account for SMS and calls.")
    twilio_token: SecretStr | None = Field(default=None, description="Its secret, with which webhooks are signed too.")
    twilio_sender: str = Field(
        default="", description="The number that sends and calls (E.164), or a messaging service (MG…), for SMS alone."
    )
    twilio_url: str | None = Field(default=None, description="Where Twilio's API is, if not at its own address.")
    push_key: SecretStr | None = Field(
        default=None, description="Private VAPID key for web push (RFC 8292), 32 bytes in base64url."
    )
    push_contact: str = Field(default="", description="How push services reach the operator, a mailto: or https: URL.")
    webhook_networks: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Inner networks that webhooks may reach all the same, e.g. 10.1.2.0/24, comma separated; there "
        "they may do without TLS.",
    )
    notify_seconds: float = Field(
        default=15.0,
        gt=0,
        description="Longest time one mail may take, in seconds; a lost worker's is sent again after thrice that.",
    )

    @field_validator("plugins", "allowed_origins", "trusted_proxies", "webhook_networks", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("webhook_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ip_network(network)
        return value

    @property
    def anchor(self) -> Path:
        """Where heads and counts of the audit trail are written."""
        return self.audit_anchor or self.data / "audit"

    @property
    def clock_moves(self) -> bool:
        """Whether the clock's offset is read from the database (demo and tests only)."""
        return self.demo or self.testing


def told(error: ValidationError, prefix: str = "BEDSIDE_") -> str:
    """Return what is wrong with the variables, each by its name, without their values and without pydantic's address.

    Args:
        error: what making a configuration raised.
        prefix: what the names of its variables begin with.
    """
    return "; ".join(
        f"{prefix}{'.'.join(map(str, fault['loc'])).upper()}: {_words(fault['msg'])}"
        if fault["loc"]
        else _words(fault["msg"])  # of several variables, which it names itself
        for fault in error.errors(include_url=False, include_input=False)
    )


def _words(message: str) -> str:
    return message.removeprefix("Value error, ")
