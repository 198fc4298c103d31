"""Files are written whole or not at all."""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograd_tour.errors import UsageError
from autograd_tour.formats import write
from autograd_tour.formats.write import write_all


def listing(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}


def test_files_are_written_in_order_and_the_folder_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    paths = write_all(folder, {"z.svg": "<svg/>\n", "a.bin": b"\0\r\n"})
    assert paths == [folder / "z.svg", folder / "a.bin"]
    assert listing(folder) == {"z.svg": b"<svg/>\n", "a.bin": b"\0\r\n"}


def test_text_is_utf8_and_a_lone_surrogate_stops_nothing(tmp_path: Path) -> None:
    write_all(tmp_path, {"a.txt": "Σ 🎈 \ud800"})
    assert (tmp_path / "a.txt").read_bytes() == "Σ 🎈 ?".encode()


def test_other_files_stay_and_named_ones_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "a.txt").write_text("old")
    write_all(tmp_path, {"a.txt": "new"})
    assert listing(tmp_path) == {"mine.txt": b"mine", "a.txt": b"new"}


@pytest.mark.skipif(os.name == "nt", reason="rights of another kind")
def test_a_new_file_has_the_rights_that_umask_leaves_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_all(tmp_path, {"new.txt": "x"})
    finally:
        os.umask(before)
    assert (tmp_path / "new.txt").stat().st_mode & 0o777 == 0o640
    (tmp_path / "new.txt").chmod(0o600)
    write_all(tmp_path, {"new.txt": "y"})
    assert (tmp_path / "new.txt").stat().st_mode & 0o777 == 0o600


def test_a_link_is_replaced_and_what_it_points_to_stays(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "a.txt").symlink_to(tmp_path / "precious")
    write_all(tmp_path, {"a.txt": "new"})
    assert not (tmp_path / "a.txt").is_symlink()
    assert listing(tmp_path) == {"precious": b"precious", "a.txt": b"new"}


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "a\\b", "a\0b"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="not a plain file name"):
        write_all(tmp_path / "new", {"ok.txt": "", name: ""})
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    for folder in (tmp_path / "out", tmp_path / "out" / "deeper"):
        with pytest.raises(UsageError, match="out is not a folder"):
            write_all(folder, {"a.txt": ""})
    assert listing(tmp_path) == {"out": b"mine"}


def test_a_folder_in_place_of_a_file_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    (tmp_path / "b.txt").mkdir()
    with pytest.raises(UsageError, match=r"b\.txt: a folder of that name"):
        write_all(tmp_path, {"a.txt": "new", "b.txt": "new"})
    assert listing(tmp_path) == {"a.txt": b"old"}


def test_a_folder_without_rights_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The test may run as root, whom no mode stops.
    def refuse(*args: object, **kwargs: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(UsageError, match=r"cannot write in .*: Permission denied") as caught:
        write_all(tmp_path / "made", {"a.txt": ""})
    assert "-o" in caught.value.hint
    assert not (tmp_path / "made").exists(), "a folder made for nothing goes again"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder nobody can make files in")
def test_a_folder_that_nobody_can_make_is_told() -> None:
    with pytest.raises(UsageError, match="cannot make the folder /proc/nowhere"):
        write_all("/proc/nowhere", {"a.txt": ""})


@pytest.mark.skipif(sys.platform != "linux", reason="a limit on file size stands for a full disk")
def test_a_write_that_stops_halfway_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    (tmp_path / "b.bin").write_text("old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(UsageError, match="File too large"):
            write_all(tmp_path, {"a.txt": "new", "b.bin": bytes(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert listing(tmp_path) == {"a.txt": b"old", "b.bin": b"old"}


def test_a_full_disk_is_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(UsageError, match="the disk is full"):
        write_all(tmp_path, {"a.txt": ""})


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "no hard links"])
def test_if_one_file_cannot_be_replaced_all_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    (tmp_path / "a.txt").write_text("old a")
    (tmp_path / "c.txt").write_text("old c")
    replace = Path.replace

    def locked(self: Path, target: Path) -> Path:
        if target.name == "c.txt" and self.read_bytes() == b"new":
            raise PermissionError(errno.EACCES, "in use")
        return replace(self, target)

    def no_links(*args: object, **kwargs: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "replace", locked)
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(UsageError, match="in use"):
        write_all(tmp_path, dict.fromkeys(("a.txt", "b.txt", "c.txt"), "new"))
    assert listing(tmp_path) == {"a.txt": b"old a", "c.txt": b"old c"}


def test_an_interrupt_between_two_files_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("old")

    def interrupted(self: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_all(tmp_path, {"a.txt": "new", "b.txt": "new"})
    monkeypatch.undo()
    assert listing(tmp_path) == {"a.txt": b"old"}


def test_a_folder_that_is_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    write_all(tmp_path / "link", {"a.txt": "x"})
    assert (tmp_path / "link").is_symlink()
    assert listing(tmp_path / "real") == {"a.txt": b"x"}


def test_what_cannot_be_announced_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    seen = []

    def announce() -> None:
        seen.append(listing(tmp_path)["a.txt"])
        raise UsageError("nobody hears it")

    with pytest.raises(UsageError, match="nobody hears it"):
        write_all(tmp_path, {"a.txt": "new", "b.txt": "new"}, announce)
    assert seen == [b"new"], "told when it is true"
    assert listing(tmp_path) == {"a.txt": b"old"}
    with pytest.raises(UsageError, match="nobody hears it"):
        write_all(tmp_path / "folder", {"a.txt": "new"}, announce)
    assert not (tmp_path / "folder").exists()


class Asked(BaseException):
    """The process is asked to end."""


@pytest.fixture
def heeded() -> Iterator[None]:
    """A SIGTERM raises."""

    def ask(number: int, frame: object) -> None:
        raise Asked

    before = signal.signal(signal.SIGTERM, ask)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("heeded")
@pytest.mark.parametrize("when", ["second temporary", "first place", "announcement"])
def test_a_signal_leaves_all_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    (tmp_path / "a.txt").write_text("old")

    def ask() -> None:
        signal.raise_signal(signal.SIGTERM)

    if when == "second temporary":
        made = iter([None, ask, *[None] * 9])
        write_new = write._write_new
        monkeypatch.setattr(write, "_write_new", lambda *rest: (write_new(*rest), (next(made) or int)()))
    elif when == "first place":
        replace = Path.replace
        monkeypatch.setattr(Path, "replace", lambda *paths: (ask(), replace(*paths)))
    with pytest.raises(Asked):
        write_all(tmp_path, {"a.txt": "new", "b.txt": "new"}, ask if when == "announcement" else None)
    assert listing(tmp_path) == {"a.txt": b"old"}
    with pytest.raises(Asked):
        ask()  # whoever looked after it before does again


def test_a_signal_that_nobody_acts_on_stops_the_writing_all_the_same(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with pytest.raises(KeyboardInterrupt):
            write_all(tmp_path, {"a.txt": "new"}, lambda: signal.raise_signal(signal.SIGTERM))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert listing(tmp_path) == {}
