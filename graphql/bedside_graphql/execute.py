"""Takes a request from limits through execution to an answer; the seam behind which execution may become faster."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from graphql import ExecutionResult, GraphQLError, GraphQLSchema, OperationType

from bedside_core import audit, errors
from bedside_core.access import operation as one_operation
from bedside_core.auth import Actor
from bedside_core.database import acting
from bedside_core.errors import Problem
from bedside_core.watching import Figures, span
from bedside_core.watching.tracing import Span
from bedside_graphql import problems
from bedside_graphql.config import GraphQLConfig
from bedside_graphql.documents import Documents, Operation
from bedside_graphql.engine import CoreEngine, Engine, Results, Variables
from bedside_graphql.errors import contained, format_error, internal, problem_of, told
from bedside_graphql.persisted import PersistedDocuments
from bedside_graphql.ratelimit import Budget, RateLimits
from bedside_graphql.request import GraphQLRequest, RequestContext, Seen, budget_key

log = structlog.get_logger("bedside.graphql")

REFUSED_COST = 10
"""What a refused document costs at least; and one more for each hundred characters that had to be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """An operation that was let through, with what it will cost.

    Args:
        operation: what to run.
        variables: with which values.
        cost: what was taken from the budget.
    """

    operation: Operation
    variables: Variables
    cost: int

    @property
    def live(self) -> bool:
        """Whether it is a subscription."""
        return self.operation.kind is OperationType.SUBSCRIPTION


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A GraphQL response.

    Args:
        body: `data`, `errors`, `extensions`.
        encoded: the same as JSON.
        refused: the problem for which nothing was executed; `data` is absent then.
        budget: what the caller has left, where anything was counted.
    """

    body: dict[str, Any]
    encoded: bytes
    refused: Problem | None = None
    budget: Budget | None = None

    @property
    def status(self) -> int:
        """The HTTP status with application/graphql-response+json."""
        return 200 if self.refused is None else self.refused.status

    @property
    def legacy_status(self) -> int:
        """The HTTP status with application/json: 200 for every well-formed request that could be looked at."""
        return 200 if isinstance(self.refused, problems.OF_THE_DOCUMENT) else self.status


class Executor:
    """Runs requests against one schema, for all transports.

    Args:
        schema: built by Strawberry.
        config: limits and policies.
        persisted: the allow-list of documents.
        limits: the budgets; by default of this process.
        engine: what executes; by default graphql-core.
        figures: where operations are counted; by default nowhere that is told.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        config: GraphQLConfig,
        persisted: PersistedDocuments | None = None,
        *,
        limits: RateLimits | None = None,
        engine: Engine | None = None,
        figures: Figures | None = None,
    ) -> None:
        self.config = config
        self.documents = Documents(schema, config)
        self.limits = limits or RateLimits(config)
        self._persisted = PersistedDocuments() if persisted is None else persisted
        self._figures = figures or Figures()
        self._engine = engine or CoreEngine(schema, config)

    async def prepare(self, request: GraphQLRequest, actor: Actor | None, client_address: str) -> Ready:
        """Let a request through: allow-list, bounds, cost, budget.

        Args:
            request: what is asked for.
            actor: who asks; None is somebody who is not signed in.
            client_address: from where, which counts where nobody is signed in.

        Raises:
            errors.Problem: it is refused.
            graphql.GraphQLError: it is refused, with places in the document; the problem is the original error.
        """
        policy, key = budget_key(actor, client_address)
        reading = REFUSED_COST + len(request.query or "") // 100
        try:
            with acting_for(actor):
                text = await self._persisted.text_of(request, actor)
            if not self.documents.knows(text):
                await self.limits.check(policy, key, reading)  # what is left must cover a refusal, or reading is free
            document = self.documents.prepare(text, introspection=self._may_introspect(actor))
            operation = document.operation(request.operation_name)
            cost = operation.cost.of(request.variables)
            if cost > self.config.max_cost:
                raise problems.TooCostly(
                    "The operation could answer too much.",
                    way_on="Ask for smaller pages or fewer fields.",
                    detail={"cost": cost, "limit": self.config.max_cost},
                )
        except (Problem, GraphQLError):
            await self.limits.spend(policy, key, reading)
            raise
        await self.limits.spend(policy, key, cost)
        return Ready(operation=operation, variables=request.variables, cost=cost)

    def _may_introspect(self, actor: Actor | None) -> bool:
        policy = self.config.introspection
        return policy == "everyone" or (policy == "signed_in" and actor is not None and actor.pending is None)

    async def execute(self, request: GraphQLRequest, context: RequestContext, seen: Seen | None = None) -> Answer:
        """Run a query or mutation that came as one request; never raises.

        Args:
            request: what came.
            context: who asks, and from where.
            seen: told of who asks once the request is let through, unless that is nobody.
        """
        try:
            ready = await self.prepare(request, context.actor, context.client_address)
            if ready.live:
                raise problems.SubscriptionNeedsSocket("Subscriptions run over a WebSocket.")
            if seen is not None and context.actor is not None:
                await seen(context.actor)
        except Exception as error:
            return await self.refusal(error, context)
        return await self.run(ready, context)

    async def run(self, ready: Ready, context: RequestContext) -> Answer:
        """Run a query or mutation that was let through; never raises."""
        operation, began = ready.operation, time.monotonic()
        deadline = asyncio.timeout(self.config.deadline_seconds)
        try:
            async with deadline:
                with acting_for(context.actor), one_operation(), contained, _traced(operation):
                    async with _audited(operation, context):
                        result = await self._engine.execute(operation, ready.variables, context)
            budget = await self.limits.left(*budget_key(context.actor, context.client_address))
            cost = {"requested": ready.cost, "limit": self.config.max_cost, "remaining": budget.remaining}
            body = self._body(result, context, operation) | {"extensions": {"cost": cost}}
            self._count(operation, body, time.monotonic() - began)
            return Answer(body=body, encoded=msgspec.json.encode(body), budget=budget)
        except TimeoutError as error:
            return await self.refusal(self._late(operation, context) if deadline.expired() else error, context)
        except Exception as error:
            return await self.refusal(error, context, operation)

    async def subscribe(self, ready: Ready, context: RequestContext) -> AsyncGenerator[bytes, None]:
        """Begin a subscription that was let through.

        Returns:
            The responses to its events, encoded. Close it. Where it ends by an error it raises as this does.

        Raises:
            errors.Problem: it did not begin.
            graphql.GraphQLError: the same, with places in the document.
        """
        deadline = asyncio.timeout(self.config.deadline_seconds)
        try:
            async with deadline:
                with acting_for(context.actor), one_operation(), _traced(ready.operation):
                    results = await self._engine.subscribe(ready.operation, ready.variables, context)
        except TimeoutError:
            if deadline.expired():
                raise self._late(ready.operation, context) from None
            raise
        self._figures.operation(ready.operation.kind.value, "ok")
        return self._events(results, ready.operation, context)

    async def _events(
        self, results: Results, operation: Operation, context: RequestContext
    ) -> AsyncGenerator[bytes, None]:
        # The scope is left at every yield: a generator that kept it would leave it in force for its consumer.
        try:
            while True:
                with acting_for(context.actor), contained:
                    try:
                        async with _audited(operation, context):
                            result = await anext(results)
                    except StopAsyncIteration:
                        return
                self._figures.event()
                yield msgspec.json.encode(self._body(result, context, operation))
        finally:
            with acting_for(context.actor), contained:
                await results.aclose()

    def _body(self, result: ExecutionResult, context: RequestContext, operation: Operation) -> dict[str, Any]:
        if not result.errors:
            return {"data": result.data}
        told_errors = [format_error(error, context.request_id, operation) for error in result.errors]
        return {"errors": told_errors, "data": result.data}

    async def refusal(self, error: Exception, context: RequestContext, operation: Operation | None = None) -> Answer:
        """Return the answer to a request of which nothing was executed."""
        located = error if isinstance(error, GraphQLError) else as_graphql(error)
        body = {"errors": [format_error(located, context.request_id, operation)]}
        kind = "" if operation is None else operation.kind.value
        self._figures.operation(kind, "refused", _code_of(body))
        return Answer(
            body=body,
            encoded=msgspec.json.encode(body),
            refused=problem_of(located) or internal(),
            budget=await self.limits.left(*budget_key(context.actor, context.client_address)),
        )

    def _count(self, operation: Operation, body: dict[str, Any], seconds: float) -> None:
        outcome = "errors" if "errors" in body else "ok"
        self._figures.operation(operation.kind.value, outcome, _code_of(body), seconds)

    def _late(self, operation: Operation, context: RequestContext) -> Problem:
        log.warning("an operation ran too long", request_id=context.request_id, document=operation.digest)
        return errors.DeadlineExceeded(f"The operation took longer than {self.config.deadline_seconds:g} seconds.")


