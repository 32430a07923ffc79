"""Runs prepared operations with graphql-core; a faster engine can stand in its place.

Strawberry's resolvers are ordinary graphql-core resolvers; they only need Strawberry's executor class, which gives them
plain variables. Whatever a resolver raises stays in its field, SystemExit too (promise P1).
"""

# graphql-core leaves the context's type open in most signatures.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false

from __future__ import annotations

import asyncio
import inspect
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Protocol, cast

import msgspec
import structlog
from graphql import ExecutionResult, GraphQLError, GraphQLFieldResolver, GraphQLSchema, MiddlewareManager, execute
from graphql import Executor as CoreExecutor
from graphql.execution import create_source_event_stream, execute_subscription_event, map_source_to_response_event
from graphql.execution.incremental import IncrementalExecutor
from strawberry.exceptions import StrawberryInputCoercionError
from strawberry.schema.schema_converter import GraphQLCoreConverter

from bedside_core import errors
from bedside_core.access import operation as one_operation
from bedside_core.guard import place_of
from bedside_graphql.config import GraphQLConfig
from bedside_graphql.documents import Operation
from bedside_graphql.errors import contained, shortened, told
from bedside_graphql.inputs import NOT_NULL, Path, fault_in_variables, null_in_arguments, null_in_variables
from bedside_graphql.persisted import digest_of
from bedside_graphql.request import RequestContext

log = structlog.get_logger("bedside.graphql")

Variables = dict[str, Any]
Results = AsyncGenerator[ExecutionResult, None]


class Engine(Protocol):
    """What executes a prepared operation. Gates and errors have to come out the same, whoever does it."""

    async def execute(self, operation: Operation, variables: Variables, context: RequestContext) -> ExecutionResult:
        """Return the result of a query or mutation.

        Raises:
            graphql.GraphQLError: the variables don't fit; nothing was executed.
        """
        ...

    async def subscribe(self, operation: Operation, variables: Variables, context: RequestContext) -> Results:
        """Return the results of a subscription's events.

        Raises:
            graphql.GraphQLError: it did not begin.
        """
        ...


class CoreEngine:
    """graphql-core's execution of a Strawberry schema.

    Args:
        schema: the schema.
        config: for the deadline of an event, and whether errors may suggest the schema's names.
    """

    def __init__(self, schema: GraphQLSchema, config: GraphQLConfig) -> None:
        self._schema = schema
        self._hide_suggestions = config.introspection != "everyone"
        self._event_seconds = config.deadline_seconds
        strawberry = schema.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
        self._class: type[CoreExecutor[Any]] = getattr(strawberry, "execution_context_class", IncrementalExecutor)
        self._middleware = _Contained()
        self._introspection = Introspection(schema)

    async def execute(self, operation: Operation, variables: Variables, context: RequestContext) -> ExecutionResult:
        """Return the result of a query or mutation; see `Engine`."""
        if operation.introspection_only:
            return await self._introspection.result(operation, variables)
        result = cast(Any, self._built(operation, variables, context).execute_operation())
        return cast(ExecutionResult, await result if inspect.isawaitable(result) else result)

    async def subscribe(self, operation: Operation, variables: Variables, context: RequestContext) -> Results:
        """Return the results of a subscription's events; see `Engine`."""
        executor = self._built(operation, variables, context)
        with contained:
            source = create_source_event_stream(executor)
            if inspect.isawaitable(source):
                source = await source
        if isinstance(source, ExecutionResult):
            raise (source.errors or [GraphQLError("It did not begin.")])[0]
        return map_source_to_response_event(executor, source, self._event)

    def _built(self, operation: Operation, variables: Variables, context: RequestContext) -> CoreExecutor[Any]:
        built = self._class.build(
            self._schema,
            operation.document,
            context_value=context,
            raw_variable_values=variables,
            operation_name=operation.name,
            max_coercion_errors=1,
            middleware=self._middleware,
            hide_suggestions=self._hide_suggestions,
        )
        if isinstance(built, list):
            # graphql-core's own way of finding the place would go on after the first fault.
            field = fault_in_variables(self._schema, operation.node, variables)
            way_on = "Compare the value with the schema."
            raise told(errors.InvalidInput(shortened(built[0].message), way_on=way_on, field=field), built[0])
        if field := null_in_variables(self._schema, operation.node, variables):
            raise _null(field)
        return built

    async def _event(self, executor: CoreExecutor[Any]) -> ExecutionResult:
        deadline = asyncio.timeout(self._event_seconds)
        try:
            async with deadline:
                with one_operation():  # each event is one of its own: what a practice may do is looked up anew
                    result = execute_subscription_event(executor)
                    return await result if inspect.isawaitable(result) else result
        except TimeoutError:
            if not deadline.expired():
                raise
            return ExecutionResult(None, [told(errors.DeadlineExceeded("An event took too long to answer."))])


