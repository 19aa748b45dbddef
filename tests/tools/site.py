# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Make the site of the documentation in .cache/docs/html; a warning is an error.

Sphinx wants all its sources in one folder, and follows no links out of it: the checkout is copied there,
beside what antsibull-docs writes about each module, plugin and role.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
MADE = CHECKOUT / ".cache/docs"
SOURCE = MADE / "source"
SITE = MADE / "html"
NO_SOURCES = (".git", ".venv", ".cache", ".ansible", ".*_cache", "__pycache__", "output")

REFERENCE = ("antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error")
SPHINX = ("sphinx-build", "--quiet", "--fail-on-warning", "--nitpicky", "--builder", "html")
PAGES_AS_READ = MADE / "doctrees"


def lay_out() -> None:
    """Nothing of an earlier run stays: a page that is gone would still be found."""
    for folder in (SOURCE, PAGES_AS_READ, SITE):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(CHECKOUT, SOURCE, ignore=shutil.ignore_patterns(*NO_SOURCES))
    shutil.copy(CHECKOUT / "docs/site/index.md", SOURCE)
    (SOURCE / "collection").mkdir()


def run(*command: str | Path) -> None:
    if status := subprocess.call(command, cwd=CHECKOUT):
        sys.exit(status)


def main() -> None:
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    lay_out()
    run(*REFERENCE, "--dest-dir", SOURCE / "collection", "darwin.jail")
    run(*SPHINX, "--conf-dir", CHECKOUT / "docs/site", "--doctree-dir", PAGES_AS_READ, SOURCE, SITE)
    print(f"the site is at {SITE.relative_to(CHECKOUT) / 'index.html'}")


if __name__ == "__main__":
    main()
