"""Counters of one process, for Prometheus. Labels come from the code: never an id, a text or a name of a person's."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, PlatformCollector, ProcessCollector

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_ROUTE = "none"
"""Stands for whatever is served at no route of ours, so that nobody can make up labels."""

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Figures:
    """Counts what a process does.

    Several platforms may live in one process (tests), so each has a registry of its own.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self._requests = Counter(
            "bedside_http_requests", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self._request_seconds = Histogram(
            "bedside_http_request_seconds", "Time to answer a request.", ("route",), buckets=_SECONDS, registry=registry
        )
        self._operations = Counter(
            "bedside_graphql_operations",
            "GraphQL operations; without an outcome of `ok` the code says why.",
            ("kind", "outcome", "code"),
            registry=registry,
        )
        self._operation_seconds = Histogram(
            "bedside_graphql_operation_seconds",
            "Time to execute a query or mutation.",
            ("kind",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._events = Counter(
            "bedside_graphql_events", "Events that subscriptions have rendered and sent.", registry=registry
        )
        self._jobs = Counter(
            "bedside_jobs_run", "Runs of jobs by how they ended.", ("job", "outcome"), registry=registry
        )
        self._letters = Counter(
            "bedside_notifications",
            "Attempts at notifications by channel and outcome.",
            ("channel", "outcome"),
            registry=registry,
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer.

        Args:
            method: anything but the usual ones counts as OTHER.
            route: the route's path with the names of its parameters; empty where none matched.
            status: HTTP's; 0 where the client went away.
            seconds: how long it took.
        """
        route = route or NO_ROUTE
        self._requests.labels(method if method in METHODS else "OTHER", route, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def operation(self, kind: str, outcome: str, code: str = "", seconds: float | None = None) -> None:
        """Count a GraphQL operation.

        Args:
            kind: query, mutation, subscription; empty where it could not be told.
            outcome: `ok`, `errors` (executed, with errors beside the data) or `refused`.
            code: a published code, of the refusal or the first error.
            seconds: how long it took, where it was executed.
        """
        self._operations.labels(kind, outcome, code).inc()
        if seconds is not None:
            self._operation_seconds.labels(kind).observe(seconds)

    def event(self) -> None:
        """Count an event of a subscription."""
        self._events.inc()

    def job(self, name: str, outcome: str) -> None:
        """Count a run of a declared job: `done`, `again` or `held`."""
        self._jobs.labels(name, outcome).inc()

    def letter(self, channel: str, outcome: str) -> None:
        """Count an attempt at a notification: `sent`, `temporary` or `permanent`."""
        self._letters.labels(channel, outcome).inc()
