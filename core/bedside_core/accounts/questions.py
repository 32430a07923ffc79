"""Security questions (A3, A4): the list to choose from, and how answers are compared."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from uuid import UUID

from bedside_core import errors
from bedside_core.auth.passwords import fits, hash_password
from bedside_core.database import DB
from bedside_core.notify.kinds import Language

ANSWERS = 3
"""How many questions are answered; a reset asks one of them."""
SHORTEST_ANSWER = 3
"""Letters and digits of an answer."""
LONGEST_ANSWER = 200

QUESTIONS: Mapping[str, Mapping[Language, str]] = {
    "first_street": {
        Language.ENGLISH: "What was the name of the street where you lived as a child?",
        Language.SPANISH: "¿Cómo se llamaba la calle en la que vivió de niño?",
    },
    "first_teacher": {
        Language.ENGLISH: "What was the last name of your favorite teacher?",
        Language.SPANISH: "¿Cuál era el apellido de su maestro favorito?",
    },
    "first_job": {
        Language.ENGLISH: "In what town did you have your first job?",
        Language.SPANISH: "¿En qué ciudad tuvo su primer trabajo?",
    },
    "first_concert": {
        Language.ENGLISH: "Whose concert did you go to first?",
        Language.SPANISH: "¿De quién fue el primer concierto al que asistió?",
    },
    "childhood_friend": {
        Language.ENGLISH: "What was the first name of your best friend as a child?",
        Language.SPANISH: "¿Cuál era el nombre de su mejor amigo de la infancia?",
    },
    "childhood_dish": {
        Language.ENGLISH: "Which dish did you like best as a child?",
        Language.SPANISH: "¿Cuál era su plato favorito de niño?",
    },
    "first_book": {
        Language.ENGLISH: "Which book did you read again and again as a child?",
        Language.SPANISH: "¿Qué libro leía una y otra vez de niño?",
    },
    "grandparents_town": {
        Language.ENGLISH: "In what town did your grandparents live?",
        Language.SPANISH: "¿En qué ciudad vivían sus abuelos?",
    },
    "first_journey": {
        Language.ENGLISH: "Where did your first journey by plane or train lead?",
        Language.SPANISH: "¿A dónde fue su primer viaje en avión o en tren?",
    },
    "dream_profession": {
        Language.ENGLISH: "What did you want to become as a child?",
        Language.SPANISH: "¿Qué quería ser de niño?",
    },
}
"""Key, by which an answer is stored -> the question in every language."""


def question(key: str, language: Language) -> str:
    """Return a question's text; of one that is no longer on the list, its key."""
    return QUESTIONS[key][language] if key in QUESTIONS else key


def plain(answer: str) -> str:
    """Return an answer as it is compared: letters and digits without case and accents, nothing else."""
    apart = unicodedata.normalize("NFKD", answer[: 4 * LONGEST_ANSWER].casefold())
    return "".join(sign for sign in apart if sign.isalnum())


def checked(answers: Sequence[tuple[str, str]], field: str = "answers") -> Sequence[tuple[str, str]]:
    """Return answers as they are compared.

    Args:
        answers: key of a question, and what was typed.
        field: the argument they came in.

    Raises:
        errors.InvalidInput: too few, twice the same question or answer, too short, or no question of the list.
    """
    made = [(key, plain(text)) for key, text in answers]
    if len(made) != ANSWERS or len({key for key, _ in made}) != ANSWERS:
        raise errors.InvalidInput(f"Answer {ANSWERS} different questions.", field=(field,))
    for number, (key, text) in enumerate(made):
        if key not in QUESTIONS:
            raise errors.InvalidInput("There is no such question.", field=(field, str(number), "question"))
        if len(text) < SHORTEST_ANSWER or len(answers[number][1]) > LONGEST_ANSWER:
            raise errors.InvalidInput(
                f"An answer has {SHORTEST_ANSWER} letters or digits at least, and {LONGEST_ANSWER} characters at most.",
                field=(field, str(number), "answer"),
            )
    if len({text for _, text in made}) != ANSWERS:
        raise errors.InvalidInput("Two questions have the same answer.", field=(field,))
    return made


async def hashed(answers: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    """Return answers with their hashes in place of what was typed; slow, so not within a unit of work."""
    return [(key, await hash_password(text)) for key, text in answers]


async def store(account_id: UUID, made: Sequence[tuple[str, str]], at: object) -> None:
    """Put hashed answers in the place of those there were."""
    await DB.execute(
        "SELECT answers_set($1, $2, $3, $4)", account_id, [key for key, _ in made], [text for _, text in made], at
    )


async def answered(account_id: UUID) -> Mapping[str, str]:
    """Return key -> hash of an account's answers, by key."""
    rows = await DB.fetch("SELECT * FROM answers_of($1)", account_id)
    return {row["question"]: row["answer_hash"] for row in rows}


def asked(keys: Sequence[str], link_id: UUID) -> str | None:
    """Return which of an account's questions a link asks; the same one each time, so that nobody can choose."""
    return sorted(keys)[link_id.int % len(keys)] if keys else None


async def is_right(answer: str, stored: str | None) -> bool:
    """Tell whether an answer is the one that is stored; takes the same time where there is none."""
    return await fits(plain(answer), stored)
