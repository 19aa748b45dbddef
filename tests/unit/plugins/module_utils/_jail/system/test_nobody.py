# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Programs that run as the user nobody: what they get, and which files are given to them."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import nobody_files
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.process import run
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.stream_filter import StreamFilter

ENTRY = pwd.getpwnam("nobody")


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """A place that everybody can reach."""
    if os.geteuid():
        pytest.skip("only root gives things away")
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    return tmp_path / "folders"


def said(*argv: str) -> str:
    return run(argv, as_nobody=True, settings={"OURS": "1"}).stdout.decode()


def test_it_has_nothing_of_roots(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "root only")
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    assert said("/bin/sh", "-c", "id -u; id -g; id -G").split() == [str(ENTRY.pw_uid)] + [str(ENTRY.pw_gid)] * 2
    names = {line.partition("=")[0] for line in said("/usr/bin/env").splitlines()}
    assert {"OURS", "PATH", "HOME", "https_proxy"} <= names
    assert "SECRET" not in names
    assert said("/bin/pwd") == "/\n"
    with closing(StreamFilter(["/bin/sh", "-c", "id -u; cat"])) as stream:
        stream.feed_from([b"data"])
        assert b"".join(iter(stream.read, b"")) == f"{ENTRY.pw_uid}\ndata".encode()


def test_one_that_it_cannot_reach_is_told(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root gives things away")
    tmp_path.chmod(0o700)
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for start in (lambda: said(str(program)), lambda: StreamFilter([str(program)])):
        with pytest.raises(OperationError, match=r"Permission denied \(it runs as the user nobody, which must be able"):
            start()


def test_what_is_given_to_it_is_for_nobody_else(folders: Path) -> None:
    with nobody_files.directory(
        os.fsencode(folders), {"config.json": b"password"}, {"d/l": "/x"}, ("d", "d/e")
    ) as folder:
        assert said("/bin/cat", f"{folder}/config.json") == "password"
        act = f"cd {folder} && echo new >config.json && readlink d/l && touch d/e/f && ls -R"
        assert said("/bin/sh", "-c", act) == "/x\n.:\nconfig.json\nd\n\n./d:\ne\nl\n\n./d/e:\nf\n"
        for path in (folder, f"{folder}/config.json", os.path.dirname(folder)):
            other = subprocess.run(["cat" if path.endswith("json") else "ls", path], user=1000, group=1000,
                                   extra_groups=[], capture_output=True, check=False)  # fmt: skip
            assert b"Permission denied" in other.stderr
    assert not folders.exists()


def test_what_a_killed_run_left_goes_and_what_is_in_use_stays(folders: Path) -> None:
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        with nobody_files.directory(os.fsencode(folders), {"config.json": b"password"}):
            os.write(write, b"x")
            signal.pause()
    os.read(read, 1)
    (left,) = [path for path in folders.iterdir() if path.is_dir()]
    with nobody_files.directory(os.fsencode(folders), {}):
        assert left.exists(), "it is still in use"
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with nobody_files.directory(os.fsencode(folders), {}):
        assert not left.exists()
    for end in (read, write):
        os.close(end)


def test_it_leads_nobody_away(folders: Path) -> None:
    """What it puts there is removed, and no link in it followed."""
    victim = folders.parent / "victim"
    victim.mkdir(0o777)
    (victim / "file").touch()
    with nobody_files.directory(os.fsencode(folders), {}, {}, ("blobs",)) as folder:
        said(
            "/bin/sh",
            "-c",
            f"rmdir {folder}/blobs; ln -s {victim} {folder}/blobs; mkdir -p {folder}/a/b; chmod 0 {folder}/a/b",
        )
    assert (victim / "file").exists()
    assert not folders.exists()
