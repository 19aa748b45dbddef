# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Answers of a registry are kept apart from what a user writes, and images that it has from those asked for."""

from __future__ import annotations

import json
import os
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.image import logins, tools, transport
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.config import GO_NAMES
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.layout import INDEX_TYPE, MANIFEST_TYPE, digest_of
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.transfer import transfer
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos.release import architecture
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from containers import environment, program
from image_jails import Make
from registry import Registry, registry
from registry_answers import answering, errors

OPTIONS: dict[str, Any] = {
    "name": "latest", "architecture": None, "entrypoint": [], "command": [], "user": None, "env": {},
    "working_dir": None, "labels": {}, "source_date_epoch": None, "auth_file": None, "username": None,
    "password": None, "plain_http": True, "retries": 0, "staging_path": None,
    "stop_processes": False, "archive": None, "compression": "gzip",
}  # fmt: skip
HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")
WHOLE = "https://index.docker.io/v1/"


@pytest.fixture(autouse=True)
def tool(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real skopeo, with the libraries and the trust that it needs."""
    for folder in (place, place / "bin"):  # the user nobody runs it
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
    wrapper = place / "bin/skopeo"
    library = environment()["LD_LIBRARY_PATH"]
    wrapper.write_text(
        f'#!/bin/sh\nexport LD_LIBRARY_PATH={library}\nexec {program("skopeo")} --insecure-policy "$@"\n'
    )
    wrapper.chmod(0o755)
    monkeypatch.setattr(transport, "TOOL_DIRECTORIES", os.fsencode(place / "scratch"))
    monkeypatch.setattr(transport, "PAUSE", 0.01)
    monkeypatch.setattr(tools, "PLACES", (str(place / "bin"),))
    monkeypatch.setenv("HOME", str(place))


@pytest.fixture
def served(place: Path) -> Iterator[Registry]:
    with registry(place / "registry") as running:
        yield running


def push(place: Path, reference: str, check: bool = False, **more: Any) -> Result:
    places = {"jail": str(place / "jail"), "layout": str(place / "image"), "state": "exported"}
    return transfer({**OPTIONS, **places, "reference": reference, **more}, check)


def pull(place: Path, reference: str, check: bool = False, **more: Any) -> Result:
    places = {"jail": str(place / "new"), "layout": str(place / "pulled"), "state": "present"}
    return transfer({**OPTIONS, **places, "reference": reference, **more}, check)


def asked(reference: str, **more: Any) -> bytes | None:
    return transport.Registry(reference, transport.RegistryAuth(plain_http=True, retries=0, **more)).manifest()


# -- not there, or not known ------------------------------------------------------------


def nobody_listens() -> int:
    """On this port, whose number holds 404."""
    for port in (14040, 24040, 34040, 40404, 54040, 14041, 4040):
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)):
                return port
    raise AssertionError("all of them are in use")


@pytest.mark.parametrize("path", ["jails/dev:1", "jails/404:404", "manifest/unknown:MANIFEST_UNKNOWN"])
def test_no_answer_is_not_that_there_is_no_image(make_jail: Make, place: Path, path: str) -> None:
    reference = f"127.0.0.1:{nobody_listens()}/{path}"
    with pytest.raises(transport.TransportError, match="connection refused"):
        pull(place, reference)
    make_jail("jail")
    with pytest.raises(transport.TransportError, match="connection refused"):
        push(place, reference, check=True)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", errors("MANIFEST_UNKNOWN", "manifest unknown")),
        ("application/json", errors("MANIFEST_UNKNOWN", "The named manifest is not known to the registry.")),
        ("application/json", errors("NAME_UNKNOWN", "repository name not known to registry")),
        ("application/json", errors("NOT_FOUND", "artifact jails/dev:1 not found")),
        ("text/plain", b"nothing here"),
        ("text/html", b"<html>\n<h1>gone</h1>\n</html>"),
    ],
)
@pytest.mark.parametrize("path", ["jails/dev:1", "denied/500:unauthorized"])
def test_an_image_that_is_not_there(kind: str, body: bytes, path: str) -> None:
    """The password is not cut out of what is said before it is understood."""
    with answering(404, kind, body) as host:
        assert asked(f"{host}/{path}", username="u", password="n") is None  # noqa: S106


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (500, errors("UNKNOWN", "manifest unknown 404"), "500 Internal Server Error"),
        (403, errors("DENIED", "manifest unknown"), "denied"),
        (503, b"StatusCode: 404, manifest unknown", "503 Service Unavailable"),
    ],
)
def test_a_registry_that_fails(status: int, body: bytes, said: str) -> None:
    with answering(status, "application/json", body) as host:
        with pytest.raises(transport.TransportError, match=said):
            asked(f"{host}/manifest/unknown:404")


@pytest.mark.parametrize(("status", "path", "tried"), [(500, "denied/unauthorized:denied", 1), (403, "jails/dev:1", 0)])
def test_a_name_does_not_end_the_attempts(status: int, path: str, tried: int) -> None:
    with answering(status, "application/json", errors("DENIED", "requested access is denied")) as host:
        asking = transport.Registry(f"{host}/{path}", transport.RegistryAuth(plain_http=True, retries=1))
        with pytest.raises(transport.TransportError):
            asking.manifest()
        assert len(asking.warnings) == tried


@pytest.mark.parametrize(
    ("said", "lacks"),
    [
        ("Error: fetching manifest {r}: GET https://h/v2/a/manifests/1: MANIFEST_UNKNOWN: manifest unknown; 1", True),
        ("Error: fetching manifest {r}: GET https://h/v2/a/manifests/1: NAME_UNKNOWN: repository not known", True),
        ("Error: fetching manifest {r}: GET https://h/v2/a/manifests/1: NOT_FOUND: artifact not found", True),
        ("Error: fetching manifest {r}: GET https://h/v2/a/manifests/1: unexpected status code 404 Not Found: x", True),
        ("2023/01/31 10:11:12 fetching manifest {r}: GET http://h/v2/a/manifests/1: MANIFEST_UNKNOWN: x", True),
        ("Error: fetching manifest {r}: GET https://h/v2/: unexpected status code 404 Not Found", False),
        ("Error: fetching manifest {r}: GET https://h/v2/a/manifests/1: DENIED: MANIFEST_UNKNOWN", False),
        ("Error: fetching manifest {r}: GET https://h/v2/a/manifests/1: unexpected status code 500 x: 404", False),
        ("Error: fetching manifest {r}: Get https://{r}/v2/: dial tcp: lookup registry404: no such host", False),
    ],
)
@pytest.mark.parametrize("reference", ["registry.example/a:1", "registry404:404/MANIFEST_UNKNOWN:404"])
def test_what_crane_says(said: str, lacks: bool, reference: str) -> None:
    assert bool(tools.Crane.not_found.match(said.format(r=reference))) is lacks


# -- what is there ------------------------------------------------------------------------


def put(served: Registry, path: str, kind: str, data: bytes) -> str:
    """A manifest, by its maker; returns its digest."""
    name, tag = path.rsplit(":", 1)
    url = f"http://{served.host}/v2/{name}/manifests/{tag}"
    request = urllib.request.Request(url, data, {"Content-Type": kind}, method="PUT")
    urllib.request.urlopen(request).close()  # noqa: S310
    return digest_of(data)


def test_an_index_of_two_platforms(make_jail: Make, place: Path, served: Registry) -> None:
    """The prediction and the result are the same, and the second time there is nothing to do."""
    make_jail("jail")
    here = GO_NAMES[architecture()]
    images = []
    for machine in ("amd64", "arm64"):
        done = push(place, f"{served.host}/jails/dev:{machine}", architecture=machine)
        digest = done.values["digest"]
        size = (place / "image/blobs/sha256" / digest.partition(":")[2]).stat().st_size
        platform = {"os": "darwin", "architecture": machine}
        images.append({"mediaType": MANIFEST_TYPE, "digest": digest, "size": size, "platform": platform})
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": images}).encode()
    of_both = put(served, "jails/dev:both", INDEX_TYPE, index)
    runs = [pull(place, f"{served.host}/jails/dev:both", check) for check in (True, False, True, False)]
    assert [run.changed for run in runs] == [True, True, False, False]
    (wanted,) = (image["digest"] for image in images if image["platform"] == {"os": "darwin", "architecture": here})
    assert {run.values["digest"] for run in runs} == {wanted}
    assert not pull(place, f"{served.host}/jails/dev@{of_both}", check=True).changed
    of_none = put(served, "jails/dev:none", INDEX_TYPE, index.replace(b'"darwin"', b'"linux"'))
    for reference in ("jails/dev:none", f"jails/dev@{of_none}"):
        with pytest.raises(InputError, match=f"has no image for darwin/{here}"):
            pull(place, f"{served.host}/{reference}", check=True)


def test_by_its_digest(make_jail: Make, place: Path, served: Registry) -> None:
    make_jail("jail")
    digest = push(place, f"{served.host}/jails/dev:1").values["digest"]
    reference = f"{served.host}/jails/dev@{digest}"
    runs = [pull(place, reference, check) for check in (True, False, True, False)]
    assert [run.changed for run in runs] == [True, True, False, False]
    assert {(run.values["digest"], run.values["reference"]) for run in runs} == {(digest, reference)}
    before = sorted((place / "image").rglob("*"))
    with pytest.raises(InputError, match="it names an image by its digest"):
        push(place, reference, name="other")
    assert sorted((place / "image").rglob("*")) == before
    with pytest.raises(InputError, match="there is no image"):
        pull(place, f"{served.host}/jails/dev@sha256:{'0' * 64}")
    with pytest.raises(InputError, match="names no image in a registry"):
        pull(place, f"{served.host}/jails/dev@sha256:0")


def test_a_manifest_that_is_not_what_its_digest_says(place: Path) -> None:
    with answering(200, MANIFEST_TYPE, b'{"schemaVersion": 2}') as host:
        with pytest.raises((InputError, transport.TransportError), match="digest"):
            asked(f"{host}/jails/dev@sha256:{'0' * 64}")


def test_a_damaged_layer_is_fetched_again(make_jail: Make, place: Path, served: Registry) -> None:
    make_jail("jail")
    reference = f"{served.host}/jails/dev:1"
    push(place, reference)
    layers = pull(place, reference).values["layers"]
    for layer in layers[1:3]:
        damage(place / "pulled", layer["digest"])
    again = pull(place, reference, jail=str(place / "again"))
    assert again.changed
    for layer in layers:
        name = layer["digest"].partition(":")[2]
        assert (place / "pulled/blobs/sha256" / name).read_bytes() == (place / "image/blobs/sha256" / name).read_bytes()


def damage(layout: Path, digest: str) -> None:
    """One bit of a blob, as a disk might."""
    path = layout / "blobs/sha256" / digest.partition(":")[2]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


# -- logins -------------------------------------------------------------------------------


@pytest.mark.parametrize("registry", HUB)
def test_the_login_of_docker_hub_lies_where_it_is_looked_for(tmp_path: Path, registry: str) -> None:
    of_name = json.loads(logins.of_name(registry, "u", "p"))["auths"]
    assert {WHOLE, "docker.io", registry} <= set(of_name)
    assert len({json.dumps(login) for login in of_name.values()}) == 1
    for key in (*HUB, WHOLE, "index.docker.io/v1/", "https://docker.io"):
        (tmp_path / "auth.json").write_text(json.dumps({"auths": {key: {"auth": "x"}, "other.example": {"auth": "y"}}}))
        found = json.loads(logins.of_file(registry, str(tmp_path / "auth.json")))["auths"]
        assert {WHOLE, "docker.io", registry} <= set(found)
        assert set(map(json.dumps, found.values())) == {'{"auth": "x"}'}
    (tmp_path / "auth.json").write_text(json.dumps({"auths": {"docker.io/team": {"auth": "x"}}}))
    assert set(json.loads(logins.of_file(registry, str(tmp_path / "auth.json")))["auths"]) == {"docker.io/team"}


BROKEN = ["text", "list", "auths", "login", "word", "deep", "missing", "directory", "fifo", "large", "device", "loop"]


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_login_file_is_named_before_anything_is_done(make_jail: Make, place: Path, what: str) -> None:
    make_jail("jail")
    file = place / "logins.json"
    texts = {
        "text": "user: me", "list": "[]", "auths": '{"auths": []}', "login": '{"auths": {"r.example": "x"}}',
        "word": '{"auths": {"r.example": {"auth": 5}}}', "deep": "[" * 100000, "large": " " * (1 << 21),
    }  # fmt: skip
    if what in texts:
        file.write_text(texts[what])
    elif what == "directory":
        file.mkdir()
    elif what == "fifo":
        os.mkfifo(file)
    elif what == "device":
        file.symlink_to("/dev/zero")
    elif what == "loop":
        file.symlink_to(file)
    said = "not a regular file" if what in ("fifo", "device") else ""
    for act in (push, pull):
        for check in (True, False):
            with pytest.raises(InputError, match=f"^cannot read auth_file {file}: {said}[^\n]*$"):
                act(place, "r.example/jails/dev:1", check, auth_file=str(file))
    assert not (place / "image").exists()
    assert not (place / "pulled").exists()


def test_a_broken_login_file_of_roots_own_is_named_too(make_jail: Make, place: Path) -> None:
    make_jail("jail")
    (place / ".docker").mkdir()
    (place / ".docker/config.json").write_text("{")
    with pytest.raises(InputError, match=f"^cannot read root's login file {place}/.docker/config.json: "):
        push(place, "r.example/jails/dev:1")
