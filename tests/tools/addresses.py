# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Write docs/docsite/links.yml, the links that antsibull-docs shows, from the addresses in galaxy.yml."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

CHECKOUT = Path(__file__).parents[2]
PAGE = CHECKOUT / "docs/docsite/links.yml"
HEAD = """\
---
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
# Made by tests/tools/addresses.py from galaxy.yml: change it there.
"""


class Dumper(yaml.SafeDumper):
    """Lists are indented below their key, as yamllint wants."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def links(galaxy: dict[str, str]) -> dict[str, Any]:
    """The links, in the form of antsibull-docs. Only a repository on GitHub has pages to edit a file."""
    address = urlsplit(galaxy["repository"])
    edit = {"repository": address.path.strip("/"), "branch": "main", "path_prefix": ""}
    return {
        **({"edit_on_github": edit} if address.hostname == "github.com" else {}),
        "extra_links": [
            {"description": "Report a bug or request a feature", "url": galaxy["issues"]},
            {"description": "Repository (sources)", "url": galaxy["repository"]},
        ],
        "communication": {
            "forums": [{"topic": "Ansible Forum: ask for help", "url": "https://forum.ansible.com/c/help/6/none"}]
        },
    }


def page() -> str:
    """The file as it should be."""
    galaxy = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text())
    return HEAD + yaml.dump(links(galaxy), Dumper=Dumper, sort_keys=False)


if __name__ == "__main__":
    PAGE.write_text(page())
