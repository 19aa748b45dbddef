# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What a run does grows with its input, or with n log n: calls are counted, not seconds, for n and for 4 n.

Counted are calls of functions of Python and of C, and so system calls, too.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from ansible_collections.darwin.jail.plugins.module_utils._jail.swap.swap import swap_in

MORE = 4
LINEARITHMIC = 1.25
"""What n log n may add to the factor of n."""

Prepared = Callable[[], Any]
Prepare = Callable[[Path, int], Prepared]


def calls(run: Prepared) -> int:
    """How many functions are called meanwhile."""
    count = 0

    def see(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal count
        if event in ("call", "c_call"):
            count += 1

    sys.setprofile(see)
    try:
        run()
    finally:
        sys.setprofile(None)
    return count


def spec(place: Path, *entries: dict[str, Any], **options: Any) -> BuildSpec:
    return BuildSpec(str(place / "jail"), str(place / "source"), entries=entries, workers=1, **options)


def files(directory: Path, count: int, suffix: str = "") -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (directory / f"{number:05}{suffix}").touch()


def nested(top: Path, levels: int) -> None:
    """A chain of directories, which is longer than any path may be."""
    top.mkdir(parents=True)
    fd = os.open(top, os.O_DIRECTORY)
    for _level in range(levels):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)


# -- inputs ---------------------------------------------------------------------


def excludes(place: Path, count: int) -> Prepared:
    """Globs of each kind, and four files for each of them."""
    files(place / "source/usr", 4 * count, ".h")
    globs = [f"x{number}{kind}" for number in range(count // 5) for kind in ("", "*", "/*")]
    globs += [f"*.{number}" for number in range(count // 5)] + [f"/usr/x{number}*x" for number in range(count // 5)]
    asked = spec(place, {"src": "/usr/"}, exclude=globs)
    return lambda: build(asked, check=True)


def globs_in_one_directory(place: Path, count: int) -> Prepared:
    files(place / "source/usr", count, ".h")
    asked = spec(place, *({"src": f"/usr/{number:05}*"} for number in range(count)))
    return lambda: build(asked, check=True)


def lines_of_a_manifest(place: Path, count: int) -> Prepared:
    """Half of them find a file, in one directory."""
    files(place / "source/usr", count)
    text = "".join(f"/usr/{number:05}\n/usr/none{number}\n" for number in range(count))
    (place / "some.files").write_text(text)
    asked = spec(place, manifests=[str(place / "some.files")])
    return lambda: build(asked, check=True)


def nested_directories(place: Path, count: int) -> Prepared:
    nested(place / "source/usr", count)
    asked = spec(place, {"src": "/usr/"})
    return lambda: build(asked, check=False)


def nested_directories_again(place: Path, count: int) -> Prepared:
    run = nested_directories(place, count)
    run()
    return run


def nested_directories_pruned(place: Path, count: int) -> Prepared:
    nested_directories(place, count)()
    (place / "source/bin").mkdir()
    return lambda: build(spec(place, {"src": "/bin/"}), check=False)


def directories_side_by_side(place: Path, count: int) -> Prepared:
    """Each of them has a directory, so that all of them wait at once."""
    for number in range(count):
        (place / f"source/usr/{number}/below").mkdir(parents=True)
    asked = spec(place, {"src": "/usr/"})
    return lambda: build(asked, check=False)


def merges(place: Path, count: int) -> Prepared:
    """Entries that lead into one directory, each with a file of its own."""
    for number in range(count):
        files(place / f"source/{number}", 1, str(number))
    asked = spec(place, *({"src": f"/{number}/", "dest": "/usr/"} for number in range(count)))
    return lambda: build(asked, check=False)


def merges_with_excludes(place: Path, count: int) -> Prepared:
    merges(place, count)
    asked = spec(place, *({"src": f"/{n}/", "dest": "/usr/"} for n in range(count)), exclude=["none*"])
    return lambda: build(asked, check=True)


def conflicts(place: Path, count: int) -> Prepared:
    """Directories with files of others where files are wanted, which have several names."""
    for number in range(count):
        files(place / f"source/usr/{number}", 1)
    asked = spec(place, {"src": "/usr/"})
    build(asked, check=False)
    for number in range(count):
        (place / f"jail/usr/{number}/mine").touch()
        shutil.rmtree(place / f"source/usr/{number}")
        (place / f"source/usr/{number}").touch()
        os.link(place / f"source/usr/{number}", place / f"source/usr/{number}.link")
    return lambda: build(asked, check=False)


def links(place: Path, count: int) -> Prepared:
    """Names of one file in one directory."""
    files(place / "source/usr", 1)
    for number in range(count):
        os.link(place / "source/usr/00000", place / f"source/usr/link{number}")
    asked = spec(place, {"src": "/usr/"})
    return lambda: build(asked, check=False)


def links_far_down(place: Path, count: int) -> Prepared:
    """A file with two names in each of many directories that lie in each other."""
    top = place / "source/usr" / "/".join("d" * (count // 4))
    for number in range(count):
        files(top, 1, str(number))
        os.link(top / f"00000{number}", top / f"link{number}")
    asked = spec(place, {"src": "/usr/"})
    return lambda: build(asked, check=False)


def carried_over(place: Path, count: int) -> Prepared:
    """Files of others, far down in a directory that both jails have, on their way to the next jail."""
    deep = "/".join("d" * (count // 4))
    files(place / "source/usr" / deep, 1)
    for jail in ("jail", "next.jail"):
        build(spec(place, {"src": "/usr/"})._replace(jail=str(place / jail)), check=False)
    files(place / "jail/usr" / deep, count, ".mine")
    return lambda: swap_in(str(place / "jail"), str(place / "next.jail"), check=False)


def one_directory(place: Path, count: int) -> Prepared:
    files(place / "source/usr", count)
    asked = spec(place, {"src": "/usr/"})
    return lambda: build(asked, check=False)


def pruned(place: Path, count: int) -> Prepared:
    """Files that are wanted no longer, far down."""
    one_directory(place, 0)
    files(place / "source/usr" / "/".join("d" * (count // 4)), count)
    build(spec(place, {"src": "/usr/"}), check=False)
    (place / "source/bin").mkdir()
    return lambda: build(spec(place, {"src": "/bin/"}), check=False)


INPUTS = [
    (excludes, 50),
    (globs_in_one_directory, 50),
    (lines_of_a_manifest, 100),
    (nested_directories, 100),
    (nested_directories_again, 100),
    (directories_side_by_side, 200),
    (merges, 50),
    (links, 50),
    (links_far_down, 100),
    (one_directory, 100),
    (merges_with_excludes, 50),
    (conflicts, 50),
    (carried_over, 100),
    (nested_directories_pruned, 100),
    (pruned, 100),
]


@pytest.mark.parametrize(("prepare", "count"), INPUTS, ids=lambda value: getattr(value, "__name__", None))
def test_grows_with_its_input(prepare: Prepare, count: int, place: Path) -> None:
    one, few, many = (_calls(prepare, place / str(number), number) for number in (4, count, MORE * count))
    assert many - one < MORE * LINEARITHMIC * (few - one)


def _calls(prepare: Prepare, folder: Path, count: int) -> int:
    folder.mkdir()
    return calls(prepare(folder, count))
