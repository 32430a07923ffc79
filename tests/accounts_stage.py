"""What tests of signing in share: operations, cheap hashes, a look into the tables, an authenticator in software."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import asyncpg
import cbor2
import deployment
from argon2 import PasswordHasher
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from deployment import Deployment, Person
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

from bedside_core.auth import passwords
from bedside_core.database import DB
from bedside_core.testing import Database

SECRET_KEY = "a key that the tests alone know, and nobody else"
URL = "https://clinic.example"
OTHER_PASSWORD = "seven green bicycles at dawn"

WIDE = {
    "BEDSIDE_GRAPHQL_SIGN_INS_PER_ADDRESS": "1000000",
    "BEDSIDE_GRAPHQL_SIGN_INS_PER_ACCOUNT": "1000000",
    "BEDSIDE_GRAPHQL_ADDRESS_BUDGET": "1000000000",
    "BEDSIDE_GRAPHQL_SESSION_BUDGET": "1000000000",
}
"""Budgets that nobody uses up."""
SIGN_IN = """mutation($e: String!, $p: String!, $d: String) { signIn(email: $e, password: $p, device: $d) {
    token deviceToken viewer { role pending member { id } } } }"""
VERIFY = """mutation($c: String!, $d: String) { verifyCode(code: $c, device: $d) {
    token deviceToken viewer { role pending member { id } } } }"""
SESSIONS = "{ sessions { id createdAt lastSeenAt device current } }"
CHANGE = "mutation($c: String!, $n: String!) { changePassword(current: $c, new: $n) }"
BEGIN_TOTP = "mutation($p: String!) { beginTotp(password: $p) { secret uri } }"
CONFIRM_TOTP = "mutation($c: String!) { confirmTotp(code: $c) { recoveryCodes deviceToken } }"
WHO = "{ viewer { role pending member { id } personas { id role practice name current } } }"
MAKE_KEY = """mutation($n: String!, $s: [String!]!, $u: DateTime!, $c: String!) {
    createApiKey(name: $n, scopes: $s, expiresAt: $u, clientId: $c) { token key { id name scopes revokedAt } } }"""
DEMAND = (
    "mutation($on: Boolean!) { updateAccountsSettings(patch: { secondFactorRequired: $on }) { secondFactorRequired } }"
)


@contextmanager
def cheap_hashes() -> Generator[None]:
    """Hash in a millisecond, where a test is not about how long it takes."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    nobody, somebody = cheap.hash("nobody's"), cheap.hash(deployment.PASSWORD)
    with (
        patch.object(passwords, "_passwords", cheap),
        patch.object(passwords, "_nobody", lambda: nobody),
        patch.object(deployment, "_hash", lambda: somebody),
    ):
        yield


async def give_cheap_password(person: Person, password: str) -> None:
    """Give a person a password whose hash is cheap."""
    hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(password)
    account = await DB.fetchval("SELECT account_id FROM auth_account($1, NULL)", person.email)
    await DB.execute("SELECT auth_set_password($1, $2)", account, hashed)


async def rows(database: Database, sql: str, *arguments: Any) -> list[asyncpg.Record]:
    """Return rows as the owner of the tables sees them."""
    owner = await asyncpg.connect(database.owner_dsn)
    try:
        return await owner.fetch(sql, *arguments)
    finally:
        await owner.close()


async def everything(database: Database) -> dict[str, list[asyncpg.Record]]:
    """Return what belongs to signing in, to compare before and after; when somebody was seen last aside."""
    tables = ("session", "credential", "device", "totp", "recovery_code", "passkey", "api_key")
    dropped = {"session": "last_seen_at", "api_key": "last_used_at"}
    return {
        table: await rows(database, f"SELECT to_jsonb(t) - '{dropped.get(table, '')}' FROM {table} t ORDER BY 1")
        for table in tables
    }


class Authenticator:
    """A passkey in software: it makes one credential, signs with it, and counts."""

    def __init__(self, origin: str = URL, *, verifies: bool = True) -> None:
        self.origin = origin
        self.host = origin.partition("://")[2].partition(":")[0]
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = secrets.token_bytes(32)
        self.count = 0
        self.flags = 0x05 if verifies else 0x01  # user present and verified, or present alone

    def create(self, options: str) -> str:
        """Answer `navigator.credentials.create()`."""
        numbers = self.key.public_key().public_numbers()
        public = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + public
        data = self._data(0x40) + attested
        response = {
            "clientDataJSON": self._client_data("webauthn.create", options),
            "attestationObject": bytes_to_base64url(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})),
        }
        return self._credential(response)

    def get(self, options: str) -> str:
        """Answer `navigator.credentials.get()`."""
        self.count += 1
        data, client_data = self._data(), self._client_data("webauthn.get", options)
        signed = data + hashlib.sha256(base64url_to_bytes(client_data)).digest()
        signature = self.key.sign(signed, ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": client_data,
            "authenticatorData": bytes_to_base64url(data),
            "signature": bytes_to_base64url(signature),
        }
        return self._credential(response)

    def _data(self, extra: int = 0) -> bytes:
        flags = (self.flags | extra).to_bytes(1, "big")
        return hashlib.sha256(self.host.encode()).digest() + flags + self.count.to_bytes(4, "big")

    def _client_data(self, kind: str, options: str) -> str:
        told = {"type": kind, "challenge": json.loads(options)["challenge"], "origin": self.origin}
        return bytes_to_base64url(json.dumps(told).encode())

    def _credential(self, response: dict[str, str]) -> str:
        name = bytes_to_base64url(self.id)
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response})


BEGIN_PASSKEY = "mutation($p: String!) { beginPasskey(password: $p) { id options } }"
ADD_PASSKEY = """mutation($i: ID!, $c: String!, $n: String!) {
    addPasskey(challengeId: $i, credential: $c, name: $n) { recoveryCodes } }"""
ASK_PASSKEY = "mutation { beginPasskeySignIn { id options } }"
SIGN_IN_PASSKEY = """mutation($i: ID!, $c: String!) { signInWithPasskey(challengeId: $i, credential: $c) {
    token viewer { role pending member { id } } } }"""


async def add_passkey(door: Deployment, token: str, password: str, key: Authenticator) -> list[str]:
    """Add a passkey and return the recovery codes."""
    asked = (await door.data(BEGIN_PASSKEY, token, p=password))["beginPasskey"]
    answer = key.create(asked["options"])
    added = await door.data(ADD_PASSKEY, token, i=asked["id"], c=answer, n="My phone")
    return added["addPasskey"]["recoveryCodes"]
