"""What a person sets about their account after registration: address, answers, and that settings were looked over."""

from typing import Annotated

import strawberry

from bedside_core.notify.kinds import Language
from bedside_graphql.context import Info
from bedside_graphql.gate import gate, public
from bedside_graphql.part import GraphQLPart
from bedside_graphql.platform.accounts import Password
from bedside_graphql.platform.registration import (
    Secret,
    SecurityAnswerInput,
    SecurityQuestion,
    given_answers,
    question_type,
)
from bedside_graphql.platform.session import SIGN_IN_WEIGHT
from bedside_graphql.platform.terms import InLanguage
from bedside_graphql.weight import once, weighed


@strawberry.type(description="A new address that was confirmed.")
class EmailConfirmed:
    """What confirming gives."""

    email: str = strawberry.field(description="The user name to sign in with from now on.")


@strawberry.type
class ReviewQuery:
    """The query of one's own security questions."""

    @strawberry.field(
        description="The security questions that one has answered; none where the account was made without.",
        extensions=[gate("account.own")],
    )
    async def answered_questions(
        self, info: Info, language: InLanguage = Language.ENGLISH
    ) -> list[SecurityQuestion] | None:
        """Return the questions."""
        keys = await info.context.platform.accounts.review.questions_of(info.context.signed_in())
        return [question_type(key, language) for key in keys]


@strawberry.type
class ReviewMutation:
    """Mutations of one's own account."""

    @strawberry.mutation(
        description="Answer other security questions; those answered before count no more.",
        extensions=[gate("account.own"), weighed(SIGN_IN_WEIGHT), once],
    )
    async def answer_questions(
        self,
        info: Info,
        password: Password,
        answers: Annotated[list[SecurityAnswerInput], strawberry.argument(description="As at registration.")],
    ) -> bool | None:
        """Answer questions."""
        actor = info.context.signed_in()
        await info.context.count_sign_in(actor.account_id)
        await info.context.platform.accounts.review.answer(actor, password, given_answers(answers))
        return True

    @strawberry.mutation(
        description="Change the address one signs in with: a link is sent to the new one, and until it is used nothing "
        "changes.",
        extensions=[gate("account.own"), weighed(SIGN_IN_WEIGHT), once],
    )
    async def change_email(
        self,
        info: Info,
        password: Password,
        email: Annotated[str, strawberry.argument(description="The new address.")],
    ) -> bool | None:
        """Ask for another address."""
        actor = info.context.signed_in()
        await info.context.count_sign_in(actor.account_id)
        await info.context.platform.accounts.addresses.ask(actor, password, email)
        return True

    @strawberry.mutation(
        description="Confirm a new address by the link that was sent there; the old one is told.",
        extensions=[public, weighed(10)],
    )
    async def confirm_email(self, info: Info, secret: Secret) -> EmailConfirmed | None:
        """Confirm an address."""
        await info.context.count_sign_in()
        return EmailConfirmed(email=await info.context.platform.accounts.addresses.confirm(secret))

    @strawberry.mutation(
        description="Say that one has looked one's settings over (`viewer.settingsReviewed`).",
        extensions=[gate("profile.own")],
    )
    async def mark_settings_reviewed(self, info: Info) -> bool | None:
        """Note the review."""
        await info.context.platform.accounts.review.done(info.context.signed_in())
        return True


PART = GraphQLPart(query=ReviewQuery, mutation=ReviewMutation)