def as_graphql(error: Exception) -> GraphQLError:
    """Return any exception as a GraphQL error, to be formatted; its message goes no further unless it is coded."""
    return told(error) if isinstance(error, Problem) else GraphQLError("", original_error=error)


def _code_of(body: dict[str, Any]) -> str:
    """Return the published code of the first error; one that has none is the document's own fault."""
    return next((error.get("extensions", {}).get("code", "") for error in body.get("errors", ())), "")


def _traced(operation: Operation) -> AbstractContextManager[Span]:
    """Return the span of an operation: its kind and the schema's fields, never its text, name or variables."""
    kind = operation.kind.value
    return span(
        f"GraphQL {kind}",
        {
            "graphql.operation.type": kind,
            "bedside.fields": tuple(sorted(operation.root)),
            "bedside.document": operation.digest,
        },
    )


def _audited(operation: Operation, context: RequestContext) -> AbstractAsyncContextManager[audit.Operation]:
    """Return what enters whose data an answer or event holds before it leaves (A14); its fields are named."""
    return audit.operation(
        context.actor,
        via=audit.Via.GRAPHQL,
        request_id=context.request_id,
        detail={"fields": tuple(sorted(operation.root))},
    )


def acting_for(actor: Actor | None) -> AbstractContextManager[None]:
    """Return the scope in which row-level security shows an actor's rows; nobody's for nobody."""
    return acting(None) if actor is None else acting(actor.practice_id, actor.person_id)
