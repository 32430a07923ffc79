"""Connecting practices, and ending it, as their owners do (P2)."""

from __future__ import annotations

from deployment import Deployment, Person

from bedside_core.people import Practice

REQUEST = "mutation($p: String!, $c: String!) { requestConnection(practice: $p, clientId: $c) { id } }"
ACCEPT = "mutation($i: ID!) { acceptConnection(id: $i) { id } }"
END = "mutation($i: ID!) { endConnection(id: $i) { id } }"
ALL = "{ connections { nodes { id } } }"


async def connect(
    deployment: Deployment, one: Person, other: Person, other_practice: Practice, key: str = "connect"
) -> None:
    """Connect the practices of two owners."""
    asked = await deployment.data(REQUEST, one.token, p=str(other_practice.id), c=key)
    await deployment.data(ACCEPT, other.token, i=asked["requestConnection"]["id"])


async def part(deployment: Deployment, one: Person) -> None:
    """End the only connection of an owner's practice."""
    [link] = (await deployment.data(ALL, one.token))["connections"]["nodes"]
    await deployment.data(END, one.token, i=link["id"])
