"""Documents that are ZIP packages: looked through without unpacking more than a bounded amount, and only once.

Office Open XML is ISO/IEC 29500-2, OpenDocument ISO/IEC 26300-3. Archives of anything else are not documents.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from pathlib import Path

from bedside_core.files.problems import FileTypeNotAllowed, FileUnsafe

MOST_ENTRIES = 5000
MOST_DIRECTORY_BYTES = 2 << 20
MOST_UNPACKED_BYTES = 300 << 20
MOST_RATIO = 100
"""How many times its length a package may unpack to, once that is more than `ALWAYS_FINE_BYTES`."""
ALWAYS_FINE_BYTES = 20 << 20
_PIECE = 1 << 18
_MAIN_BYTES = 1 << 20
_END = struct.Struct("<4s4H2LH")
"""End of central directory record (APPNOTE.TXT, 4.3.16)."""
_END_MARK = b"PK\x05\x06"
_LONGEST_COMMENT = 0xFFFF

_MAIN = re.compile(
    rb"application/(vnd\.openxmlformats-officedocument\.(?:wordprocessingml\.document|spreadsheetml\.sheet|"
    rb"presentationml\.presentation))\.main\+xml"
)
_OPEN_DOCUMENT = re.compile(r"application/vnd\.oasis\.opendocument\.(text|spreadsheet|presentation)")
_HARMFUL = re.compile(
    r"(^|/)(vbaproject\.bin|basic/|scripts/)|\.(zip|7z|rar|jar|exe|dll|msi|com|scr|bat|cmd|js|jse|vbs|vbe|ps1|hta|lnk|html?|svg)$",
    re.IGNORECASE,
)


def _unsafe(message: str, reason: str) -> FileUnsafe:
    return FileUnsafe(message, detail={"reason": reason})


def package_type(path: Path) -> str:
    """Return the media type of a document that is a package.

    Raises:
        FileTypeNotAllowed: it is an archive and no document.
        FileUnsafe: a bomb, a document with macros or programs in it, an encrypted or damaged one.
    """
    _check_end(path)
    try:
        with zipfile.ZipFile(path) as package:
            entries = package.infolist()
            _check_entries(entries, path.stat().st_size)
            _unpack(package, entries, path.stat().st_size)
            return _type(package, entries)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        # RuntimeError is zipfile's word for an encrypted entry and for what it can't unpack.
        raise _unsafe("The document is damaged, encrypted or packed in an unusual way.", "damaged") from error


def archive_hung_on(path: Path) -> bool:
    """Tell whether a file that is no archive ends as one does, so that unpackers take it for one."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _END.size - _LONGEST_COMMENT))
        tail = file.read()
        position = tail.rfind(_END_MARK)
        while position >= 0:
            if len(tail) - position >= _END.size:
                _, _, _, _, count, length, offset, _ = _END.unpack_from(tail, position)
                end = size - len(tail) + position
                for start in {offset, end - length}:  # with and without regard to what stands before the archive
                    if count and 0 <= start < size:
                        file.seek(start)
                        if file.read(4) == b"PK\x01\x02":
                            return True
            position = tail.rfind(_END_MARK, 0, position)
    return False


def _check_end(path: Path) -> None:
    """Refuse a package whose directory is too long to read, or that does not end where the file does.

    Python's zipfile reads the whole directory into memory, and takes a package with anything before or after it.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _END.size))
        last = file.read()
    if len(last) != _END.size or not last.startswith(_END_MARK):
        raise _unsafe("The document has no end, or something hangs on it.", "polyglot")
    _, disk, first, here, count, length, offset, _ = _END.unpack(last)
    if disk or first or here != count or offset + length != size - _END.size:
        raise _unsafe("The document's parts are not where it says.", "polyglot")
    if not 1 <= count <= MOST_ENTRIES or length > MOST_DIRECTORY_BYTES:
        raise _unsafe("The document has too many parts.", "bomb")


def _check_entries(entries: list[zipfile.ZipInfo], size: int) -> None:
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names) or min(entry.header_offset for entry in entries) != 0:
        raise _unsafe("The document's parts are not where it says.", "polyglot")
    for entry in entries:
        name = entry.orig_filename
        parts = name.split("/")
        if ".." in parts or name.startswith("/") or "\\" in name or "\0" in name or re.match(r"[A-Za-z]:", name):
            raise _unsafe("The document has parts that lie outside of it.", "traversal")
        if _HARMFUL.search(name):
            raise _unsafe("The document holds macros, programs or archives.", "macros")
        if entry.flag_bits & 0x1:
            raise _unsafe("The document is encrypted, so nobody can look into it.", "encrypted")
        if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise _unsafe("The document is packed in an unusual way.", "damaged")
    # Parts that share their bytes add up to more than there is (Fifield, "A better zip bomb", 2019).
    if sum(entry.compress_size for entry in entries) > size:
        raise _unsafe("The document's parts overlap.", "bomb")


def _unpack(package: zipfile.ZipFile, entries: list[zipfile.ZipInfo], size: int) -> None:
    """Read everything once, for what a directory says of lengths need not be true."""
    most = min(MOST_UNPACKED_BYTES, max(ALWAYS_FINE_BYTES, size * MOST_RATIO))
    total = 0
    for entry in entries:
        with package.open(entry) as part:
            while piece := part.read(_PIECE):
                total += len(piece)
                if total > most:
                    raise _unsafe("The document unpacks to far too much.", "bomb")


def _type(package: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> str:
    first = entries[0]
    if first.filename == "mimetype" and first.compress_type == zipfile.ZIP_STORED and first.file_size < 100:
        named = package.read(first).decode("ascii", "replace")
        if _OPEN_DOCUMENT.fullmatch(named):
            return named
    for entry in entries:
        if entry.filename == "[Content_Types].xml" and entry.file_size <= _MAIN_BYTES:
            types = package.read(entry)
            if b"macroEnabled" in types:
                raise _unsafe("The document holds macros, programs or archives.", "macros")
            if found := _MAIN.search(types):
                return f"application/{found[1].decode()}"
    raise FileTypeNotAllowed(
        "Archives are not taken.", way_on="Send the files in it one by one.", detail={"found": "application/zip"}
    )
