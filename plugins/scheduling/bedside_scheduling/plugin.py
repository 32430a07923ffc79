"""Scheduling: table of contents."""

from __future__ import annotations

from bedside_core.api import Feature, Manifest, hookimpl


@hookimpl
def manifest() -> Manifest:
    """Say who scheduling is."""
    return Manifest(
        name="scheduling",
        title="Scheduling",
        api=">=1.0,<2",
        requires=("graphql",),
        features=(
            Feature(key="scheduling", title="Scheduling", doc="Keep appointments and availability."),
            Feature(
                key="self_scheduling", title="Self-scheduling", doc="Let patients book in the sections opened to them."
            ),
        ),
    )
