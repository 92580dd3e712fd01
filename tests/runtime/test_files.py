"""A file is there whole or not at all."""

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jaxmlp.runtime import files

ROOT = Path(__file__).parents[2]


def test_the_file_appears_under_its_name_only_when_whole(tmp_path, monkeypatch):
    path, seen = tmp_path / "page", []
    replace = Path.replace

    def watch(source, target):
        seen.append((source.parent, source.read_bytes(), path.exists()))
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", watch)
    files.write_atomic(path, b"whole")
    assert seen == [(tmp_path, b"whole", False)]
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("page", b"whole")]


def test_the_content_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    synced, fsync = [], os.fsync

    def watch(descriptor):
        synced.append((os.fstat(descriptor).st_size, (tmp_path / "page").exists()))
        fsync(descriptor)

    monkeypatch.setattr(files.os, "fsync", watch)
    files.write_atomic(tmp_path / "page", b"whole")
    assert synced == [(5, False)]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    def disk_full(*arguments):
        raise OSError("no space left")

    files.write_atomic(tmp_path / "page", b"old")
    for owner, name in ((files.os, "fsync"), (Path, "replace")):
        with monkeypatch.context() as patch, pytest.raises(OSError, match="no space left"):
            patch.setattr(owner, name, disk_full)
            files.write_atomic(str(tmp_path / "page"), b"new")
        assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("page", b"old")]


LOCK = "__import__('jaxmlp.runtime.files').runtime.files.FolderLock"


def test_a_folder_is_for_one_process_alone(tmp_path):
    program = f"{LOCK}({str(tmp_path)!r})"
    with files.FolderLock(tmp_path):
        other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
        assert "another process is at work in" in other.stderr.splitlines()[-1]
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_ends_with_its_process_however_that_ends(tmp_path):
    program = f"import os, signal; held = {LOCK}({str(tmp_path)!r})\nos.kill(os.getpid(), signal.SIGKILL)"
    subprocess.run([sys.executable, "-c", program], check=False, cwd=ROOT)
    files.FolderLock(tmp_path)


@pytest.mark.parametrize("error", [OSError(errno.ENOLCK, "No locks available"), ImportError()])
def test_where_there_are_no_locks_nothing_is_locked(error, tmp_path, monkeypatch):
    def refuse(entry, kind):
        raise error

    monkeypatch.setattr(fcntl, "flock", refuse)
    with files.FolderLock(tmp_path):
        pass


def test_the_same_content_is_always_the_same_bytes():
    tensors = {name: np.arange(n, dtype=np.float32) for name, n in (("b", 3), ("a", 5))}
    packed = {files.pack(tensors, {str(n): "ü" * n for n in range(9)}) for _ in range(20)}
    assert len(packed) == 1
    found, texts = files.unpack(packed.pop())
    assert texts == {str(n): "ü" * n for n in range(9)}
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor)


def test_a_text_that_looks_like_a_checksum_is_left_alone():
    texts = {"a": '"sha256":"' + "0" * 64 + '"', "b": "0" * 64}
    assert files.unpack(files.pack({"x": np.zeros(2, np.float32)}, texts))[1] == texts
