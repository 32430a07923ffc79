"""Imports of patients in bulk as GraphQL shows them (P5)."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import UNSET

from bedside_core import errors, imports
from bedside_core.imports.service import Imports
from bedside_core.paging import USUAL_PAGE
from bedside_graphql.context import Info
from bedside_graphql.gate import gate
from bedside_graphql.part import GraphQLPart
from bedside_graphql.types import After, ClientId, Connection, First, client_id_of, connection, uuid_of

IMPORT = gate("patients.import")

ImportId = Annotated[strawberry.ID, strawberry.argument(description="The import's id.")]


@strawberry.input(description="Which column of the file is what, where its header does not say so by itself.")
class ImportColumn:
    """A column."""

    column: str = strawberry.field(description="The column's header as it stands in the file's first line.")
    field: imports.Field = strawberry.field(description="What it is.")


@strawberry.input(description="A table of patients to import: CSV with a header, delimited by comma, semicolon or tab.")
class ImportPatientsInput:
    """What is imported, and how."""

    upload_id: strawberry.ID = strawberry.field(description="A finished upload of one's own.")
    dry_run: bool = strawberry.field(description="Look at every row and import nothing; the upload stays.")
    skip_refused: bool = strawberry.field(
        description="Import the other rows where some are refused. By default nothing is imported then.", default=False
    )
    dates: imports.Dates = strawberry.field(
        description="How dates are written; YYYY-MM-DD is understood with each.", default=imports.Dates.ISO
    )
    encoding: imports.Encoding | None = strawberry.field(
        description="In what the file is written; if not given, UTF-8 where it can be that, else Windows-1252.",
        default=None,
    )
    mapping: list[ImportColumn] | None = strawberry.field(
        description="Which column is what. Columns that are not named here are known by their headers, in English or "
        "Spanish, in any order.",
        default=UNSET,
    )


@strawberry.type(description="Why nothing was imported.")
class ImportProblem:
    """A problem of a whole file."""

    code: imports.ProblemCode = strawberry.field(description="Why.")
    message: str = strawberry.field(description="Why, for a person.")
    way_on: str | None = strawberry.field(description="What can be done about it.")


@strawberry.type(description="One thing that is wrong with a row. It names nothing that stands in the row.")
class ImportFault:
    """A fault."""

    column: str | None = strawberry.field(description="Name of the field in `PatientInput`; null is the row itself.")
    code: imports.FaultCode = strawberry.field(description="Why.")
    message: str = strawberry.field(description="Why, for a person.")


@strawberry.type(description="A row that was refused.")
class RefusedRow:
    """A refused row."""

    line: int = strawberry.field(description="Number of the file's line that it begins in; the header is line 1.")
    faults: list[ImportFault] = strawberry.field(description="All that is wrong with it.")


@strawberry.type(description="An import of patients, as far as it is.")
class PatientImport:
    """An import."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    state: imports.State = strawberry.field(description="How far it is.")
    progress: float = strawberry.field(description="Share of the rows that were looked at, from 0 to 1, its end.")
    dry_run: bool = strawberry.field(description="Whether nothing is imported whatever is found.")
    skip_refused: bool = strawberry.field(description="Whether refused rows keep the others from being imported.")
    rows: int | None = strawberry.field(description="Rows of the file without its header, once they are counted.")
    refused: int = strawberry.field(description="Rows that were refused so far; see `importRefusals`.")
    imported: int = strawberry.field(description="Patients that were created; in a dry run those that would be.")
    encoding: imports.Encoding | None = strawberry.field(description="In what the file was read.")
    delimiter: str | None = strawberry.field(description="What stands between its cells.")
    ignored_columns: list[str] = strawberry.field(description="Headers of columns that were not read.")
    problem: ImportProblem | None = strawberry.field(description="Why nothing was imported.")
    report_url: str | None = strawberry.field(
        description="Where the report is downloaded as CSV, with a line for each refused row; a month long."
    )
    created_at: datetime = strawberry.field(description="When it was asked for.")
    ended_at: datetime | None = strawberry.field(description="When it ended.")


