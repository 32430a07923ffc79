"""What the links in mails lead to: registration, and a new password; used by people who are not signed in."""

from datetime import datetime
from typing import Annotated

import strawberry

from bedside_core import auth
from bedside_core.accounts import questions
from bedside_core.accounts.model import Registering
from bedside_core.accounts.resets import Shown
from bedside_core.notify.kinds import Language
from bedside_graphql.context import Info
from bedside_graphql.gate import gate, public
from bedside_graphql.part import GraphQLPart
from bedside_graphql.platform.session import SIGN_IN_WEIGHT
from bedside_graphql.platform.terms import InLanguage
from bedside_graphql.ratelimit import RESET
from bedside_graphql.types import ClientId, client_id_of, uuid_of
from bedside_graphql.weight import once, weighed

Secret = Annotated[str, strawberry.argument(description="What stands behind `#` in the link.")]
NewPassword = Annotated[
    str, strawberry.argument(description="15 characters or more, 8 beside a second factor; none that are tried first.")
]


@strawberry.type(description="A security question.")
class SecurityQuestion:
    """A question."""

    key: str = strawberry.field(description="Stable name; give it with the answer.")
    text: str = strawberry.field(description="The question, in the language asked for.")


@strawberry.input(description="An answer to a security question.")
class SecurityAnswerInput:
    """An answer."""

    question: str = strawberry.field(description="Key of a question in `securityQuestions`.")
    answer: str = strawberry.field(description="The answer; case, accents, spaces and signs don't count.")


@strawberry.type(description="What the link of an invitation invites to.")
class Invited:
    """An invitation, as whoever has its link sees it."""

    practice: str = strawberry.field(description="The practice's name.")
    email: str = strawberry.field(description="The user name of a new account.")
    first_name: str = strawberry.field(description="First name of whom is invited.")
    last_name: str = strawberry.field(description="Last name.")
    role: auth.Role = strawberry.field(description="What they are to be.")
    inviter: str | None = strawberry.field(description="Who invites; null where the operator does.")
    anew: bool = strawberry.field(description="Whether it is for choosing a new password and new answers.")
    has_account: bool = strawberry.field(
        description="Whether the address has an account: sign in and `acceptInvitation`, else `register`."
    )
    expires_at: datetime = strawberry.field(description="Until when the link works.")


@strawberry.type(description="A registration that is done.")
class Registered:
    """What registering gives."""

    email: str = strawberry.field(description="The user name to sign in with.")


@strawberry.type(description="An invitation that was accepted with one's own account.")
class Joined:
    """What accepting gives."""

    persona: strawberry.ID = strawberry.field(description="The new persona; give it to `switchTo`.")


@strawberry.type(description="What a reset asks for besides the new password; one of them is enough.")
class PasswordReset:
    """What a reset asks for."""

    question: SecurityQuestion | None = strawberry.field(
        description="The question to answer; null where the account has answered none."
    )
    factor: bool = strawberry.field(description="Whether a code of the second factor can stand in for it.")
    passkey: bool = strawberry.field(description="Whether a passkey can: `beginPasskeySignIn` asks for it.")
    expires_at: datetime = strawberry.field(description="Until when the link works.")


@strawberry.input(description="A passkey's answer to a challenge.")
class PasskeyAnswerInput:
    """What an authenticator has signed."""

    challenge_id: strawberry.ID = strawberry.field(description="Of `beginPasskeySignIn`.")
    credential: str = strawberry.field(description="`credential.toJSON()` as JSON text.")


def given_answers(answers: list[SecurityAnswerInput]) -> tuple[tuple[str, str], ...]:
    """Return answers as core takes them."""
    return tuple((each.question, each.answer) for each in answers)


def question_type(key: str, language: Language) -> SecurityQuestion:
    """Return a question as GraphQL shows one."""
    return SecurityQuestion(key=key, text=questions.question(key, language))


