"""The deployment's own key in a backup: by fingerprint always, itself only under a passphrase."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from bedside_core.auth.sealing import KEY_FILE
from bedside_core.backup.layout import BackupFailed
from bedside_core.config import Config

SHORTEST_PASSPHRASE = 12
_SALT = 16
_NONCE = 12
_CONTEXT = b"bedside backup key 1"


def present_key(config: Config) -> str | None:
    """Return the key that a deployment seals with; None where none was set or made yet."""
    if config.secret_key is not None:
        return config.secret_key.get_secret_value()
    try:
        return (config.data / KEY_FILE).read_text().strip()
    except FileNotFoundError:
        return None


def fingerprint(key: str) -> str:
    """Return what tells one key from another and gives none of it away (HKDF, RFC 5869)."""
    return HKDF(SHA256(), 8, salt=None, info=b"bedside fingerprint").derive(key.encode()).hex()


def passphrase_in(path: Path) -> str:
    """Return the passphrase in a file's first line.

    Raises:
        BackupFailed: it is too short.
    """
    passphrase = path.read_text().split("\n", 1)[0].strip()
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise BackupFailed(f"the passphrase in {path} has less than {SHORTEST_PASSPHRASE} characters")
    return passphrase


def sealed(key: str, passphrase: str) -> bytes:
    """Return a key under a passphrase: scrypt (RFC 7914), then AES-256-GCM."""
    salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
    return salt + nonce + AESGCM(_stretched(passphrase, salt)).encrypt(nonce, key.encode(), _CONTEXT)


def opened(data: bytes, passphrase: str) -> str:
    """Return the key.

    Raises:
        BackupFailed: the passphrase is another.
    """
    salt, nonce, rest = data[:_SALT], data[_SALT : _SALT + _NONCE], data[_SALT + _NONCE :]
    try:
        return AESGCM(_stretched(passphrase, salt)).decrypt(nonce, rest, _CONTEXT).decode()
    except InvalidTag:
        raise BackupFailed("the passphrase does not open the deployment's key in the backup") from None


def _stretched(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=1 << 16, r=8, p=1).derive(passphrase.encode())