class _Contained(MiddlewareManager):
    """Wraps resolvers that run a plugin's code; those that only read an attribute are left as they are."""

    def __init__(self) -> None:
        super().__init__(_contained)

    def get_field_resolver(self, field_resolver: GraphQLFieldResolver) -> GraphQLFieldResolver:
        if getattr(field_resolver, "_is_default", False):
            return field_resolver
        return super().get_field_resolver(field_resolver)


def _contained(resolve: Callable[..., Any], source: Any, info: Any, **arguments: Any) -> Any:
    try:
        with contained:
            result = resolve(source, info, **arguments)
    except StrawberryInputCoercionError as error:
        raise _null_of(info, arguments) from error
    return _contained_wait(result, info, arguments) if inspect.iscoroutine(result) else result


async def _contained_wait(result: Awaitable[Any], info: Any, arguments: dict[str, Any]) -> Any:
    try:
        with contained:
            value = await result
    except StrawberryInputCoercionError as error:
        raise _null_of(info, arguments) from error
    except asyncio.CancelledError as error:
        _cut_off(info, place_of(error))
        raise
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        _cut_off(info, "it went on all the same")
    return value


def _null_of(info: Any, arguments: dict[str, Any]) -> GraphQLError:
    """Return the refusal of a null that came by a variable inside of a literal, which only Strawberry sees."""
    return _null(null_in_arguments(info.parent_type.fields[info.field_name].args, arguments) or ())


def _null(field: Path) -> GraphQLError:
    return told(errors.InvalidInput(NOT_NULL, way_on="Leave it out.", field=field))


def _cut_off(info: Any, where: str) -> None:
    """Name a field that was not done when the operation ran out of time, or its client left."""
    field = f"{info.parent_type.name}.{info.field_name}"
    log.warning("a field was cut off", request_id=info.context.request_id, field=field, where=where)


class Introspection:
    """Answers operations that ask for the schema alone: in a thread, one at a time, and each once.

    The usual query of development tools keeps a core busy for half a second, and its answer never changes.
    """

    REMEMBERED = 16

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._known: OrderedDict[tuple[str, str | None, str], ExecutionResult] = OrderedDict()
        self._turn = asyncio.Lock()

    async def result(self, operation: Operation, variables: Variables) -> ExecutionResult:
        """Return what the schema says.

        Raises:
            graphql.GraphQLError: the variables don't fit.
        """
        canonical = msgspec.json.encode(variables, order="deterministic").decode()
        key = operation.digest, operation.name, digest_of(canonical)
        async with self._turn:
            result = self._known.get(key) or await asyncio.to_thread(self._run, operation, variables)
        if result.data is None and result.errors:
            raise told(errors.InvalidInput(shortened(result.errors[0].message)), result.errors[0])
        self._known[key] = result
        self._known.move_to_end(key)
        if len(self._known) > self.REMEMBERED:
            self._known.popitem(last=False)
        return result

    def _run(self, operation: Operation, variables: Variables) -> ExecutionResult:
        result = execute(self._schema, operation.document, variable_values=variables, operation_name=operation.name)
        return cast(ExecutionResult, result)
