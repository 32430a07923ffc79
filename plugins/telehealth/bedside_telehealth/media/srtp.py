"""libsrtp's functions and the one buffer they work in: packets are encrypted and decrypted in place.

pylibsrtp's own Session copies each packet four times; its bindings are all that is used of it here. All runs on one
thread, so one buffer serves all connections: whoever fills it has done with it before anything else runs.
"""

# The bindings are made at run time (cffi) and have no types; this is the one module that sees them.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportPrivateUsage=false
# pyright: reportPrivateImportUsage=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pylibsrtp

_ffi: Any = pylibsrtp.ffi
_lib: Any = pylibsrtp.lib

LARGEST = 1_600
"""Octets of the largest packet that is taken; what networks carry ends at 1,500."""

BUFFER: Any = _ffi.new("unsigned char[]", 4_096)
VIEW: memoryview = memoryview(_ffi.buffer(BUFFER))
LENGTH: Any = _ffi.new("int *")

protect: Callable[[Any, Any, Any], int] = _lib.srtp_protect
unprotect: Callable[[Any, Any, Any], int] = _lib.srtp_unprotect
protect_rtcp: Callable[[Any, Any, Any], int] = _lib.srtp_protect_rtcp
unprotect_rtcp: Callable[[Any, Any, Any], int] = _lib.srtp_unprotect_rtcp


class Keys:
    """One direction's keys of a connection, as libsrtp holds them, alive as long as this is."""

    __slots__ = ("_session", "handle")

    def __init__(self, session: Any) -> None:
        self._session = session
        self.handle: Any = session._srtp[0]
