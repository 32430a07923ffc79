"""Who is in the demo: three practices with their people and patients, all made up, what two say, and whom they know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from bedside_core.access import Tier
from bedside_core.auth import Role
from bedside_core.people import NewPatient

PASSWORD = "quiet-otter-by-the-river"  # noqa: S105 - everybody knows it, and the demo serves nobody but this machine
"""The password of every account of the demo."""

ANSWERS = {"first_job": "Ashford", "first_book": "Momo", "first_teacher": "Hale"}
"""To the security questions of those who register."""

OPERATOR = "operator@bedside.example"
"""No mail arrives below `example` (RFC 2606)."""


@dataclass(frozen=True, kw_only=True)
class DemoMember:
    """A member of a practice of the demo."""

    email: str
    first_name: str
    last_name: str
    role: Role


@dataclass(frozen=True, kw_only=True)
class DemoPractice:
    """A practice of the demo.

    Args:
        name: its name.
        zone: its time zone.
        tier: its tier at first.
        members: its people.
        patients: those in its care.
        guardian: who acts for the first of them in the portal, where that is not the patient.
    """

    name: str
    zone: str
    tier: Tier
    members: tuple[DemoMember, ...]
    patients: tuple[NewPatient, ...]
    guardian: Mapping[str, str] | None = None

    @property
    def portal(self) -> str:
        """The user name of whoever acts for the first patient in the portal."""
        return f"{'patient' if self.guardian is None else 'guardian'}@{self.tier}.example"

    def member(self, role: Role) -> DemoMember:
        """Return its first member of a role."""
        return next(member for member in self.members if member.role is role)


_ROLES = {
    "owner": Role.OWNER,
    "manager": Role.MANAGER,
    "practitioner": Role.PRACTITIONER,
    "practitioner2": Role.PRACTITIONER,
    "staff": Role.STAFF,
}


def _members(tier: Tier, *names: str) -> tuple[DemoMember, ...]:
    return tuple(
        DemoMember(email=f"{who}@{tier}.example", first_name=first, last_name=last, role=role)
        for (who, role), (first, last) in zip(_ROLES.items(), (name.split(" ", 1) for name in names), strict=True)
    )


def _patients(prefix: str, area: str, *people: str) -> tuple[NewPatient, ...]:
    """Return patients out of "First Last, gender, birthday"; every fourth is reached by e-mail alone."""
    patients: list[NewPatient] = []
    for number, person in enumerate(people, start=1):
        name, gender, born = person.split(", ")
        first, last = name.split(" ", 1)
        by_mail = number % 4 == 0
        patients.append(
            NewPatient(
                first_name=first,
                last_name=last,
                date_of_birth=date.fromisoformat(born),
                mrn=f"{prefix}-{1000 + number}",
                gender=gender,
                phone=None if by_mail else f"+1{area}55501{number:02}",  # 555-0100 to 0199 are nobody's
                email=f"{first}.{last}@patients.example".lower().replace(" ", "") if by_mail else None,
            )
        )
    return tuple(patients)


PRACTICES = (
    DemoPractice(
        name="Harbor Street Practice",
        zone="America/New_York",
        tier=Tier.STARTER,
        members=_members(
            Tier.STARTER, "Olivia Grant", "Marcus Bell", "Priya Raman", "Daniel Okafor", "Hannah Lindqvist"
        ),
        patients=_patients(
            "HS",
            "212",
            "Agnes Whitlow, female, 1948-03-11",
            "Bernard Castillo, male, 1962-09-27",
            "Carmen Delgado, female, 1990-01-19",
            "Dmitri Volkov, male, 1975-06-02",
            "Esther Njoroge, female, 1983-12-24",
            "Finn Gallagher, male, 2009-04-08",
            "Grace Halloran, female, 1956-07-30",
            "Hiro Tanaka, male, 1997-10-15",
            "Ines Moreira, female, 2001-02-21",
            "Jonas Weber, male, 1969-11-05",
            "Kayla Brooks, female, 2014-08-17",
            "Leon Abara, nonbinary, 1994-05-26",
        ),
    ),
    DemoPractice(
        name="Lakeside Pediatrics",
        zone="America/Chicago",
        tier=Tier.ENHANCED,
        members=_members(
            Tier.ENHANCED, "Samuel Ortiz", "Beatrice Nolan", "Mei Chen", "Tomas Herrera", "Ruth Abernathy"
        ),
        patients=_patients(
            "LP",
            "312",
            "Amara Diallo, female, 2016-01-09",
            "Benjamin Katz, male, 2019-07-13",
            "Chloe Martin, female, 2012-10-04",
            "Diego Fuentes, male, 2021-03-28",
            "Elif Yilmaz, female, 2018-12-01",
            "Felix Brandt, male, 2015-05-22",
            "Giulia Rinaldi, female, 2020-09-10",
            "Hassan Farouk, male, 2013-02-14",
            "Isla Campbell, female, 2017-06-19",
            "Jasper Nguyen, male, 2022-11-30",
            "Keziah Mensah, female, 2011-08-03",
            "Liam Kowalski, male, 2014-04-25",
        ),
        guardian={"firstName": "Fatou", "lastName": "Diallo", "relationship": "mother"},
    ),
    DemoPractice(
        name="Northgate Clinic",
        zone="America/Los_Angeles",
        tier=Tier.PREMIUM,
        members=_members(
            Tier.PREMIUM, "Amelia Foster", "Victor Silva", "Nadia Haddad", "Julian Park", "Gwen Castellano"
        ),
        patients=_patients(
            "NC",
            "415",
            "Aaron Feldman, male, 1958-02-07",
            "Bianca Russo, female, 1987-08-12",
            "Cedric Laurent, male, 1993-03-31",
            "Dolores Vega, female, 1944-12-18",
            "Emeka Obi, male, 1979-10-09",
            "Freya Lund, female, 2003-06-23",
            "George Papadakis, male, 1965-01-16",
            "Hye-jin Seo, female, 1991-09-05",
            "Ivan Petrov, male, 1972-04-29",
            "Jamila Aziz, female, 1999-11-11",
            "Karl Svensson, male, 1950-07-02",
            "Lucia Ferrari, female, 2006-05-14",
        ),
    ),
)

TALK = (
    (Role.OWNER, "Good morning! Could you take the nine o'clock on Thursday? I am at the county meeting until ten."),
    (Role.PRACTITIONER, "Sure, I have nothing before half past ten that day."),
    (Role.OWNER, "Thank you. The room on the second floor is free, and the new otoscope is there already."),
    (Role.PRACTITIONER, "Finally! I'll bring back the one I borrowed from next door then."),
    (Role.OWNER, "Please do, they have asked twice. Shall we go over the flu clinic on Friday?"),
    (Role.PRACTITIONER, "Friday at one works for me. I'll write down who is still missing from the list."),
)
"""What owner and practitioner of each practice write to each other."""

CONNECTED = (PRACTICES[2], PRACTICES[1])
"""The practice that asks another one to be connected, and the one that accepts (P2)."""

CONTACT = {"firstName": "Petra", "lastName": "Winslow", "email": "petra.winslow@pharmacy.example"}
"""An outside person whom the first of them knows (P6)."""

INVITED = {"email": "nia.vale@premium.example", "firstName": "Nia", "lastName": "Vale", "role": "STAFF"}
"""Somebody whom the first of them invites; the mail is at `/demo/outbox` (A1)."""
