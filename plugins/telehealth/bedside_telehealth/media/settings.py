"""What an operator sets for the media of calls, by environment variables named BEDSIDE_MEDIA_*."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class MediaSettings(BaseSettings):
    """How the embedded engine is reached by browsers; each field is the variable `BEDSIDE_MEDIA_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="BEDSIDE_MEDIA_", extra="ignore", frozen=True)

    addresses: Annotated[tuple[IPv4Address | IPv6Address, ...], NoDecode] = Field(
        default=(),
        description="Addresses of this machine to receive media on, comma separated; without it all but loopback.",
    )
    public_address: IPv4Address | None = Field(
        default=None, description="What browsers are told in place of an IPv4 address, where a router translates 1:1."
    )
    first_port: int = Field(default=0, ge=0, le=65535, description="Lowest UDP port for media; 0 takes any free ones.")
    last_port: int = Field(default=0, ge=0, le=65535, description="Highest UDP port for media.")
    stun_url: str | None = Field(
        default=None,
        pattern=r"^stun:[^?#@/]+$",
        description="Asked for this server's own public address, e.g. stun:stun.clinic.example:3478.",
    )
    turn_url: str | None = Field(
        default=None,
        pattern=r"^turns?:[^#@/]+$",
        description="Relay that this server itself sends through, e.g. turns:turn.clinic.example:5349?transport=tcp.",
    )
    turn_name: str = Field(default="", description="User name at that relay.")
    turn_password: SecretStr | None = Field(default=None, description="Its password.")
    browser_turn_urls: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Relays browsers are told of, comma separated, e.g. turns:turn.clinic.example:443?transport=tcp.",
    )
    turn_secret: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="The relays' shared secret (coturn's static-auth-secret), for browsers' credentials of an hour.",
    )
    relay_only: bool = Field(default=False, description="Send and receive through that relay alone (T19).")
    silent_seconds: float = Field(
        default=8.0, gt=0, description="After how long a silence a browser counts as gone, in seconds."
    )
    connect_seconds: float = Field(
        default=15.0, gt=0, description="How long a connection may take to stand, in seconds."
    )

    @field_validator("addresses", "browser_turn_urls", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if (self.first_port == 0) != (self.last_port == 0) or self.last_port < self.first_port:
            raise ValueError("BEDSIDE_MEDIA_FIRST_PORT and BEDSIDE_MEDIA_LAST_PORT are a range: set both, or neither.")
        if self.relay_only and self.turn_url is None:
            raise ValueError("BEDSIDE_MEDIA_RELAY_ONLY needs a relay: set BEDSIDE_MEDIA_TURN_URL.")
        if bool(self.browser_turn_urls) != (self.turn_secret is not None):
            raise ValueError("BEDSIDE_MEDIA_BROWSER_TURN_URLS and BEDSIDE_MEDIA_TURN_SECRET go together.")
        if not all(re.fullmatch(r"turns?:[^#@/\s]+", url) for url in self.browser_turn_urls):
            raise ValueError("BEDSIDE_MEDIA_BROWSER_TURN_URLS are turn: or turns: URLs.")
        return self

    @property
    def on_loopback(self) -> bool:
        """Whether browsers on this very machine are served, by its loopback address."""
        return any(address.is_loopback for address in self.addresses)
