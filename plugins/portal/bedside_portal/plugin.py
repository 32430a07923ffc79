"""Portal: table of contents."""

from __future__ import annotations

from bedside_core.api import Feature, Manifest, hookimpl


@hookimpl
def manifest() -> Manifest:
    """Say who portal is."""
    return Manifest(
        name="portal",
        title="Patient portal",
        api=">=1.0,<2",
        requires=("graphql",),
        features=(Feature(key="portal", title="Patient portal", doc="Invite patients to accounts of their own."),),
    )
