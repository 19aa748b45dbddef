# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Check, write the notes of, or build a release: release.py check | notes | build [KEY]

check: try a release on a copy of what git knows or would add, and change nothing in the checkout.
notes: let antsibull-changelog gather the fragments into CHANGELOG.md and changelogs/changelog.yaml of the checkout.
build: refuse what must not be released, build the archive of the last commit, check it, sign it with the key KEY of
gpg, and print the commands that publish it. docs/release.md has the steps of a release.

The archive is left in .cache/release/archive.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import artifact
import release_refusals
import yaml

CHECKOUT = Path(__file__).parents[2]
FOLDER = CHECKOUT / ".cache/release"
ARCHIVES = FOLDER / "archive"
# antsibull-changelog and ansible-doc tell the name of a collection by its place.
COPY = FOLDER / "ansible_collections/darwin/jail"
IMPORTER = (str(FOLDER / "bin/python"), "-m", "galaxy_importer.main")
MARKUP = re.compile(r"\b[A-Z]{1,2}\\?\(\w")
"""Markup of module documentation, which means nothing in release notes."""


def copy() -> None:
    shutil.rmtree(FOLDER / "ansible_collections", ignore_errors=True)
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.check_output(listing, cwd=CHECKOUT, text=True).split("\0"):
        if name and (CHECKOUT / name).is_file():
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, COPY / name)


def run(*command: str, cwd: Path = COPY, first: Path | None = None) -> str:
    """The output of a program, which must succeed. With first, programs of that directory come before ours."""
    tools = [str(first)] if first else []
    paths = [*tools, str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(FOLDER), "PATH": ":".join(paths)}
    done = subprocess.run(
        command, cwd=cwd, env=environment, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\n{' '.join(command)}: failed")
    return done.stdout


def galaxy() -> dict[str, Any]:
    """What galaxy.yml says of the collection."""
    return dict(yaml.safe_load((CHECKOUT / "galaxy.yml").read_text()))


def write_notes(version: str) -> list[str]:
    """Gather the fragments in the copy; what is wrong with the notes."""
    fragments = list((COPY / "changelogs/fragments").glob("*.yml"))
    run("antsibull-changelog", "release", "--update-existing")
    released = yaml.safe_load((COPY / "changelogs/changelog.yaml").read_text())["releases"].get(version, {})
    lost = {path.name for path in fragments} - set(released.get("fragments", []))
    found = [f"changelogs/fragments/{name} is not in the notes" for name in sorted(lost)]
    text = (COPY / "CHANGELOG.md").read_text()
    return found + [f"CHANGELOG.md: {line}" for line in text.splitlines() if MARKUP.search(line)]


def build_archive() -> Path:
    """The archive of the copy."""
    shutil.rmtree(ARCHIVES, ignore_errors=True)
    run("ansible-galaxy", "collection", "build", "--output-path", str(ARCHIVES))
    (built,) = ARCHIVES.glob("*.tar.gz")
    return built


def verdict(built: Path) -> list[str]:
    """What Galaxy has against the archive."""
    said = run(*IMPORTER, built.name, cwd=built.parent, first=FOLDER / "bin")
    (built.parent / "importer_result.json").unlink()
    found = [line for line in said.splitlines() if re.match(r"(WARNING|ERROR|CRITICAL)", line)]
    return found if "Importer processing completed successfully" in said else [*found, said]


def sign(built: Path, key: str) -> Path:
    """A detached signature of the MANIFEST.json in the archive, as `ansible-galaxy collection verify` reads it.

    MANIFEST.json has the digest of FILES.json, and that one has the digests of all files.
    """
    with tarfile.open(built) as archive:
        member = archive.extractfile("MANIFEST.json")
        manifest = member.read() if member else b""
    signature = built.parent / built.name.replace(".tar.gz", ".asc")
    options = ("--detach-sign", "--armor", "--local-user", key, "--output", str(signature))
    try:
        for words in (options, ("--verify", str(signature))):
            subprocess.run(["gpg", *words, "-"], input=manifest, check=True)
    except FileNotFoundError:
        sys.exit("cannot sign the release: gpg is not installed (install GnuPG, or leave KEY out)")
    except subprocess.CalledProcessError:
        sys.exit(f"cannot sign the release: gpg failed with the key {key} (gpg --list-secret-keys names the keys)")
    return signature


def publication(built: Path, key: str, version: str) -> str:
    """What was made, and the commands that publish it."""
    here = built.relative_to(CHECKOUT)
    signing = ("--local-user", key) if key else ("--annotate",)
    return "\n".join(
        [
            f"{here} can be released" + ("; the file beside it is its signature" if key else ", without a signature"),
            f"sha256 {hashlib.sha256(built.read_bytes()).hexdigest()}",
            "",
            "Nothing is published yet. These commands do it:",
            "",
            f"    {shlex.join(['git', 'tag', *signing, '--message', f'darwin.jail {version}', version])}",
            f"    git push origin {version}",
            f"    ansible-galaxy collection publish {here}",
        ]
    )


def check() -> int:
    copy()
    version = galaxy()["version"]
    complaints = write_notes(version)
    built = build_archive()
    complaints += artifact.complaints(built) + verdict(built)
    refusals = [
        f"`make release` will still refuse: {reason}" for reason in release_refusals.before_build(CHECKOUT, galaxy())
    ]
    print("\n".join(complaints or [f"{version} can be released: {built.relative_to(CHECKOUT)}", *refusals]))
    return int(bool(complaints))


def notes() -> int:
    """Write the notes in the copy, then put them into the checkout."""
    copy()
    version = galaxy()["version"]
    if complaints := release_refusals.before_notes(CHECKOUT, galaxy()) or write_notes(version):
        sys.exit("\n".join(complaints))
    for name in release_refusals.NOTES:
        shutil.copy2(COPY / name, CHECKOUT / name)
    for path in (CHECKOUT / "changelogs/fragments").glob("*.yml"):
        if not (COPY / path.relative_to(CHECKOUT)).exists():
            path.unlink()
    print(f"{', '.join(release_refusals.NOTES)} have the notes of {version}: read them, then commit")
    return 0


def build(key: str) -> int:
    data = galaxy()
    if refusals := release_refusals.before_build(CHECKOUT, data):
        sys.exit("\n".join(f"cannot release {data['version']}: {reason}" for reason in refusals))
    copy()
    built = build_archive()
    if complaints := artifact.complaints(built) + verdict(built):
        sys.exit("\n".join(complaints))
    if key:
        sign(built, key)
    print(publication(built, key, data["version"]))
    return 0


def main(words: list[str]) -> int:
    match words:
        case ["check"]:
            return check()
        case ["notes"]:
            return notes()
        case ["build", *key]:
            return build("".join(key))
    sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