def _import(found: imports.PatientImport) -> PatientImport:
    problem = found.problem
    return PatientImport(
        id=strawberry.ID(str(found.id)),
        state=found.state,
        progress=found.progress,
        dry_run=found.options.dry_run,
        skip_refused=found.options.skip_refused,
        rows=found.rows,
        refused=found.refused,
        imported=found.imported,
        encoding=found.encoding,
        delimiter=found.delimiter,
        ignored_columns=list(found.ignored),
        problem=ImportProblem(code=problem.code, message=problem.message, way_on=problem.way_on) if problem else None,
        report_url=f"/files/{found.report_id}" if found.report_id else None,
        created_at=found.created_at,
        ended_at=found.ended_at,
    )


def _refused(row: imports.RefusedRow) -> RefusedRow:
    return RefusedRow(
        line=row.line,
        faults=[ImportFault(column=_camel(each.column), code=each.code, message=each.message) for each in row.faults],
    )


def _camel(name: str | None) -> str | None:
    if name is None:
        return None
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def _mapping(columns: list[ImportColumn] | None) -> dict[str, str]:
    said = {each.column: each.field.value for each in columns or ()}
    if len(said) < len(columns or ()) or len(set(said.values())) < len(said):
        raise errors.InvalidInput("The mapping names a column or a field twice.", field=("input", "mapping"))
    return said


@strawberry.type
class ImportsQuery:
    """Queries of imports."""

    @strawberry.field(description="An import of patients.", extensions=[IMPORT])
    async def patient_import(self, info: Info, id: ImportId) -> PatientImport | None:
        """Return an import."""
        return _import(await Imports(info.context.platform).of(info.context.signed_in(), uuid_of(id)))

    @strawberry.field(
        description="The practice's imports of patients, the newest first; each is kept for a month after its end.",
        extensions=[IMPORT],
    )
    async def patient_imports(
        self, info: Info, first: First = USUAL_PAGE, after: After = None
    ) -> Connection[PatientImport] | None:
        """Return a page of imports."""
        page = await Imports(info.context.platform).page(info.context.signed_in(), first=first, after=after)
        return connection(page, _import)

    @strawberry.field(description="The rows that an import refused, in the order of the file.", extensions=[IMPORT])
    async def import_refusals(
        self, info: Info, id: ImportId, first: First = USUAL_PAGE, after: After = None
    ) -> Connection[RefusedRow] | None:
        """Return a page of refused rows."""
        actor = info.context.signed_in()
        page = await Imports(info.context.platform).refusals(actor, uuid_of(id), first=first, after=after)
        return connection(page, _refused)


@strawberry.type
class ImportsMutation:
    """Mutations of imports."""

    @strawberry.mutation(
        description="Have patients imported in the background; follow it by `patientImport`. All that are created are "
        "created at once, with the checks of `createPatient`.",
        extensions=[IMPORT],
    )
    async def import_patients(
        self,
        info: Info,
        input: Annotated[ImportPatientsInput, strawberry.argument(description="The table, and how it is read.")],
        client_id: ClientId,
    ) -> PatientImport | None:
        """Begin an import."""
        options = imports.Options(
            dry_run=input.dry_run,
            skip_refused=input.skip_refused,
            dates=input.dates,
            encoding=input.encoding,
            mapping=_mapping(input.mapping or None),
        )
        actor, client = info.context.signed_in(), client_id_of(client_id)
        return _import(await Imports(info.context.platform).begin(actor, uuid_of(input.upload_id), options, client))


@strawberry.type
class ImportsSubscription:
    """The subscription to an import."""

    @strawberry.subscription(
        description="An import live: as it is now, each step, and its end, which completes the subscription.",
        extensions=[IMPORT],
    )
    async def patient_import(self, info: Info, id: ImportId) -> AsyncGenerator[PatientImport, None]:
        """Follow an import."""
        stream = Imports(info.context.platform).followed(info.context.signed_in(), uuid_of(id))
        async with aclosing(stream) as steps:
            async for found in steps:
                yield _import(found)


PART = GraphQLPart(query=ImportsQuery, mutation=ImportsMutation, subscription=ImportsSubscription)
