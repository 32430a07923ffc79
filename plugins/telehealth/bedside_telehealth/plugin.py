"""Telehealth: table of contents."""

from __future__ import annotations

from bedside_core.api import Feature, Manifest, hookimpl


@hookimpl
def manifest() -> Manifest:
    """Say who telehealth is."""
    return Manifest(
        name="telehealth",
        title="Telehealth",
        api=">=1.0,<2",
        requires=("graphql",),
        features=(
            Feature(
                key="telehealth",
                title="Video visits",
                doc="Start video calls and sessions, and have patients join them.",
            ),
            Feature(
                key="group_sessions", title="Group sessions", doc="Hold sessions of more than two people, with roles."
            ),
        ),
    )
