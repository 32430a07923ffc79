"""The deployment's own key, and what is stored only sealed by it: secrets that have to be read again (A9)."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bedside_core import errors

KEY_FILE = "secret.key"
"""Name of the key's file in BEDSIDE_DATA, where BEDSIDE_SECRET_KEY is not set."""

_NONCE_BYTES = 12


class WrongKey(errors.Problem):
    """What is stored was sealed with another key."""

    code = "SECRET_KEY_WRONG"
    meaning = "The deployment runs with another secret key than the one the second factor was stored under."
    status = 503


class Sealing:
    """Seals with AES-256-GCM under a key of its own for each purpose (HKDF, RFC 5869).

    Args:
        secret: BEDSIDE_SECRET_KEY, of at least 32 characters; without it a key is made and kept in `folder`.
        folder: BEDSIDE_DATA.
    """

    def __init__(self, secret: str | None, folder: Path) -> None:
        self._secret = secret
        self._folder = folder
        self._keys: dict[str, AESGCM] = {}
        self._tags: dict[str, bytes] = {}

    def seal(self, purpose: str, text: bytes, bound_to: bytes) -> bytes:
        """Return what to store.

        Args:
            purpose: what the secret is for.
            text: the secret.
            bound_to: whose it is: it can't be opened as another's.
        """
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._key(purpose).encrypt(nonce, text, bound_to)

    def unseal(self, purpose: str, sealed: bytes, bound_to: bytes) -> bytes:
        """Return the secret.

        Raises:
            WrongKey: it was sealed by another deployment's key, for another purpose, or is another's.
        """
        try:
            return self._key(purpose).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to)
        except InvalidTag:
            raise WrongKey(
                "The second factor can't be read with this deployment's key.",
                way_on="Ask the operator to restore BEDSIDE_SECRET_KEY, or use a recovery code.",
            ) from None

    def tag(self, purpose: str, text: bytes) -> bytes:
        """Return 32 bytes that nobody makes of this text without the key, the same each time; nothing is stored.

        Args:
            purpose: what they are for, as no other use of the key is named.
            text: what they stand for.
        """
        if purpose not in self._tags:
            self._tags[purpose] = self._derived(f"{purpose} tag")
        return hmac.new(self._tags[purpose], text, hashlib.sha256).digest()

    def _key(self, purpose: str) -> AESGCM:
        if purpose not in self._keys:
            self._keys[purpose] = AESGCM(self._derived(purpose))
        return self._keys[purpose]

    def _derived(self, purpose: str) -> bytes:
        master = self._secret or _kept(self._folder)
        return HKDF(SHA256(), 32, salt=None, info=f"bedside {purpose}".encode()).derive(master.encode())


def _kept(folder: Path) -> str:
    """Return the key in the folder, made on first use; of several processes that come at once one makes it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / KEY_FILE
    if not path.exists():
        fresh = folder / f"{KEY_FILE}.{secrets.token_hex(4)}"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)  # fails where another was quicker
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text().strip()
