"""Credentials become an Actor, for HTTP and sockets alike: who acts, passwords, and sessions with their end."""

from __future__ import annotations

from bedside_core.auth.actor import Actor, Role
from bedside_core.auth.passwords import hash_password, warm_up
from bedside_core.auth.sessions import COOKIE, SESSION_STREAM, Auth, session_cookie, token_hash

__all__ = [
    "COOKIE",
    "SESSION_STREAM",
    "Actor",
    "Auth",
    "Role",
    "hash_password",
    "session_cookie",
    "token_hash",
    "warm_up",
]
