# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Generated layers, hostile and odd ones among them: umoci makes the same tree of them, or docs/images.md says why not.

What the inspection accepts can be unpacked, also by a run after one that was killed; what it refuses leaves nothing.
`make soak` tries 2,000 images. To see a single one: python tests/fixtures/layer_layouts.py SEED.
"""

from __future__ import annotations

import gzip
import itertools
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import layer_oracle
import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import JailError
from ansible_collections.darwin.jail.plugins.module_utils._jail.image import unpack
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.config import GO_NAMES, Layer, manifest
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.layout import (
    CONFIG_TYPE,
    MANIFEST_TYPE,
    digest_of,
    encode,
    open_layout,
)
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos.release import architecture
from ansible_collections.darwin.jail.plugins.module_utils._jail.protected import LEADING, STATE, safe_mode
from containers import contents, program
from killed_imports import DIED, KillAt
from layer_layouts import OPAQUE, MadeImage, MadeLayer, Row, archive, image
from tree_snapshots import FileState

COUNT = 2000 if "DARWIN_JAIL_KILLS" in os.environ else 200
BATCH = 100
PAGE = Path(__file__).parents[2] / "docs/images.md"
GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
TYPES = {
    "gzip": (GZIP, "application/vnd.docker.image.rootfs.diff.tar.gzip"),
    "plain": ("application/vnd.oci.image.layer.v1.tar", "application/vnd.docker.image.rootfs.diff.tar"),
    "zstd": ("application/vnd.oci.image.layer.v1.tar+zstd", "application/vnd.docker.image.rootfs.diff.tar.zstd"),
}
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 1),
    "plain": lambda data: data,
    "zstd": lambda data: subprocess.run(["zstd", "-qc1"], input=data, check=True, capture_output=True).stdout,
}

REASONS = {
    r"is an absolute path|contains '\.\.'": "absolute, or contains `..`",
    r"lies below .*, which is not a directory": "lies below a link or a file",
    r"is a hard link to .*not an earlier file": "hard link to a target that is not an earlier file or link",
    r"is a link that climbs|is a link to nowhere": "symbolic link that climbs out of the jail, or leads nowhere",
    r"is a device that a jail has no use for": "device that a jail has no use for",
    r"is neither file, directory nor link": "block device, FIFO, or member of an unknown type",
    r"keeps its own files|that every jail has": "the collection's own directory, or one that leads to it",
    r"is a whiteout that hides no name": "whiteout that hides no name",
    r"longer than a path|has a name of more than": "path of more than 1023 bytes, or a name that the volume",
    r"is sparse": "sparse file",
    r"an? (owner|group|size|time) that is not": "owner, a group, a size or a time that is not possible",
}
"""By the message of a refusal, what the page says."""


Layers = tuple[MadeLayer, ...]


def _whiteouts_first(layers: Layers) -> Layers:
    return tuple(layer._replace(rows=(*_hiding(layer), *_others(layer))) for layer in layers)


def _contiguous_as_files(layers: Layers) -> Layers:
    return tuple(
        layer._replace(rows=tuple(row._replace(kind=row.kind.replace("contiguous", "file")) for row in layer.rows))
        for layer in layers
    )


def _directories_named(layers: Layers) -> Layers:
    """With an entry for each directory that is implied."""
    there: set[str] = {"."}
    made = []
    for layer in layers:
        for row in _hiding(layer):
            parent, name = os.path.split(row.path)
            if name == OPAQUE:
                there = {path for path in there if not path.startswith(parent + "/")}
            else:
                hidden = os.path.join(parent, name[len(".wh.") :]) + "/"
                there = {path for path in there if not (path + "/").startswith(hidden)}
        rows = _hiding(layer)
        for row in _others(layer):
            parts = row.path.split("/")
            for parent in ("/".join(parts[:count]) for count in range(1, len(parts))):
                if parent not in there:
                    rows.append(Row(parent + "/", "directory", fields=(("mode", 0o755),)))
                    there.add(parent)
            if row.kind != "directory":
                there = {path for path in there if not path.startswith(row.path + "/")}
            there.add(row.path)
            rows.append(row)
        made.append(layer._replace(rows=tuple(rows)))
    return tuple(made)


def _hiding(layer: MadeLayer) -> list[Row]:
    return [row for row in layer.rows if row.base.startswith(".wh.")]


def _others(layer: MadeLayer) -> list[Row]:
    return [row for row in layer.rows if not row.base.startswith(".wh.")]


WRONG: dict[str, Callable[[Layers], Layers]] = {
    "A whiteout that follows the files of its layer": _whiteouts_first,
    "A contiguous file": _contiguous_as_files,
    "A directory that no entry names": _directories_named,
}
"""By what the page says that umoci does otherwise than is specified, the same layers written so that it need not."""
WAYS = [ways for count in (1, 2, 3) for ways in itertools.combinations(WRONG, count)]


def put(where: Path, made: MadeImage, for_umoci: bool) -> None:
    """A layout of the image; umoci reads no layers but those of gzip."""
    with closing(open_layout(os.fsencode(where), check=False)) as store:
        layers = []
        for number, layer in enumerate(made.layers):
            packing = "gzip" if for_umoci or (layer.packing == "zstd" and not shutil.which("zstd")) else layer.packing
            data = archive(layer)
            kind = GZIP if for_umoci else TYPES[packing][(made.seed + number) % 2]
            layers.append(Layer("made", digest_of(data), store.put(kind, PACK[packing](data))))
        config = {
            "os": "darwin",
            "architecture": GO_NAMES[architecture()],
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        }
        described = store.put(MANIFEST_TYPE, encode(manifest(store.put(CONFIG_TYPE, encode(config)), layers)))
        store.add("latest", described.as_json())


def by_umoci(place: Path, images: Iterable[MadeImage]) -> dict[int, layer_oracle.Told]:
    folder = place / "theirs"
    folder.mkdir()
    for made in images:
        put(folder / str(made.seed), made, for_umoci=True)
    found = layer_oracle.unpacked(folder)
    shutil.rmtree(folder)
    return {int(seed): answer for seed, answer in found.items()}


def by_us(place: Path, made: MadeImage, monkeypatch: pytest.MonkeyPatch) -> layer_oracle.Told:
    """What we say or make of it; nothing is there when we refuse, and a run after a killed one makes the same."""
    layout, jail = place / "ours", place / "new"
    put(layout, made, for_umoci=False)

    def make(check: bool) -> None:
        unpack.unpack(str(jail), str(layout), "latest", check)

    try:
        predicted = _told(lambda: make(check=True))
        said = _told(lambda: make(check=False))
        assert (said, jail.exists()) == (predicted, not predicted), made.text()
        if said:
            return said, {}
        found = contents(jail, (os.fsdecode(STATE),))
        assert os.listdir(jail / os.fsdecode(STATE) / "stage") == []
        shutil.rmtree(jail)
        _be_killed(make, made.seed % sum(len(layer.rows) for layer in made.layers), monkeypatch)
        make(check=False)
        assert contents(jail, (os.fsdecode(STATE),)) == found, made.text()
        return "", found
    finally:
        shutil.rmtree(jail, ignore_errors=True)
        shutil.rmtree(layout)


def _told(call: Callable[[], None]) -> str:
    try:
        call()
    except JailError as exc:
        return str(exc)
    return ""


def _be_killed(make: Callable[[bool], None], moment: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        KillAt(patch, moment + 1)
        said = _told(lambda: make(False))
    assert not said or re.match(DIED, said), said


def comparable(
    ours: dict[str, FileState], theirs: dict[str, FileState]
) -> tuple[dict[str, FileState], dict[str, FileState]]:
    """With what every jail has: directories that lead to the collection's own, which are root's."""
    ours, theirs = dict(ours), dict(theirs)
    for path in (os.fsdecode(path) or "." for path in LEADING):
        if path not in theirs:
            ours.pop(path)
        else:
            state = theirs[path]
            theirs[path] = state._replace(mode=safe_mode(state.mode), owner=(0, state.owner[1]))
    for path, state in theirs.items():
        theirs[path] = state._replace(time=max(0, state.time))  # what is before 1970 becomes 1970
    return ours, theirs


def agree(ours: layer_oracle.Told, theirs: layer_oracle.Told) -> bool:
    if ours[0] or theirs[0]:
        return bool(ours[0]) == bool(theirs[0])
    one, other = comparable(ours[1], theirs[1])
    return one == other


def reason(said: str) -> str:
    return next((text for pattern, text in REASONS.items() if re.search(pattern, said)), "")


def rewritten(made: MadeImage, ways: Iterable[str]) -> MadeImage:
    layers = made.layers
    for way in ways:
        layers = WRONG[way](layers)
    return made._replace(layers=layers)


def judge(place: Path, images: list[MadeImage], monkeypatch: pytest.MonkeyPatch) -> tuple[Counter[str], list[str]]:
    """How many there are of each verdict, and those that nothing explains."""
    counts: Counter[str] = Counter()
    theirs = by_umoci(place, images)
    ours, differ = {}, []
    for made in images:
        ours[made.seed] = said, _tree = by_us(place, made, monkeypatch)
        if agree(ours[made.seed], theirs[made.seed]):
            counts["both refuse" if said else "same"] += 1
        elif said and reason(said):
            counts[f"refused by us: {reason(said)}"] += 1
        else:
            differ.append(made)
    for ways in WAYS:
        again = by_umoci(place, [rewritten(made, ways) for made in differ]) if differ else {}
        for made in list(differ):
            if not ours[made.seed][0] and agree(ours[made.seed], again[made.seed]):
                counts[f"umoci wrong: {' and '.join(ways)}"] += 1
                differ.remove(made)
    return counts, [f"{made.text()}\n{_difference(ours[made.seed], theirs[made.seed])}" for made in differ]


def _difference(ours: layer_oracle.Told, theirs: layer_oracle.Told) -> str:
    if ours[0] or theirs[0]:
        return f"we say: {ours[0] or 'nothing'}\numoci says: {theirs[0] or 'nothing'}"
    one, other = comparable(ours[1], theirs[1])
    paths = sorted(path for path in {*one, *other} if one.get(path) != other.get(path))
    return "\n".join(f"{path!r}: ours {one.get(path)}, theirs {other.get(path)}" for path in paths)


def test_the_tree_that_umoci_makes(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program("umoci")
    counts: Counter[str] = Counter()
    unexplained: list[str] = []
    for start in range(0, COUNT, BATCH):
        found, more = judge(place, [image(seed) for seed in range(start, start + BATCH)], monkeypatch)
        counts += found
        unexplained += more
    print("\n".join(f"{count:5} {verdict}" for verdict, count in sorted(counts.items())))
    assert not unexplained, "\n\n".join(unexplained[:5])
    assert sum(counts.values()) == COUNT
    assert counts["same"] > COUNT / 3
    assert counts["both refuse"] > COUNT / 20
    if COUNT >= 2000:  # a list that says too much would explain what it should not
        said = " ".join(counts)
        assert [text for text in (*REASONS.values(), *WRONG) if text not in said] == []


def test_the_page_lists_what_we_refuse_and_where_umoci_is_wrong() -> None:
    page = " ".join(PAGE.read_text().split())
    for text in (*REASONS.values(), *WRONG):
        assert text in page
