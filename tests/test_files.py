"""A file is there whole or not at all."""

import os
from pathlib import Path

import pytest

from jaxmlp import files


def test_the_file_appears_under_its_name_only_when_whole(tmp_path, monkeypatch):
    path, seen = tmp_path / "page", []
    replace = Path.replace

    def watch(source, target):
        seen.append((source.parent, source.read_bytes(), path.exists()))
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", watch)
    files.write_whole(path, b"whole")
    assert seen == [(tmp_path, b"whole", False)]
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("page", b"whole")]


def test_the_content_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    synced, fsync = [], os.fsync

    def watch(descriptor):
        synced.append((os.fstat(descriptor).st_size, (tmp_path / "page").exists()))
        fsync(descriptor)

    monkeypatch.setattr(files.os, "fsync", watch)
    files.write_whole(tmp_path / "page", b"whole")
    assert synced == [(5, False)]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    def disk_full(*arguments):
        raise OSError("no space left")

    files.write_whole(tmp_path / "page", b"old")
    for owner, name in ((files.os, "fsync"), (Path, "replace")):
        with monkeypatch.context() as patch, pytest.raises(OSError, match="no space left"):
            patch.setattr(owner, name, disk_full)
            files.write_whole(str(tmp_path / "page"), b"new")
        assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("page", b"old")]
