# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Real volumes that fill up at any point of a run, or whose disk cannot be read any more."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import OperationError, SpaceError
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import MARGIN, BuildSpec, build
from tree_snapshots import tree_differences, tree_snapshot
from volumes import volume as mounted

MB = 1_000_000
SPACE = re.compile(r"\(needs ([0-9.]+) (kB|MB), ([0-9.]+) (bytes|kB|MB) free\)")
BLOCK = 4096


@pytest.fixture
def wide(source: Path) -> Path:
    """8 MB in files of all sizes."""
    for number in range(120):
        path = source / f"usr/lib/group{number % 8}/part{number % 40}/file{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(1000) * (1 + 13 * (number % 12)))
    return source


def mount(image: Path, point: Path, size: int) -> None:
    """A small file system of its own, in a file."""
    point.mkdir(exist_ok=True)
    if not image.exists():
        with image.open("wb") as file:
            file.truncate(size)
        subprocess.run(["/usr/sbin/mkfs.ext4", "-q", "-b", str(BLOCK), image], check=True)
    made = subprocess.run(["mount", "-o", "loop,nodelalloc", image, point], check=False, capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no file can be mounted here: {made.stderr.strip()}")


@pytest.fixture
def volume(place: Path) -> Iterator[Path]:
    if not Path("/usr/sbin/mkfs.ext4").exists():
        pytest.skip("mkfs.ext4 is not installed")
    point = place / "volume"
    mount(place / "image", point, 40 << 20)
    yield point
    subprocess.run(["umount", point], check=True)


@pytest.mark.parametrize(
    ("options", "told"),
    [("nodev", ["/dev/null"]), ("nosuid", ["sudo and su"]), ("nosuid,nodev", ["/dev/null", "sudo and su"]), ("rw", [])],
)
@pytest.mark.parametrize("there", [False, True])
def test_what_a_jail_lacks_by_how_its_volume_is_mounted_is_said_before(
    place: Path, source: Path, options: str, told: list[str], there: bool
) -> None:
    with mounted("tmpfs", place / "external", options=options) as point:
        spec = BuildSpec(str(point / "jails/jail"), str(source), entries=[{"src": "/usr/"}])
        if there:
            build(spec, False)
        result = build(spec, True)
    said = [text for text in result.warnings if " is mounted " in text]
    assert len(said) == len(told)
    for number, text in enumerate(said):
        assert told[number] in text
        assert text.endswith("put the jail on a volume of an internal disk")


EVERY = 1 if "DARWIN_JAIL_KILLS" in os.environ else 5
"""Which of twenty points are tried: all of them by `make soak`."""


def fill(volume: Path, left: int) -> None:
    """Leave so many bytes of those that can be had; a file system keeps some for itself that it calls free, too."""
    with (volume / "other").open("wb", buffering=0) as file:
        with suppress(OSError):
            while file.write(bytes(1 << 16)):
                pass
        file.truncate(file.tell() - left)


def space(error: SpaceError) -> tuple[float, float]:
    """What is needed, and what is free, as the user is told it; in bytes."""
    found = SPACE.search(str(error))
    assert found, str(error)
    unit = {"bytes": 1, "kB": 1000, "MB": MB}
    return float(found[1]) * unit[found[2]], float(found[3]) * unit[found[4]]


def test_full_at_any_point(volume: Path, wide: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused before anything is written; or, when somebody takes the space meanwhile, told how much is missing."""
    spec = BuildSpec(str(volume / "jail"), str(wide), entries=[{"src": "/usr/"}, {"src": "/etc/"}], workers=2)
    all_of_it = sum(path.lstat().st_blocks * 512 for path in wide.rglob("*") if path.is_file())
    for point in range(0, 20, EVERY):
        fill(volume, 64 * BLOCK + all_of_it * point // 20)
        with pytest.raises(SpaceError, match=rf"^cannot build {volume}/jail: no space left on its volume \(") as error:
            build(spec, False)
        assert not (volume / "jail").exists()
        assert space(error.value)[0] == pytest.approx(all_of_it + MARGIN, rel=0.02)
        with monkeypatch.context() as unaware:
            unaware.setattr(
                "ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build._Builder._space_may_be_short",
                lambda _run: False,
            )
            with pytest.raises(
                SpaceError, match=rf"^cannot [a-z]+ {volume}/jail/.*: No space left on device \("
            ) as error:
                build(spec, False)
        needed, free = space(error.value)
        assert_no_part(volume / "jail", wide)
        there = sum(path.lstat().st_blocks * 512 for path in (volume / "jail/usr").rglob("*") if path.is_file())
        assert needed + there == pytest.approx(all_of_it + MARGIN, rel=0.02), f"point {point}"
        assert free < needed
        (volume / "other").unlink()
        fill(volume, int(needed * 1.02))  # just what it asked for
        build(spec, False)
        assert not build(spec, False).changed
        assert_no_part(volume / "jail", wide)
        assert len(list((volume / "jail/usr/lib").rglob("file*"))) == 120
        subprocess.run(["rm", "-rf", volume / "jail", volume / "other"], check=True)


def assert_no_part(jail: Path, source: Path) -> None:
    """What is there is there whole."""
    ours, theirs = (tree_snapshot(root / "usr/lib") if (root / "usr/lib").exists() else {} for root in (jail, source))
    shared = {path: seen for path, seen in theirs.items() if path in ours}
    assert [each for each in tree_differences(ours, shared) if "contents" in each[1] or "only" in each[1]] == []


def test_a_disk_that_cannot_be_read_in_the_middle_of_a_file(volume: Path, place: Path) -> None:
    """The image behind the volume is cut: from there on, the kernel says EIO."""
    pieces = [os.urandom(16) * (BLOCK // 16) for _piece in range(500)]
    (volume / "usr/share/whole").mkdir(parents=True)
    (volume / "usr/share/whole/file").write_text("whole")
    (volume / "usr/share/broken").write_bytes(b"".join(pieces))
    subprocess.run(["umount", volume], check=True)
    image, jail = place / "image", place / "jail"
    data = image.read_bytes()
    middle = data.index(pieces[250])
    mount(image, volume, 0)
    spec = BuildSpec(str(jail), str(volume), entries=[{"src": "/usr/"}])
    os.truncate(image, middle)
    with pytest.raises(OperationError) as error:
        build(spec, False)
    assert (
        str(error.value)
        == f"cannot create {jail}/usr/share/broken: Input/output error (a copy of {volume}/usr/share/broken)"
    )
    assert not (jail / "usr/share/broken").exists()
    assert os.listdir(jail / "private/var/db/darwin.jail/stage") == []
    subprocess.run(["umount", volume], check=True)
    image.write_bytes(data)
    mount(image, volume, 0)
    build(spec, False)
    assert (jail / "usr/share/broken").read_bytes() == b"".join(pieces)
    assert (jail / "usr/share/whole/file").read_text() == "whole"
    assert not build(spec, False).changed
