"""What an operator sets about plans for a deployment: which tier has which feature, and how high the limits are (L7).

`BEDSIDE_PLANS_FEATURES` is a JSON object, feature -> tier. `BEDSIDE_PLANS_CATALOGUE` names a TOML or JSON file with
`features` (the same) and `limits` (tier -> limit -> amount or "unlimited"). Where both name a feature,
the variable counts.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from bedside_core.api import Tier

LARGEST_AMOUNT = 2**31 - 1
"""The largest amount of a limit: what GraphQL's Int and PostgreSQL's integer hold."""

Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,60}$")]
Amount = Annotated[int, Field(strict=True, ge=0, le=LARGEST_AMOUNT)] | Literal["unlimited"]


class BadPlans(ValueError):
    """The configuration of plans can't be used; the message tells the operator where and why."""


class Mapped(BaseModel):
    """The operator's catalogue: what differs from the one that comes with the product."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    features: dict[Key, Tier] = Field(default={}, description="Feature -> the lowest tier that includes it.")
    limits: dict[Tier, dict[Key, Amount]] = Field(default={}, description="Tier -> limit -> amount.")


class _Variables(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="BEDSIDE_PLANS_", frozen=True)

    features: dict[Key, Tier] = {}
    catalogue: Path | None = None


def configured() -> Mapped:
    """Return what the environment says.

    Raises:
        BadPlans: a variable or the file can't be read or says something impossible.
    """
    try:
        variables = _Variables()
    except ValidationError as error:
        raise BadPlans(_told("BEDSIDE_PLANS_", error)) from error
    except SettingsError as error:
        raise BadPlans("BEDSIDE_PLANS_FEATURES is not a JSON object") from error
    if variables.catalogue is None:
        return Mapped(features=variables.features)
    path = variables.catalogue
    try:
        mapped = Mapped.model_validate(_read(path))
    except ValidationError as error:
        raise BadPlans(_told(f"{path}: ", error)) from error
    return Mapped(features={**mapped.features, **variables.features}, limits=mapped.limits)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadPlans(f"BEDSIDE_PLANS_CATALOGUE: {path} can't be read: {type(error).__name__}") from error
    try:
        return tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except ValueError as error:
        raise BadPlans(
            f"BEDSIDE_PLANS_CATALOGUE: {path} is not {path.suffix[1:].upper() or 'JSON'}: {error}"
        ) from error


def _told(source: str, error: ValidationError) -> str:
    """Return the faults in a line; pydantic's own text runs over many and points to a web page."""
    faults: list[str] = []
    for fault in error.errors():
        place = [str(part) for part in fault["loc"]]
        name = place[0].upper() if source.endswith("_") and place else place[0] if place else ""
        faults.append(f"{source}{name}: {'.'.join(place[1:])}{': ' if place[1:] else ''}{fault['msg']}")
    return "; ".join(faults)
