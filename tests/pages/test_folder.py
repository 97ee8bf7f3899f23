"""Files that are replaced whole."""

import os
import resource
import signal
import stat
from errno import EIO, ENOSPC

import pytest

from rota.errors import PageNotWritten
from rota.pages.folder import Folder


def write(path, name, content):
    with Folder(path) as folder:
        folder.write(name, content)


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path):
    write(tmp_path, "index.html", b"old")
    write(tmp_path, "index.html", b"new")

    assert (tmp_path / "index.html").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["index.html"]


def test_the_folder_is_made_and_files_are_not_for_everybody(tmp_path):  # T48
    os.umask(0)
    write(tmp_path / "a" / "b", "index.html", b"x")

    assert stat.S_IMODE((tmp_path / "a" / "b" / "index.html").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o750


@pytest.mark.parametrize("step", ["write", "fsync", "rename"])
def test_a_write_that_is_interrupted_leaves_the_old_page(tmp_path, monkeypatch, step):  # H7
    write(tmp_path, "index.html", b"old")

    def fail(*_, **__):
        raise OSError(ENOSPC, "No space left on device")

    with Folder(tmp_path) as folder:
        if step == "write":
            monkeypatch.setattr(folder, "_write_draft", fail)
        else:
            monkeypatch.setattr(os, step, fail)
        with pytest.raises(PageNotWritten, match=r"index\.html.*No space left.*stays"):
            folder.write("index.html", b"new")

    assert (tmp_path / "index.html").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["index.html"]


def test_a_real_full_disk_leaves_the_old_page(tmp_path):  # H7
    write(tmp_path, "index.html", b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    try:
        with pytest.raises(PageNotWritten):
            write(tmp_path, "index.html", b"n" * 10_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)

    assert (tmp_path / "index.html").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["index.html"]


def test_a_page_is_on_disk_before_it_takes_the_place_of_the_old_one(tmp_path, monkeypatch):  # H7
    calls = []
    fsync, rename = os.fsync, os.rename
    monkeypatch.setattr(os, "fsync", lambda descriptor: (calls.append("fsync"), fsync(descriptor)))
    monkeypatch.setattr(os, "rename", lambda *names, **at: (calls.append("rename"), rename(*names, **at)))

    write(tmp_path, "index.html", b"x")

    assert calls == ["fsync", "rename", "fsync"]


@pytest.mark.parametrize("make", [os.symlink, os.link])
def test_a_link_is_replaced_and_never_written_through(tmp_path, make):  # T48
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    pages = tmp_path / "pages"
    pages.mkdir()
    make(victim, pages / "index.html")

    write(pages, "index.html", b"page")

    assert victim.read_bytes() == b"precious"
    assert (pages / "index.html").read_bytes() == b"page"
    assert not (pages / "index.html").is_symlink()


def test_a_folder_that_is_a_link_is_refused(tmp_path):  # T48
    (tmp_path / "real").mkdir()
    os.symlink(tmp_path / "real", tmp_path / "pages")

    with pytest.raises(PageNotWritten, match="pages"):
        Folder(tmp_path / "pages")


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "..", "a\0b"])
def test_only_plain_names_are_taken(tmp_path, name):  # T48
    with Folder(tmp_path) as folder, pytest.raises(ValueError, match="no plain name"):
        folder.write(name, b"x")


def test_a_folder_that_cannot_be_read_says_why(tmp_path, monkeypatch):  # R64
    def fail(*_, **__):
        raise OSError(EIO, "Input/output error")

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(PageNotWritten, match="Input/output error"):
        Folder(tmp_path)
