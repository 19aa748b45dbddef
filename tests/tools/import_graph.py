# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Figures of what module_utils imports of itself: import_graph.py [CHECKOUT ...]

For its files, and for its packages (a file beside them counts as one): how many there are, how many arrows lead from
one to another, how many levels these make, and which form a circle. Imports in functions count too.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path

UTILS = "plugins/module_utils"
PRIVATE = "_jail"
PREFIX = ("ansible_collections", "darwin", "jail", "plugins", "module_utils")

Name = tuple[str, ...]
Graph = dict[Name, set[Name]]


def files(checkout: Path) -> Graph:
    """By the file, which others of module_utils it imports."""
    top = checkout / UTILS
    paths = {path.relative_to(top).with_suffix("").parts: path for path in sorted(top.rglob("*.py"))}
    names = {name: path for name, path in paths.items() if name[-1] != "__init__"}
    return {name: {found for found in imported(name, path) if found in names} for name, path in names.items()}


def imported(name: Name, path: Path) -> Iterator[Name]:
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom):
            continue
        module = tuple(node.module.split(".")) if node.module else ()
        if node.level:
            module = name[: len(name) - node.level] + module
        elif module[: len(PREFIX)] == PREFIX:
            module = module[len(PREFIX) :]
        else:
            continue
        yield module
        yield from ((*module, alias.name) for alias in node.names)


def packages(graph: Mapping[Name, set[Name]]) -> Graph:
    """The same for what stands side by side at the top."""
    found: Graph = {}
    for name, others in graph.items():
        found.setdefault(package(name), set()).update(package(other) for other in others)
    return {name: others - {name} for name, others in found.items()}


def package(name: Name) -> Name:
    inner = name[1:] if name[0] == PRIVATE else name
    return inner[:1]


def circles(graph: Graph) -> list[set[Name]]:
    """Those of which each one leads to each other one."""
    reach = {name: reached(graph, name) for name in graph}
    found = {frozenset({name} | {other for other in reach[name] if name in reach[other]}) for name in graph}
    return sorted((set(circle) for circle in found if len(circle) > 1), key=sorted)


def reached(graph: Graph, name: Name) -> set[Name]:
    found: set[Name] = set()
    todo = [name]
    while todo:
        new = graph[todo.pop()] - found
        found |= new
        todo += new
    return found


def levels(graph: Graph) -> int:
    """How many stand above one another at most, a circle being one."""
    first = {name: min(circle) for circle in circles(graph) for name in circle}
    merged: Graph = {}
    for name, others in graph.items():
        one = first.get(name, name)
        merged.setdefault(one, set()).update({first.get(other, other) for other in others} - {one})
    height: dict[Name, int] = {}
    for name in TopologicalSorter(merged).static_order():
        height[name] = 1 + max((height[other] for other in merged[name]), default=0)
    return max(height.values(), default=0)


def figures(title: str, graph: Graph) -> str:
    arrows, found = sum(map(len, graph.values())), circles(graph)
    lines = [f"{title:9}{len(graph):4} nodes {arrows:5} arrows {levels(graph):3} levels {len(found):3} circles"]
    lines += [
        f"  {len(circle)} in a circle: {', '.join('/'.join(name) for name in sorted(circle))}" for circle in found
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    for checkout in sys.argv[1:] or [str(Path(__file__).parents[2])]:
        of_files = files(Path(checkout))
        print(checkout, figures("files", of_files), figures("packages", packages(of_files)), sep="\n")
