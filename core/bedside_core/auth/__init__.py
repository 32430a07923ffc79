"""Credentials become an Actor, for HTTP and sockets alike: who acts, passwords, factors, keys, and sessions' ends."""

from __future__ import annotations

from bedside_core.auth.actor import Actor, Pending, Role, SecondFactorNeeded, way_on
from bedside_core.auth.attempts import NOBODY, AccountLocked, Locked
from bedside_core.auth.devices import DEVICE_COOKIE, Client, device_cookie, known_device
from bedside_core.auth.factors import SecondFactors
from bedside_core.auth.guests import GuestPass, Guests
from bedside_core.auth.keys import ApiKey, is_for_people
from bedside_core.auth.opened import Session
from bedside_core.auth.passkeys import Challenge, Passkey
from bedside_core.auth.passwords import hash_password, warm_up
from bedside_core.auth.personas import PatientPersonas, Persona
from bedside_core.auth.sessions import Auth
from bedside_core.auth.tokens import COOKIE, SESSION_STREAM, session_cookie, token_hash

__all__ = [
    "COOKIE",
    "DEVICE_COOKIE",
    "NOBODY",
    "SESSION_STREAM",
    "AccountLocked",
    "Actor",
    "ApiKey",
    "Auth",
    "Challenge",
    "Client",
    "GuestPass",
    "Guests",
    "Locked",
    "Passkey",
    "PatientPersonas",
    "Pending",
    "Persona",
    "Role",
    "SecondFactorNeeded",
    "SecondFactors",
    "Session",
    "device_cookie",
    "hash_password",
    "is_for_people",
    "known_device",
    "session_cookie",
    "token_hash",
    "warm_up",
    "way_on",
]
