# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Rules of this code that import-linter and ruff cannot check: sizes, texts for people, the platform.

`violations(tree)` looks at a whole checkout, `inspect(file)` at one file.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MODULE_LINES = 40
FUNCTION_LINES = 60
FILE_LINES = 400

DOCUMENTS = {"DOCUMENTATION", "EXAMPLES", "RETURN"}

SHOWING = frozenset(("show", "shown", "host_path"))
"""What makes a text for people of a path."""
MAY_BE_SHOWN = re.compile(
    "show|shown|failed|number_error|Report|append|add|join|parse_json|parse|descriptor_of|open_error|remove_directory|key"
    "|mounts_below|warn|warning|fail_json|kind|Service|[A-Za-z]*Error"
)
"""What takes one: it says it, says where something was, or compares it with the mount table."""
KNOWS_THE_PLATFORM = "plugins/module_utils/_jail/system/platform/current.py"
STAND_IN = re.compile(r"stand[-_ ]?in\b", re.IGNORECASE)
TELLS_THEM_APART = "plugins/plugin_utils/_jail/proof.py"
"""What is written of a run on a stand-in must not be taken for a proof."""


@dataclass(frozen=True)
class Violation:
    path: str
    line: int
    rule: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}"


class Source:
    """One Python file of the collection, known by its path from the top of the checkout."""

    def __init__(self, path: str, text: str) -> None:
        self.path, self.text = path, text
        self.parts = Path(path).parts
        self.tree = ast.parse(text)

    @property
    def layer(self) -> str:
        """module_utils, modules, connection, action ... or "" outside plugins/."""
        return self.parts[1] if self.parts[0] == "plugins" else ""

    def found(self, line: int, rule: str) -> Violation:
        return Violation(self.path, line, rule)


def one_file_asks_for_the_platform(file: Source) -> Iterator[Violation]:
    if not file.layer or file.path == KNOWS_THE_PLATFORM:
        return
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("sys.platform", "os.uname", "platform.system"):
            yield file.found(node.lineno, f"only {KNOWS_THE_PLATFORM} may ask for the platform ({ast.unparse(node)})")


def _callee(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def what_is_shown_is_no_path(file: Source) -> Iterator[Violation]:
    """Two paths can be shown alike: a text made for people goes into messages, and nothing is found or opened by it."""
    if not file.layer:
        return
    for scope in ast.walk(file.tree):
        if not isinstance(scope, ast.FunctionDef):
            continue
        inside = list(ast.walk(scope))
        texts = {
            target.id
            for node in inside
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _callee(node.value) in SHOWING
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in inside:
            if isinstance(node, ast.Call) and not MAY_BE_SHOWN.fullmatch(_callee(node)):
                given = [*node.args, *(keyword.value for keyword in node.keywords)]
                if any(
                    (isinstance(one, ast.Call) and _callee(one) in SHOWING)
                    or (isinstance(one, ast.Name) and one.id in texts)
                    for one in given
                ):
                    yield file.found(node.lineno, f"{_callee(node)} may not be given a text that is made for people")


def modules_are_thin(file: Source) -> Iterator[Violation]:
    """A module is documentation, an argument spec and a main() that reads as a table of contents."""
    if file.layer != "modules":
        return
    statements = [node for node in file.tree.body if not _is_document(node)]
    lines = {number for node in statements for number in range(node.lineno, (node.end_lineno or 0) + 1)}
    code = [n for n in lines if (text := file.text.splitlines()[n - 1].strip()) and not text.startswith("#")]
    if len(code) > MODULE_LINES:
        yield file.found(
            1, f"a module has at most {MODULE_LINES} lines of code without its documentation ({len(code)})"
        )


def _is_document(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign):
        return any(isinstance(target, ast.Name) and target.id in DOCUMENTS for target in node.targets)
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def everything_fits(file: Source) -> Iterator[Violation]:
    """A function fits on a screen, a file has one subject."""
    if (length := len(file.text.splitlines())) > FILE_LINES:
        yield file.found(1, f"a file has at most {FILE_LINES} lines ({length})")
    for node in ast.walk(file.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield file.found(node.lineno, f"a function has at most {FUNCTION_LINES} lines ({node.name}: {length})")


RULES = (
    one_file_asks_for_the_platform,
    what_is_shown_is_no_path,
    modules_are_thin,
    everything_fits,
)


def inspect(file: Source) -> list[Violation]:
    return [violation for rule in RULES for violation in rule(file)]


def mentions_of_the_stand_in(path: str, text: str) -> list[Violation]:
    """What users install must not know what it is tested on."""
    rule = "plugins, roles and playbooks may not know of the stand-in"
    lines = enumerate(text.splitlines(), 1)
    return [Violation(path, number, rule) for number, line in lines if STAND_IN.search(line)]


def violations(top: Path) -> list[Violation]:
    found = []
    for path in sorted(top.glob("plugins/**/*.py")) + sorted(top.glob("tests/**/*.py")):
        if "output" not in path.parts:
            found += inspect(Source(str(path.relative_to(top)), path.read_text()))
    for folder in ("plugins", "roles", "playbooks"):
        for path in sorted((top / folder).rglob("*")):
            if path.is_file() and path.suffix != ".pyc" and str(path.relative_to(top)) != TELLS_THEM_APART:
                found += mentions_of_the_stand_in(str(path.relative_to(top)), path.read_text(errors="replace"))
    return found


if __name__ == "__main__":
    lines = violations(Path(__file__).parents[2])
    print(*lines, sep="\n")
    sys.exit(1 if lines else 0)
