# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What must not be released is refused with a reason, and an archive is signed as Ansible verifies it."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import release
import release_refusals

GALAXY = {
    "version": "1.2.0",
    "repository": "https://github.com/someone/darwin.jail",
    "issues": "https://github.com/someone/darwin.jail/issues",
    "homepage": "https://github.com/someone/darwin.jail",
    "documentation": "https://github.com/someone/darwin.jail/docs",
}
MANIFEST = b'{"format": 1}'


def git(top: Path, *words: str) -> None:
    identity = ("-c", "user.name=Someone", "-c", "user.email=someone@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *words], cwd=top, check=True, stdout=subprocess.DEVNULL)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A clone whose last commit can be released as 1.2.0."""
    (tmp_path / "changelogs/fragments").mkdir(parents=True)
    (tmp_path / "changelogs/changelog.yaml").write_text("releases: {1.2.0: {}}\n")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def commit(top: Path) -> None:
    git(top, "add", "--all")
    git(top, "commit", "--quiet", "--message", "Change it")


def refused(top: Path, **changes: Any) -> list[str]:
    return release_refusals.before_build(top, {**GALAXY, **changes})


def test_a_commit_with_notes_and_addresses_can_be_released(top: Path) -> None:
    assert refused(top) == []


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"repository": "https://darwin-jail.example/darwin.jail"}, "repository"),
        ({"issues": "https://www.darwin-jail.example", "documentation": ""}, "issues, documentation"),
        ({"homepage": None}, "homepage"),
    ],
)
def test_a_placeholder_is_refused(top: Path, changes: dict[str, Any], fields: str) -> None:
    (reason,) = refused(top, **changes)
    assert reason == (
        f"galaxy.yml has placeholders as {fields} "
        "(set them to where the project is published, then run tests/tools/addresses.py)"
    )


def test_a_tree_that_differs_from_the_commit_is_refused(top: Path) -> None:
    (top / "new").touch()
    assert refused(top) == ["new differs from the last commit (commit or remove it)"]


@pytest.mark.parametrize("tag", ["1.2.0", "v1.2.0"])
def test_a_version_with_a_tag_is_refused(top: Path, tag: str) -> None:
    git(top, "tag", tag)
    assert refused(top) == [f"the tag {tag} already exists (raise version in galaxy.yml)"]


def test_a_version_without_notes_is_refused(top: Path) -> None:
    (top / "changelogs/changelog.yaml").write_text("releases: {}\n")
    commit(top)
    assert refused(top) == [
        "changelogs/changelog.yaml has no notes of it (run make release-notes, read them, and commit)"
    ]


def test_a_fragment_that_came_after_the_notes_is_refused(top: Path) -> None:
    (top / "changelogs/fragments/late.yml").write_text("bugfixes: [It works.]\n")
    commit(top)
    assert refused(top) == ["changelogs/fragments/late.yml is not in its notes (run make release-notes again)"]


@pytest.fixture
def key(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A key of gpg in a keyring of its own."""
    if not shutil.which("gpg"):
        pytest.skip("gpg is not installed")
    home = tmp_path_factory.mktemp("gnupg")
    home.chmod(0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    owner = "release@example.org"
    making = [
        "gpg",
        "--batch",
        "--quiet",
        "--passphrase",
        "",
        "--quick-generate-key",
        owner,
        "ed25519",
        "sign",
        "never",
    ]
    subprocess.run(making, check=True)
    yield owner
    subprocess.run(["gpgconf", "--kill", "all"], check=True)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    path = tmp_path / "darwin-jail-1.2.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("MANIFEST.json")
        member.size = len(MANIFEST)
        archive.addfile(member, io.BytesIO(MANIFEST))
    return path


def test_the_signature_is_that_of_the_manifest(built: Path, key: str) -> None:
    signature = release.sign(built, key)
    assert signature.name == "darwin-jail-1.2.0.asc"
    for data, good in ((MANIFEST, True), (MANIFEST + b" ", False)):
        verifying = ["gpg", "--quiet", "--verify", str(signature), "-"]
        verified = subprocess.run(verifying, input=data, check=False, capture_output=True)
        assert (verified.returncode == 0) is good


def test_a_key_that_is_not_there_is_named(built: Path, key: str) -> None:
    with pytest.raises(SystemExit, match=r"gpg failed with the key nobody@example\.org \(gpg --list-secret-keys"):
        release.sign(built, "nobody@example.org")
