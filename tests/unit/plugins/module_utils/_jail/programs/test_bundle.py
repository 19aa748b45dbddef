# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Programs that are put together from modules."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import programs
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs.bundle import needed_lines, program

PLUGINS = Path(__file__).parents[6] / "plugins"
PROGRAMS = PLUGINS / "module_utils/_jail/programs"
USER = "{}\n\n\ndef answer() -> int:\n    return first() + second()\n"


def module(path: Path, text: str) -> ModuleType:
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    return importlib.util.module_from_spec(spec)


@pytest.mark.parametrize(
    "line",
    [
        "from .helper import first, second",
        "from .helper import (\n    first,\n    second,\n)",
        "from .helper import first  # (\nfrom .helper import second",
    ],
)
def test_imports_of_its_own_modules_are_left_out(tmp_path: Path, line: str) -> None:
    helper = module(
        tmp_path / "helper.py", "def first() -> int:\n    return 40\n\n\ndef second() -> int:\n    return 2\n"
    )
    text = program(helper, module(tmp_path / "user.py", USER.format(line)), call="found = answer()")
    names: dict[str, object] = {}
    exec(text, names)  # noqa: S102 (that is what a program is for)
    assert names["found"] == 42


def put_together() -> list[tuple[str, ...]]:
    """The names of the modules of each program, in the order of its text."""
    found = set()
    for path in PLUGINS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "program" and node.keywords:
                found.add(tuple(arg.id for arg in node.args if isinstance(arg, ast.Name)))
    return sorted(found)


@pytest.mark.parametrize("names", put_together(), ids="+".join)
def test_no_module_of_a_program_takes_a_name_of_another(names: tuple[str, ...]) -> None:
    """All of them are one text, in which the last one would win."""
    owners: dict[str, str] = {}
    for path in (PROGRAMS.parent / "dirfd.py", *(PROGRAMS / f"{name}.py" for name in names)):
        tree = ast.parse(path.read_text())
        for defined in {name for node in tree.body for name in defines(node)} - {"TYPE_CHECKING"}:  # False in each
            assert owners.setdefault(defined, path.name) == path.name, defined


def defines(node: ast.stmt) -> list[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)]


def test_docstrings_and_comments_are_left_out(tmp_path: Path) -> None:
    user = module(
        tmp_path / "user.py",
        '"""A text\n\nof several\nlines."""\n\n# Why\nWHERE = 4\n"""Of what."""\n\n\nclass OneError(Exception):  # x\n'
        '    """\n    Only this.\n    """\n\n\ndef answer() -> str:\n    """Say."""\n    return """x"""\n\n\n'
        'def nothing() -> None:\n    """Do nothing."""\n',
    )
    text = program(user, call="found = answer()")
    names: dict[str, object] = {}
    exec(text, names)  # noqa: S102 (that is what a program is for)
    assert (names["found"], names["WHERE"]) == ("x", 4)
    assert [word for word in ("several", "Why", "what", "Only", "Say", "Do") if word in text] == []


@pytest.mark.parametrize("name", sorted(path.stem for path in Path(programs.__path__[0]).glob("[a-z]*.py")))
def test_a_program_is_its_module_without_docstrings(name: str) -> None:
    file = Path(programs.__path__[0], f"{name}.py")
    assert ast.dump(code(ast.parse("\n".join(needed_lines(file.read_text()))))) == ast.dump(
        code(ast.parse(file.read_text()))
    )


class Code(ast.NodeTransformer):
    """Removes docstrings, what stands for one, and imports of own modules."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        constant = isinstance(node.value, ast.Constant) and node.value.value
        return None if constant is ... or isinstance(constant, str) else node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom | None:
        return None if node.level or node.module == "__future__" else node


def code(tree: ast.Module) -> ast.Module:
    return Code().visit(tree)  # type: ignore[no-any-return]
