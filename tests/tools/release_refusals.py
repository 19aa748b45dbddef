# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Reasons why a version must not be released, each a sentence with what to do."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

ADDRESSES = ("repository", "issues", "homepage", "documentation")
"""Fields of galaxy.yml; no other file has an address of the project, but docs/docsite/links.yml, made of them."""
PLACEHOLDER = ".example"
"""The top-level domain of examples (RFC 2606), which no server can have."""
NOTES = ("CHANGELOG.md", "changelogs/changelog.yaml")


def is_placeholder(address: str) -> bool:
    return (urlsplit(address).hostname or "").endswith(PLACEHOLDER)


def placeholders(galaxy: dict[str, Any]) -> list[str]:
    """The fields of galaxy.yml that have no address yet."""
    return [name for name in ADDRESSES if not galaxy.get(name) or is_placeholder(galaxy[name])]


def before_notes(top: Path, galaxy: dict[str, Any]) -> list[str]:
    """Why the notes of this version cannot be written."""
    return [*_dirty(top), *_tagged(top, galaxy["version"])]


def before_build(top: Path, galaxy: dict[str, Any]) -> list[str]:
    """Why this version cannot be released."""
    return [*_unset(galaxy), *_dirty(top), *_tagged(top, galaxy["version"]), *_without_notes(top, galaxy["version"])]


def _unset(galaxy: dict[str, Any]) -> Iterator[str]:
    if names := placeholders(galaxy):
        yield (
            f"galaxy.yml has placeholders as {', '.join(names)} "
            "(set them to where the project is published, then run tests/tools/addresses.py)"
        )


def _dirty(top: Path) -> Iterator[str]:
    if names := [line[3:] for line in _git(top, "status", "--porcelain").splitlines()]:
        yield f"{names[0]} differs from the last commit (commit or remove it)"


def _tagged(top: Path, version: str) -> Iterator[str]:
    if tags := _git(top, "tag", "--list", version, f"v{version}").split():
        yield f"the tag {tags[0]} already exists (raise version in galaxy.yml)"


def _without_notes(top: Path, version: str) -> Iterator[str]:
    released = yaml.safe_load((top / "changelogs/changelog.yaml").read_text())["releases"] or {}
    if version not in released:
        yield "changelogs/changelog.yaml has no notes of it (run make release-notes, read them, and commit)"
    elif left := sorted(path.name for path in (top / "changelogs/fragments").glob("*.yml")):
        yield f"changelogs/fragments/{left[0]} is not in its notes (run make release-notes again)"


def _git(top: Path, *words: str) -> str:
    return subprocess.check_output(["git", *words], cwd=top, text=True)
