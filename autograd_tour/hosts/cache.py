"""Records and pictures that were made before. A cache never fails: what cannot be read is made anew."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from autograd_tour.errors import TraceFileError
from autograd_tour.hosts.keys import Versions, digest_of_file, versions
from autograd_tour.hosts.outcome import Failure, Record

__all__ = ["Cache", "StoredRecord"]

Stored = TypeVar("Stored")


class StoredRecord(Struct, frozen=True):
    """A record as it is written: ``content`` is the JSON of its trace or explanation, or it is an ``error``.

    ``files`` are those of the user that the code ran, relative to the folder of the records, with a
    digest of what was in them. ``sound`` is the digest of a trace that we wrote: it needs no check.
    """

    made_by: Versions
    content: msgspec.Raw = msgspec.Raw(b"null")
    error: Failure | None = None
    remarks: tuple[str, ...] = ()
    files: dict[str, str] = {}
    sound: str = ""
    explains: bool = False


_read_record = msgspec.json.Decoder(StoredRecord).decode


class Cache:
    """Folders for ``records`` (JSON, may be committed) and for ``pictures``; without one nothing is kept.

    ``complain`` is told once if a folder cannot be written.
    """

    def __init__(
        self,
        records: Path | None = None,
        pictures: Path | None = None,
        complain: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._records = records
        self._pictures = pictures
        self._complain = complain
        self._silent = False

    def record(self, key: str, *, whatever: bool = False) -> Record | None:
        """The record of a snippet, if it is there and fresh; ``whatever`` takes one of other versions too."""
        stored = self._stored(key, whatever)
        if stored is None or stored.error is not None:
            return None
        content = msgspec.json.format(bytes(stored.content), indent=-1)
        record = Record(key, content, stored.remarks, stored.explains)
        if record.digest != stored.sound:  # somebody else wrote it
            try:
                record.check()
            except TraceFileError:
                return None
        return record

    def error(self, key: str, *, whatever: bool = False) -> Failure | None:
        """The error that the code of a snippet is to raise, if it is there."""
        stored = self._stored(key, whatever)
        return replace(stored.error, key=key) if stored is not None and stored.error is not None else None

    def _stored(self, key: str, whatever: bool) -> StoredRecord | None:
        if self._records is None:
            return None
        stored = self._read(self._records / f"{key}.json", _read_record)
        return stored if stored is not None and (whatever or self._is_fresh(stored)) else None

    def has_record(self, key: str, *, whatever: bool = False) -> bool:
        """Whether there is a fresh record or error; ``whatever`` takes one of other versions too."""
        return self._stored(key, whatever) is not None

    def keep_record(self, record: Record, files: tuple[str, ...]) -> None:
        """Write a record whose content is JSON in the place of the one before."""
        assert isinstance(record.content, bytes)
        stored = StoredRecord(
            made_by=versions(record.explains),
            content=msgspec.Raw(record.content),
            remarks=record.remarks,
            files=self._digests(files),
            sound=record.digest,
            explains=record.explains,
        )
        self._keep(record.key, stored)

    def keep_error(self, key: str, error: Failure, files: tuple[str, ...]) -> None:
        """Write the error that a snippet is to raise."""
        error = replace(error, file="", line=0, key="")
        self._keep(key, StoredRecord(versions(), error=error, files=self._digests(files)))

    def relative_folder(self, folder: str) -> str:
        """What tells a folder of documents from others, wherever all of them are moved together."""
        return "" if self._records is None else _relative(folder or ".", self._records)

    def files_of(self, key: str) -> tuple[Path, ...]:
        """The file of a record, and those whose change makes it stale."""
        if self._records is None:
            return ()
        stored = self._stored(key, whatever=True)
        files = stored.files if stored is not None else ()
        return (self._records / f"{key}.json", *(self._records / name for name in files))

    def _digests(self, files: tuple[str, ...]) -> dict[str, str]:
        """Digests by the path from the folder of the records."""
        if self._records is None:
            return {}
        return {_relative(file, self._records): digest_of_file(Path(file)) for file in files}

    def _keep(self, key: str, stored: StoredRecord) -> None:
        if self._records is not None:
            text = msgspec.json.format(msgspec.json.encode(stored), indent=1)
            self._write(self._records / f"{key}.json", text)

    @property
    def keeps_pictures(self) -> bool:
        """Whether there is a folder for pictures."""
        return self._pictures is not None

    def picture(self, key: str, kind: type[Stored]) -> Stored | None:
        """A picture, if it is there."""
        if self._pictures is None:
            return None
        return self._read(self._pictures / f"{key}.msgpack", msgspec.msgpack.Decoder(kind).decode)

    def keep_picture(self, key: str, picture: Struct) -> None:
        """Write a picture."""
        if self._pictures is not None:
            self._write(self._pictures / f"{key}.msgpack", msgspec.msgpack.encode(picture))

    def _is_fresh(self, stored: StoredRecord) -> bool:
        """Whether the same versions made it, from the same files; that of torch counts only where it is."""
        here, there = versions(stored.explains), stored.made_by
        same = here == there if here.torch else here.recording == there.recording
        assert self._records is not None
        return same and all(
            digest_of_file(self._records / name) == digest for name, digest in stored.files.items()
        )

    def _read(self, path: Path, decode: Callable[[bytes], Stored]) -> Stored | None:
        try:
            return decode(path.read_bytes())
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    def _write(self, path: Path, content: bytes) -> None:
        """Whole or not at all: two builds may run at the same time."""
        staged = path.with_name(f".{secrets.token_hex(8)}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            staged.write_bytes(content)
            staged.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                staged.unlink()
            if not self._silent:
                self._silent = True
                self._complain(f"cannot keep what was made in {path.parent}: {error.strerror or error}")


def _relative(path: str, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()
