# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""How Sphinx makes the site of the documentation; `make docs` runs it (tests/tools/site.py).

The site's sources are the Markdown pages as they lie in the repository, so that their links work in both places,
and what antsibull-docs says about each module, plugin and role.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from docutils import nodes
from pygments.lexers.special import TextLexer

project = "darwin.jail"
project_copyright = "2026, darwin.jail contributors"

extensions = ["myst_parser", "sphinx_antsibull_ext"]
include_patterns = [
    "index.md",
    "README.md",
    "CHANGELOG.md",
    "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/*.md",
    "docs/proofs/README.md",
    "roles/*/README.md",
    "tests/*/README.md",
    "collection/*.rst",
]
myst_heading_anchors = 4
nitpicky = True
# Options are written with two hyphens.
smartquotes = False

html_theme = "furo"
html_title = "darwin.jail"
html_copy_source = False
galaxy = yaml.safe_load((Path(__file__).parents[2] / "galaxy.yml").read_text())
if urlsplit(galaxy["repository"]).hostname == "github.com":  # else the theme does not know the addresses of pages
    html_theme_options = {"source_repository": galaxy["repository"], "source_branch": "main", "source_directory": ""}


ANSIBLE = "https://docs.ansible.com/ansible/latest"
KINDS_OF_PLUGINS = {
    f"{kind}_plugins" for kind in ("action", "become", "callback", "connection", "filter", "inventory", "lookup")
}
PAGES_OF_ANSIBLE = {
    "ansible_configuration_settings": "reference_appendices/config.html",
    "common_return_values": "reference_appendices/common_return_values.html",
}


def page_of_ansible(kind: str, name: str) -> str | None:
    """Where Ansible's own documentation has what antsibull-docs refers to by a label or a variable's name."""
    if kind == "envvar":
        return f"reference_appendices/config.html#envvar-{name}"
    owner, _dot, plugin = name.rpartition(".")
    if owner == "ansible_collections.ansible.builtin":
        return f"collections/ansible/builtin/{plugin}.html"
    if name in KINDS_OF_PLUGINS:
        return f"plugins/{name.removesuffix('_plugins')}.html"
    return PAGES_OF_ANSIBLE.get(name)


def refer_to_ansible(_app: Any, _env: Any, node: Any, content: Any) -> nodes.reference | None:
    """An inventory of Ansible's labels would do this too, but would have to be fetched for each build."""
    page = page_of_ansible(node["reftype"], node["reftarget"])
    return page and nodes.reference("", "", content, internal=False, refuri=f"{ANSIBLE}/{page}")


def leave_contents_to_the_theme(_app: Any, document: nodes.document) -> None:
    """The theme has the contents of a page at its side, and complains in the page when it has them, too."""
    for topic in list(document.findall(nodes.topic)):
        if "contents" in topic["classes"]:
            topic.parent.remove(topic)


def setup(app: Any) -> None:
    app.add_lexer("mermaid", TextLexer)  # pictures are drawn where the repository is shown; here their text is read
    app.connect("doctree-read", leave_contents_to_the_theme)
    app.connect("missing-reference", refer_to_ansible)
