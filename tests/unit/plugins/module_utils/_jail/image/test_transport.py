# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Images travel to a real registry and back, by a real skopeo and, where there is one, a real crane."""

from __future__ import annotations

import base64
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, JailError
from ansible_collections.darwin.jail.plugins.module_utils._jail.image import logins, tools, transport
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.transfer import transfer
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import run_directories
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root
from containers import contents, environment, program
from image_jails import Make
from progress_reports import Reports, slow_down
from registry import Registry, registry

STATE = "private/var/db/darwin.jail"
OPTIONS: dict[str, Any] = {
    "name": "latest", "architecture": None, "entrypoint": [], "command": [], "user": None, "env": {},
    "working_dir": None, "labels": {}, "source_date_epoch": None, "auth_file": None, "username": None,
    "password": None, "plain_http": True, "retries": 0, "staging_path": None, "archive": None, "compression": "gzip",
}  # fmt: skip
PASSWORD = "words that nobody may see"  # noqa: S105
HASHED = "tester:$2b$04$Lc8z0ewXXGCak0TTEjLPVOedbaLOoMtnlPkNT6kL0RKfNIy1LL55C"
"""As htpasswd -B makes it of that password."""


@pytest.fixture(autouse=True, params=["skopeo", "crane"])
def tool(place: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A real one, with the libraries and the trust that it needs; it notes how it was called."""
    for folder in (place, place / "bin"):  # the user nobody runs it
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
    (place / "calls").touch()
    (place / "calls").chmod(0o666)
    monkeypatch.setattr(transport, "TOOL_DIRECTORIES", os.fsencode(place / "scratch"))
    name = str(request.param)
    if name == "crane" and not shutil.which("crane"):
        pytest.skip("crane is not here, and no package that tests could install has it")
    wrapper = place / "bin" / name
    trusting = "--insecure-policy" if name == "skopeo" else ""
    wrapper.write_text(
        f'#!/bin/sh\necho "$@" >> {place}/calls\nexport LD_LIBRARY_PATH={environment()["LD_LIBRARY_PATH"]}\n'
        f'exec {program(name)} {trusting} "$@"\n'
    )
    wrapper.chmod(0o755)
    monkeypatch.setattr(tools, "PLACES", (str(place / "bin"),))
    monkeypatch.setattr(transport, "PAUSE", 0.01)
    monkeypatch.setenv("HOME", str(place))
    return wrapper


@pytest.fixture
def served(place: Path) -> Iterator[Registry]:
    with registry(place / "registry") as running:
        yield running


def push(place: Path, reference: str, check: bool = False, **more: Any) -> Result:
    return transfer(options(place, "jail", "image", "exported", reference, more), check)


def pull(place: Path, reference: str, check: bool = False, **more: Any) -> Result:
    return transfer(options(place, "new", "deep/pulled", "present", reference, more), check)


def options(place: Path, jail: str, layout: str, state: str, reference: str, more: dict[str, Any]) -> dict[str, Any]:
    places = {"jail": str(place / jail), "layout": str(place / layout)}
    return {**OPTIONS, **places, "state": state, "reference": reference, **more}


def test_there_and_back(make_jail: Make, place: Path, served: Registry) -> None:
    make_jail("jail")
    reference = f"{served.host}/jails/dev:1"
    there = [push(place, reference, check) for check in (True, False, True, False)]
    assert [run.changed for run in there] == [True, True, False, False]
    assert there[0].diff == there[1].diff
    back = [pull(place, reference, check) for check in (True, False, True, False)]
    assert [run.changed for run in back] == [True, True, False, False]
    assert {run.values["digest"] for run in [*there, *back]} == {there[0].values["digest"]}
    shutil.rmtree(place / "jail/private/var/folders/zz")
    left = ("private/tmp/", "private/var/log/", "private/var/run/", STATE, "private/etc/fifo", "private/etc/socket",
            "Users/admin/._", "Users/admin/.DS_Store")  # fmt: skip
    assert contents(place / "new", (STATE,)) == contents(place / "jail", left)


def test_what_travels_is_said(
    make_jail: Make, place: Path, served: Registry, tool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program reports nothing, but what has arrived can be seen."""
    jail, reference = make_jail("jail"), f"{served.host}/jails/dev:1"
    (jail / "opt/homebrew/bin/large").write_bytes(os.urandom(1 << 20))
    tool.write_text(tool.read_text().replace("exec ", "sleep 0.2\n") + "rc=$?\nsleep 0.5\nexit $rc\n")
    slow_down(monkeypatch, 0.002)
    said = place / "progress"
    with Reports(said) as pushed:
        layers = push(place, reference, progress_file=str(said)).values["layers"]
    with Reports(said) as pulled:
        pull(place, reference, progress_file=str(said))
    whole = len(layers), sum(layer["size"] for layer in layers)
    sent = pushed.last("send")
    assert (sent["files_total"], sent["bytes_total"]) == whole
    fetched = pulled.last("fetch")
    assert (fetched["files_total"], fetched["bytes_total"], fetched["bytes"]) == (*whole, whole[1])
    assert fetched["free"] > 0
    assert pulled.last("verify")["bytes"] > 0.2 * whole[1]
    for reports in (pushed, pulled):
        reports.judge()


def test_what_is_sent_is_counted_while_it_is_sent(
    make_jail: Make, place: Path, served: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what the program has read of the layout; layers that the reference had before are not among it."""
    jail, reference = make_jail("jail"), f"{served.host}/jails/dev:1"
    push(place, reference)
    (jail / "opt/homebrew/bin/large").write_bytes(os.urandom(48 << 20))
    slow_down(monkeypatch, 0)
    said = place / "progress"
    with Reports(said) as reports:
        layers = push(place, reference, progress_file=str(said)).values["layers"]
    (new,) = (layer for layer in layers if layer["new"])
    sent = [report for report in reports.found if report["work"] == "send"]
    assert {(report["files_total"], report["bytes_total"]) for report in sent} == {(1, new["size"])}
    assert len({report["bytes"] for report in sent}) > 3
    assert sent[-1]["bytes"] > new["size"] / 2
    reports.judge()


def test_what_could_not_be_removed_goes_when_there_is_nothing_to_fetch(
    make_jail: Make, place: Path, served: Registry
) -> None:
    """As on a disk that failed at the end of the run that fetched."""
    reference = f"{served.host}/jails/dev:1"
    make_jail("jail")
    push(place, reference)
    original = run_directories._remove

    def fail(root: Root, name: bytes, warnings: list[str]) -> None:
        if not root.path.endswith(transport.TOOL_LAYOUT):
            original(root, name, warnings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_directories, "_remove", fail)
        assert pull(place, reference).changed
    (given,) = place.rglob(os.fsdecode(transport.TOOL_LAYOUT))
    before = sorted(given.rglob("*"))
    assert not pull(place, reference, check=True).changed
    assert sorted(given.rglob("*")) == before
    assert not pull(place, reference).changed
    assert not given.exists()


def test_only_missing_layers_travel(make_jail: Make, place: Path, served: Registry, tool: Path) -> None:
    jail = make_jail("jail")
    time.sleep(0.1)
    push(place, f"{served.host}/jails/dev:1")
    pull(place, f"{served.host}/jails/dev:1")
    sent, fetched = served.requests("PUT", "/blobs/uploads/"), served.requests("GET", "/blobs/")
    (jail / "opt/homebrew/bin/tmux").write_bytes(b"tmux")
    again = push(place, f"{served.host}/jails/dev:2")
    (new,) = (layer for layer in again.values["layers"] if layer["new"])
    assert new["name"] == "Homebrew"
    later = served.requests("PUT", "/blobs/uploads/")[len(sent) :]
    assert len(later) == 2  # the layer, and the configuration
    assert any(new["digest"].replace(":", "%3A") in uri for uri in later)
    pull(place, f"{served.host}/jails/dev:2", jail=str(place / "newer"))
    if tool.name == "skopeo":  # crane asks for all, and hangs up when it sees that one is there
        assert len(served.requests("GET", "/blobs/")) - len(fetched) == 2


def test_a_password_is_nowhere_to_be_seen(make_jail: Make, place: Path) -> None:
    make_jail("jail")
    (place / "users").write_text(f"{HASHED}\n")
    auth = f"auth: {{htpasswd: {{realm: jails, path: {place}/users}}}}"
    with registry(place / "registry", auth=auth) as running:
        reference = f"{running.host}/jails/dev:1"
        with pytest.raises(transport.TransportError, match=r"authentication required|unauthorized"):
            push(place, reference, username="tester", password="wrong")  # noqa: S106
        calls = len((place / "calls").read_text().splitlines())
        assert calls == 1
        assert push(place, reference, username="tester", password=PASSWORD).changed
        token = base64.b64encode(f"tester:{PASSWORD}".encode()).decode()
        (place / "auth.json").write_text(json.dumps({"auths": {running.host: {"auth": token}}}))
        assert pull(place, reference, auth_file=str(place / "auth.json")).changed
    said = (place / "calls").read_text()
    assert PASSWORD not in said
    assert token not in said
    assert not (place / "scratch").exists()


def test_tls_unless_told_otherwise(make_jail: Make, place: Path, served: Registry, tool: Path) -> None:
    """Of crane it would depend on the name of the registry."""
    make_jail("jail")
    said = "would speak to .* without TLS" if tool.name == "crane" else "server gave HTTP response to HTTPS client"
    with pytest.raises((transport.TransportError, InputError), match=said):
        push(place, f"{served.host}/jails/dev:1", plain_http=False, retries=3)


def test_a_failure_is_tried_again(make_jail: Make, place: Path, served: Registry, tool: Path) -> None:
    make_jail("jail")
    wrapper = tool
    (place / "failed").mkdir()
    (place / "failed").chmod(0o777)
    now = place / "failed/now"
    once = f"if [ ! -e {now} ]; then touch {now}; echo connection reset by peer >&2; exit 1; fi\n"
    wrapper.write_text(wrapper.read_text().replace("export", once + "export", 1))
    result = push(place, f"{served.host}/jails/dev:1", retries=1)
    assert result.changed
    assert result.warnings == [f"{tool.name} failed and is retried: connection reset by peer"]


def test_refusals(make_jail: Make, place: Path, served: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    make_jail("jail")
    with pytest.raises(InputError, match=f"there is no image {served.host}/jails/none:latest in the registry"):
        pull(place, f"{served.host}/jails/none")
    for wrong in ("dev", "--help", "registry.example.com/UPPER", "host/a b", "host/../x"):
        with pytest.raises(InputError, match="names no image in a registry"):
            push(place, wrong)
    with pytest.raises(InputError, match="is not a valid name for an image"):
        push(place, f"{served.host}/a:1", name="a:b")
    monkeypatch.setattr(tools, "PLACES", (str(place),))
    with pytest.raises(InputError, match=r"there is neither skopeo nor crane in .*brew install skopeo"):
        push(place, f"{served.host}/jails/dev:1")
    assert not (place / "new").exists()


def test_a_deployment_is_beside_the_jail_in_use(make_jail: Make, place: Path, served: Registry) -> None:
    """The first one is in its place; what a later one leaves is removed by the next, a jail that was built is not."""
    jail, reference = make_jail("jail"), f"{served.host}/jails/dev:1"
    beside = str(place / "next.new")
    made = []
    for version in ("1", "2", "3"):
        (jail / "opt/homebrew/bin/tmux").write_text(version)
        push(place, reference)
        predicted = pull(place, reference, check=True, staging_path=beside)
        made.append(pull(place, reference, staging_path=beside))
        assert (predicted.changed, predicted.values["path"]) == (True, made[-1].values["path"])
        assert not pull(place, reference, staging_path=beside).changed
    assert [run.values["path"] for run in made] == [str(place / "new"), beside, beside]
    assert (place / "new/opt/homebrew/bin/tmux").read_text() == "1"
    assert (place / "next.new/opt/homebrew/bin/tmux").read_text() == "3"
    shutil.rmtree(beside)
    make_jail("next.new")
    with pytest.raises(InputError, match="was not created from an image: save the data that you need"):
        pull(place, reference, staging_path=beside)


def test_another_image_of_the_layout_does_not_travel(make_jail: Make, place: Path, served: Registry) -> None:
    """Nor does pulling touch it; what only the former image of the name needed goes."""
    jail = make_jail("jail")
    push(place, f"{served.host}/jails/dev:1", name="first")
    (jail / "opt/homebrew/bin/tmux").write_text("2")
    push(place, f"{served.host}/jails/dev:2", name="second")
    for version in ("1", "2"):
        pull(place, f"{served.host}/jails/dev:{version}", jail=str(place / f"new{version}"))
    pull(place, f"{served.host}/jails/dev:1", jail=str(place / "other"), name="other")
    index = json.loads((place / "deep/pulled/index.json").read_text())
    assert [entry["annotations"]["org.opencontainers.image.ref.name"] for entry in index["manifests"]] == [
        "latest",
        "other",
    ]
    sizes = [len(list((place / layout / "blobs/sha256").iterdir())) for layout in ("image", "deep/pulled")]
    assert sizes[0] == sizes[1]
    pull(place, f"{served.host}/jails/dev:2", jail=str(place / "last"), name="other")
    assert len(list((place / "deep/pulled/blobs/sha256").iterdir())) < sizes[1]


@pytest.mark.parametrize(
    ("mischief", "said"),
    [
        ("echo x >>$made/index.json; ln -sf {secret} $made/index.json", "index.json"),
        ("rm -r $made/blobs; ln -s {blobs} $made/blobs", "symbolic link"),
        ("for b in $made/blobs/sha256/*; do rm $b; ln -s {secret} $b; done", "blobs/sha256"),
        ("for b in $made/blobs/sha256/*; do rm $b; mkfifo $b; done", "blobs/sha256"),
        ("for b in $made/blobs/sha256/*; do chmod u+w $b; sed -i s/a/b/ $b; done", "does not match its digest"),
        ("rm $made/index.json", "no layout of one image"),
        (
            'for b in $made/blobs/sha256/*; do grep -q "^{{" $b || printf damaged | dd of=$b conv=notrunc; done',
            "in what (skopeo|crane) made does not match its digest",
        ),
    ],
)
def test_a_program_that_somebody_replaced_spoils_nothing(
    make_jail: Make, place: Path, served: Registry, tool: Path, mischief: str, said: str
) -> None:
    """It is not root, gets what it needs, and all that it makes is compared with its digests."""
    make_jail("jail")
    push(place, f"{served.host}/jails/dev:1")
    secret = place / "secret"
    secret.write_text('{"auths": {"other.example": {"auth": "c2VjcmV0"}}}')
    secret.chmod(0o600)
    commands = mischief.format(secret=secret, blobs=place / "image/blobs")
    (tool.parent / "real").write_text(tool.read_text())
    (tool.parent / "real").chmod(0o755)
    tool.write_text(
        f'#!/bin/sh\nid -un >>{place}/calls\ncat {secret} >>{place}/calls\n{tool.parent}/real "$@" || exit\n'
        "for word; do made=$word; done; made=${made#oci:}; made=${made%:image}\n"
        f"case $made in {place}/deep/*) {commands};; esac\n"
    )
    os.chown(tool, 1000, 1000)
    before = sorted((place / "image/blobs/sha256").iterdir())
    with pytest.raises(JailError, match=said) as caught:
        pull(place, f"{served.host}/jails/dev:1", auth_file=str(secret))
    assert "c2VjcmV0" not in str(caught.value)
    assert sorted((place / "image/blobs/sha256").iterdir()) == before
    assert not (place / "new").exists()
    assert "c2VjcmV0" not in (place / "calls").read_text()
    assert "root" not in (place / "calls").read_text().splitlines()
    assert not list((place / "deep/pulled").glob(".darwin.jail.*"))


def test_what_a_program_made_cannot_be_changed_later(
    make_jail: Make, place: Path, served: Registry, tool: Path
) -> None:
    make_jail("jail")
    push(place, f"{served.host}/jails/dev:1")
    pull(place, f"{served.host}/jails/dev:1")
    for blob in (place / "deep/pulled").rglob("*"):
        assert (blob.stat().st_uid, blob.stat().st_mode & 0o022) == (0, 0)


@pytest.mark.parametrize(
    ("keys", "registry", "given"),
    [
        (["r.example", "other.example"], "r.example", ["r.example"]),
        (["https://r.example/v/", "r.example:5", "r.example/a"], "r.example", ["https://r.example/v/", "r.example/a"]),
        (["https://index.docker.io/v1/"], "docker.io", ["https://index.docker.io/v1/", "docker.io"]),
        (["evil-r.example", "r.example.evil", "x"], "r.example", []),
    ],
)  # fmt: skip
def test_only_the_login_of_the_registry_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: list[str], registry: str, given: list[str]
) -> None:
    file = tmp_path / ".docker/config.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"auths": {key: {"auth": "x"} for key in keys}, "credsStore": "osxkeychain"}))
    wanted = {"auths": {key: {"auth": "x"} for key in given}}
    assert json.loads(logins.of_file(registry, str(file))) == wanted
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE"):
        monkeypatch.delenv(name, raising=False)
    assert json.loads(logins.of_root(registry) or b"") == wanted
    file.write_text("[]")
    with pytest.raises(InputError, match="it is not a login file"):
        logins.of_file(registry, str(file))
    file.unlink()
    assert logins.of_root(registry) is None
