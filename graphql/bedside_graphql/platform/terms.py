"""The Terms of Use as GraphQL shows them: read by anybody, accepted by each, published by the operator."""

from datetime import datetime
from typing import Annotated

import strawberry

from bedside_core.accounts import terms
from bedside_core.notify.kinds import Language
from bedside_graphql.context import Info
from bedside_graphql.gate import gate, public
from bedside_graphql.part import GraphQLPart
from bedside_graphql.types import ClientId, client_id_of

InLanguage = Annotated[Language, strawberry.argument(description="Of the text.")]


@strawberry.type(description="A version of the Terms of Use.")
class Terms:
    """A version."""

    version: int = strawberry.field(description="Its number; the highest counts.")
    published_at: datetime = strawberry.field(description="When it was published.")
    found: strawberry.Private[terms.Terms]

    @strawberry.field(description="The text, plain; paragraphs are apart by an empty line.")
    def text(self, language: InLanguage = Language.ENGLISH) -> str:
        """Return the text in a language."""
        return self.found.text(language)


def terms_type(found: terms.Terms) -> Terms:
    """Return a version as GraphQL shows one."""
    return Terms(version=found.version, published_at=found.published_at, found=found)


@strawberry.type
class TermsQuery:
    """The query of the Terms of Use."""

    @strawberry.field(description="The Terms of Use, for anybody to read before accepting them.", extensions=[public])
    async def terms(
        self,
        info: Info,
        version: Annotated[int | None, strawberry.argument(description="Which; the newest if not given.")] = None,
    ) -> Terms | None:
        """Return a version."""
        return terms_type(await info.context.platform.accounts.terms.version(version))


@strawberry.type
class TermsMutation:
    """Mutations of the Terms of Use."""

    @strawberry.mutation(
        description="Accept the newest Terms of Use (`viewer.termsToAccept`); which, and when, is recorded.",
        extensions=[gate("account.own")],
    )
    async def accept_terms(
        self, info: Info, version: Annotated[int, strawberry.argument(description="The version that was read.")]
    ) -> bool | None:
        """Accept a version."""
        await info.context.platform.accounts.terms.accept(info.context.signed_in(), version)
        return True

    @strawberry.mutation(
        description="Publish a new version of the Terms of Use, which everybody is asked to accept at their next "
        "sign-in; for the operator.",
        extensions=[gate("terms.publish")],
    )
    async def publish_terms(
        self,
        info: Info,
        english: Annotated[str, strawberry.argument(description="The text, plain.")],
        spanish: Annotated[str, strawberry.argument(description="The same in Spanish.")],
        client_id: ClientId,
    ) -> Terms | None:
        """Publish a version."""
        made = await info.context.platform.accounts.terms.publish(
            info.context.signed_in(), english, spanish, client_id_of(client_id)
        )
        return terms_type(made)


PART = GraphQLPart(query=TermsQuery, mutation=TermsMutation)