@strawberry.type
class RegistrationQuery:
    """Queries of what links lead to; they change nothing, however often they are asked (A7)."""

    @strawberry.field(
        description=f"The security questions to choose {questions.ANSWERS} from at registration.", extensions=[public]
    )
    async def security_questions(self, info: Info, language: InLanguage = Language.ENGLISH) -> list[SecurityQuestion]:
        """Return the list."""
        return [question_type(key, language) for key in questions.QUESTIONS]

    @strawberry.field(
        description="Whom to ask who can't sign in or whose link has expired: the operator's support contact; null "
        "where none is set.",
        extensions=[public],
    )
    async def support_contact(self, info: Info) -> str | None:
        """Return the contact."""
        return info.context.platform.config.support_contact or None

    @strawberry.field(
        description="What the link of an invitation invites to; asking does not use it up.",
        extensions=[public, weighed(10)],
    )
    async def invitation(self, info: Info, secret: Secret) -> Invited | None:
        """Return what a link invites to.

        Raises:
            LinkOver: it leads nowhere any more.
        """
        await info.context.count_sign_in()
        found = await info.context.platform.accounts.registration.look(secret)
        return Invited(
            practice=found.practice,
            email=found.email,
            first_name=found.first_name,
            last_name=found.last_name,
            role=found.role,
            inviter=found.inviter,
            anew=found.anew,
            has_account=found.has_account,
            expires_at=found.expires_at,
        )

    @strawberry.field(
        description="What the link to a new password asks for; asking does not use it up.",
        extensions=[public, weighed(10)],
    )
    async def password_reset(
        self, info: Info, secret: Secret, language: InLanguage = Language.ENGLISH
    ) -> PasswordReset | None:
        """Return what a link asks for.

        Raises:
            LinkOver: it leads nowhere any more.
        """
        await info.context.count_sign_in()
        asks = await info.context.platform.accounts.resets.look(secret)
        return PasswordReset(
            question=question_type(asks.question, language) if asks.question else None,
            factor=asks.factor,
            passkey=asks.passkey,
            expires_at=asks.expires_at,
        )


@strawberry.type
class RegistrationMutation:
    """Mutations that use links up."""

    @strawberry.mutation(
        description="Register by the link of an invitation, which is used up: a new account, or for a member who was "
        "invited anew a new password and new answers, with all their sessions ended. Sign in next.",
        extensions=[public, weighed(SIGN_IN_WEIGHT), once],
    )
    async def register(
        self,
        info: Info,
        secret: Secret,
        password: NewPassword,
        answers: Annotated[
            list[SecurityAnswerInput], strawberry.argument(description=f"To {questions.ANSWERS} different questions.")
        ],
        terms_version: Annotated[int, strawberry.argument(description="The version of `terms` that is accepted.")],
        client_id: ClientId,
        first_name: Annotated[str | None, strawberry.argument(description="If other than invited as.")] = None,
        last_name: Annotated[str | None, strawberry.argument(description="If other than invited as.")] = None,
    ) -> Registered | None:
        """Register."""
        await info.context.count_sign_in()
        given = Registering(
            password=password,
            answers=given_answers(answers),
            terms=terms_version,
            first_name=first_name,
            last_name=last_name,
        )
        email = await info.context.platform.accounts.registration.register(secret, given, client_id_of(client_id))
        return Registered(email=email)

    @strawberry.mutation(
        description="Accept an invitation with the account one is signed in to; it can act for both practices then.",
        extensions=[gate("account.own")],
    )
    async def accept_invitation(self, info: Info, secret: Secret, client_id: ClientId) -> Joined | None:
        """Join a practice."""
        actor, registration = info.context.signed_in(), info.context.platform.accounts.registration
        member = await registration.accept(actor, secret, client_id_of(client_id))
        return Joined(persona=strawberry.ID(str(member)))

    @strawberry.mutation(
        description="Have a link to a new password sent, where the address has an account. The answer is the same in "
        "any case.",
        extensions=[public, weighed(SIGN_IN_WEIGHT), once],
    )
    async def request_password_reset(
        self, info: Info, email: Annotated[str, strawberry.argument(description="The user name.")]
    ) -> bool | None:
        """Ask for a link."""
        await info.context.count_sign_in(email, policy=RESET)
        await info.context.platform.accounts.resets.ask(email)
        return True

    @strawberry.mutation(
        description="Choose a new password by a link, which is used up, with the answer to the security question, or "
        "the second factor in its place. All sessions of the account end.",
        extensions=[public, weighed(SIGN_IN_WEIGHT), once],
    )
    async def reset_password(
        self,
        info: Info,
        secret: Secret,
        password: NewPassword,
        answer: Annotated[str | None, strawberry.argument(description="To `passwordReset.question`.")] = None,
        code: Annotated[str | None, strawberry.argument(description="Six digits, or a recovery code.")] = None,
        passkey: Annotated[PasskeyAnswerInput | None, strawberry.argument(description="A passkey's answer.")] = None,
    ) -> bool | None:
        """Choose a new password."""
        await info.context.count_sign_in()
        signed = (uuid_of(passkey.challenge_id), passkey.credential) if passkey is not None else None
        await info.context.platform.accounts.resets.reset(
            secret, password, Shown(answer=answer, code=code, passkey=signed)
        )
        return True


PART = GraphQLPart(query=RegistrationQuery, mutation=RegistrationMutation)
