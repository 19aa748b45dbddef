# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Write docs/reference.md: tables of all playbooks, modules, plugins and roles, each with a sentence from its source.

A playbook says what it does in the comment at its top, modules and plugins in their documentation, roles in their
argument specs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).parents[2]
PAGE = CHECKOUT / "docs/reference.md"
HEAD = """# Playbooks, modules, plugins and roles

Names are full: `ansible-playbook darwin.jail.build_jail` runs a playbook, `ansible-doc darwin.jail.darwin_jail_rootfs`
documents a module, `ansible-doc -t role darwin.jail.base` a role. The variables are in [variables.md](variables.md).
`make docs` makes a site with the documentation of each of them. This page is made by `tests/tools/reference.py`.
"""
PLUGINS = ("connection", "become", "inventory", "callback", "filter", "lookup")
"""The kinds that people name. Action plugins have the names of modules and belong to them."""
GUIDES = {
    "bootstrap_mac": "roles/mac/README.md",
    "build_jail": "docs/guide-first-jail.md",
    "check_jail": "docs/guide-check.md",
    "clone_jail": "docs/clones.md",
    "configure_jail": "docs/guide-configure.md",
    "deploy_jail": "docs/images.md",
    "destroy_vms": "docs/virtual-machines.md",
    "ephemeral_run": "docs/guide-ci.md",
    "provision_vms": "docs/virtual-machines.md",
    "publish_image": "docs/images.md",
    "report": "docs/report.md",
    "selftest": "docs/selftest.md",
    "update_jail": "docs/guide-update.md",
}
"""The page about a playbook, when there is one."""
COMMENT = re.compile(r"\A---\n(?:#.*\n)*?#\n((?:# .*\n)+)")
SENTENCE = re.compile(r".+?[.:](?= [A-Z]|$)")
IDENTIFIER = re.compile(r"[\w./]*[a-z]_[\w./:]*\w")
DOCUMENTATION = re.compile(r'^DOCUMENTATION = r"""\n(.*?)"""', re.DOTALL | re.MULTILINE)


def playbooks() -> Iterator[tuple[str, str]]:
    """Their names, and the first sentence of the comments at their tops."""
    for path in sorted(CHECKOUT.glob("playbooks/*.yml")):
        comment = COMMENT.search(path.read_text())
        text = " ".join(line.strip("# ") for line in comment[1].splitlines()) if comment else ""
        sentence = SENTENCE.match(text)
        if not sentence:
            raise ValueError(f"{path}: the comment at its top does not begin with a sentence")
        yield path.stem, IDENTIFIER.sub(r"`\g<0>`", sentence[0].rstrip(".:"))


def documented(kind: str) -> Iterator[tuple[str, str]]:
    """Names and short descriptions of the modules, or of the plugins of a kind."""
    for path in sorted(CHECKOUT.glob(f"plugins/{kind}/*.py")):
        if found := DOCUMENTATION.search(path.read_text()):
            yield path.stem, short_description(yaml.safe_load(found[1]))


def roles() -> Iterator[tuple[str, str]]:
    for path in sorted(CHECKOUT.glob("roles/*/meta/argument_specs.yml")):
        specs = yaml.safe_load(path.read_text())["argument_specs"]
        yield path.parts[-3], short_description(specs.get("main") or next(iter(specs.values())))


def short_description(documentation: dict[str, Any]) -> str:
    return str(documentation["short_description"]).rstrip(".")


def linked(name: str, target: str) -> str:
    """The full name, with a link to a file of the project where there is one."""
    full = f"`darwin.jail.{name}`"
    if not (CHECKOUT / target).is_file():
        return full
    return f"[{full}]({target.removeprefix('docs/') if target.startswith('docs/') else '../' + target})"


def table(heading: str, head: str, rows: Iterator[str]) -> str:
    columns = head.count("|") - 1
    return f"\n## {heading}\n\n{head}\n{'|---' * columns}|\n" + "".join(f"{row}\n" for row in rows)


def page() -> str:
    plugins = ((kind, name, text) for kind in PLUGINS for name, text in documented(kind))
    return HEAD + "".join(
        (
            table(
                "Playbooks",
                "| playbook | what it does |",
                (f"| {linked(name, GUIDES.get(name, ''))} | {text} |" for name, text in playbooks()),
            ),
            table(
                "Modules",
                "| module | what it does |",
                (f"| `darwin.jail.{name}` | {text} |" for name, text in documented("modules")),
            ),
            table(
                "Plugins",
                "| plugin | kind | what it is for |",
                (f"| `darwin.jail.{name}` | {kind} | {text} |" for kind, name, text in plugins),
            ),
            table(
                "Roles",
                "| role | what it does |",
                (f"| {linked(name, f'roles/{name}/README.md')} | {text} |" for name, text in roles()),
            ),
        )
    )


if __name__ == "__main__":
    PAGE.write_text(page())
