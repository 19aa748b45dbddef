# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Jobs are written, loaded, compared and removed, with launchctl's exit codes as reported (docs/macos.md)."""

from __future__ import annotations

import os
import plistlib
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.host_state import plan_removal
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos import launchd, suspended_jobs
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos.launchd import Job
from ansible_collections.darwin.jail.plugins.module_utils._jail.plan import Change
from launchctl import Launchctl

NAME = "darwin.jail.test-00000000.dns"
JOB = Job(NAME, ("/usr/bin/true", "x"), {"program.py": b"print()\n"})


@pytest.fixture
def launchctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Launchctl]:
    if os.geteuid():
        pytest.skip("jobs are root's")
    fake = Launchctl(tmp_path)
    fake.install(tmp_path, monkeypatch)
    yield fake
    fake.close()


def execute(steps: list[Change]) -> list[str]:
    for step in steps:
        step.apply()
    return [step.description.splitlines()[0] for step in steps]


def test_a_job_is_written_then_loaded_and_left_alone_afterwards(launchctl: Launchctl, tmp_path: Path) -> None:
    planned = launchd.plan_present(JOB)
    assert not list(tmp_path.rglob("*.plist")), "planning wrote something"
    execute(planned)
    assert launchctl.asked == ["enable", "bootstrap"]
    plist = tmp_path / "Library/LaunchDaemons" / f"{NAME}.plist"
    found = plistlib.loads(plist.read_bytes())
    assert (found["Label"], found["ProgramArguments"], found["KeepAlive"]) == (NAME, ["/usr/bin/true", "x"], True)
    assert found["ExitTimeOut"] == launchd.EXIT_TIMEOUT == 20, "what the programs rely on"
    program = tmp_path / launchd.installed_path(NAME, "program.py")[1:]
    assert program.read_bytes() == b"print()\n"
    for path, mode in ((plist, 0o644), (program, 0o755)):
        status = path.stat()
        assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (0, 0, mode)
    assert launchd.plan_present(JOB) == []


@pytest.mark.parametrize(
    "changed", [JOB._replace(arguments=("/usr/bin/false",)), JOB._replace(files={"program.py": b"other"})]
)
def test_a_job_that_changes_is_unloaded_first(launchctl: Launchctl, changed: Job) -> None:
    execute(launchd.plan_present(JOB))
    launchctl.asked.clear()
    done = execute(launchd.plan_present(changed))
    assert launchctl.asked == ["bootout", "enable", "bootstrap"]
    assert done[0] == f"- launchd job {NAME}"
    assert done[-1] == f"+ launchd job {NAME}"
    assert launchd.plan_present(changed) == []


@pytest.mark.parametrize("kill_before", [1, 2, 3])
def test_a_run_that_is_killed_leaves_what_the_next_one_completes(launchctl: Launchctl, kill_before: int) -> None:
    """Whatever is loaded was loaded as it is written."""
    execute(launchd.plan_present(JOB))
    changed = Job(NAME, ("/usr/bin/false",), {"program.py": b"other"})
    execute(launchd.plan_present(changed)[:kill_before])
    launchctl.asked.clear()
    execute(launchd.plan_present(changed))
    assert launchctl.asked == ["enable", "bootstrap"]
    assert launchd.plan_present(changed) == []


@pytest.mark.parametrize("killed_after", [0, 1, 2, 3])
def test_a_removal_that_is_killed_is_found_and_finished(
    launchctl: Launchctl, tmp_path: Path, killed_after: int
) -> None:
    execute(launchd.plan_present(JOB))
    planned = launchd.plan_absent(NAME)
    assert len(planned) == 4
    execute(planned[:killed_after])
    assert launchd.labels("darwin.jail.test-") == [NAME]
    execute(launchd.plan_absent(NAME))
    assert (launchd.labels(""), launchctl.loaded, launchd.plan_absent(NAME)) == ([], {}, [])
    assert not list(tmp_path.rglob(f"{NAME}*"))


def test_the_plist_is_shown_as_a_diff(launchctl: Launchctl) -> None:
    execute(launchd.plan_present(JOB))
    text = "\n".join(step.description for step in launchd.plan_present(JOB._replace(arguments=("/usr/bin/true", "y"))))
    assert "-       <string>x</string>" in text
    assert "+       <string>y</string>" in text
    assert "\t" not in text  # which show_message() would escape


@pytest.mark.parametrize("spoil", ["mode", "contents", "owner", "link"])
def test_what_others_changed_is_repaired(launchctl: Launchctl, tmp_path: Path, spoil: str) -> None:
    execute(launchd.plan_present(JOB))
    path = tmp_path / launchd.installed_path(NAME, "program.py")[1:]
    if spoil == "mode":
        path.chmod(0o777)
    elif spoil == "owner":
        os.chown(path, 501, 20)
    else:
        path.unlink()
        path.symlink_to("/bin/sh") if spoil == "link" else path.write_bytes(b"prinT()\n")
    execute(launchd.plan_present(JOB))
    assert launchctl.asked[-3:] == ["bootout", "enable", "bootstrap"]
    assert (path.read_bytes(), path.stat().st_uid, path.stat().st_mode & 0o777) == (b"print()\n", 0, 0o755)


@pytest.mark.parametrize("codes", [[37], [5, 5, 37]])
def test_loading_while_the_old_one_ends_is_tried_again(launchctl: Launchctl, codes: list[int]) -> None:
    launchctl.answers["bootstrap"] = codes
    execute(launchd.plan_present(JOB))
    assert NAME in launchctl.loaded


def test_what_cannot_be_loaded_is_said(launchctl: Launchctl) -> None:
    launchctl.answers["bootstrap"] = [5] * 1000
    with pytest.raises(OperationError, match=rf"cannot load the launchd job {NAME}: bootstrap failed \(exit code 5\)"):
        execute(launchd.plan_present(JOB))
    launchctl.answers["bootstrap"] = [125]
    with pytest.raises(OperationError, match="exit code 125"):
        execute(launchd.plan_present(JOB))


def test_to_know_nothing_is_not_to_be_absent(launchctl: Launchctl) -> None:
    launchctl.answers["print"] = [1]
    with pytest.raises(OperationError, match="cannot look for the launchd job"):
        launchd.plan_present(JOB)


def test_a_job_is_removed_with_all_that_is_its_own(launchctl: Launchctl, tmp_path: Path) -> None:
    execute(launchd.plan_present(JOB))
    log = tmp_path / f"private/var/log/darwin.jail/{NAME}.log"
    log.write_text("one\ntwo\n")
    assert launchd.last_log_line(NAME) == "two"
    other = Job("darwin.jail.other-00000000.dns", ("/usr/bin/true",))
    execute(launchd.plan_present(other))
    execute(launchd.plan_absent(NAME))
    assert set(launchctl.loaded) == {other.label}
    assert [path.name for path in tmp_path.rglob("*") if NAME in str(path)] == []
    assert launchd.plan_absent(NAME) == []
    assert launchd.labels("darwin.jail.") == [other.label]


@pytest.mark.parametrize("code", [3, 36, 113])
def test_unloading_what_is_going_already(launchctl: Launchctl, code: int) -> None:
    execute(launchd.plan_present(JOB))
    planned = launchd.plan_absent(NAME)
    launchctl.answers["bootout"] = [code]
    for process in launchctl.loaded.values():
        process.wait()
    launchctl.loaded.clear()
    execute(planned)


def test_what_does_not_end_is_said(launchctl: Launchctl) -> None:
    execute(launchd.plan_present(JOB._replace(keys={"ExitTimeOut": 0})))
    launchctl.answers["bootout"] = [36]
    with pytest.raises(OperationError, match="it still runs after 0 seconds"):
        execute(launchd.plan_absent(NAME))


def test_a_mark_stays_until_nothing_but_the_start_can_fail(launchctl: Launchctl) -> None:
    def refuse() -> AbstractContextManager[object]:
        raise InputError("the port is in use")

    execute(launchd.plan_present(JOB))
    suspended_jobs.mark([NAME])
    suspended_jobs.stop_service(NAME)
    with pytest.raises(InputError, match="the port is in use"):
        execute(launchd.plan_present(JOB, refuse))
    assert suspended_jobs.suspended("") == [NAME]
    execute(launchd.plan_present(JOB))
    assert suspended_jobs.suspended("") == []


def test_services_end_before_the_mounts_that_wait_for_them(launchctl: Launchctl) -> None:
    jobs = [Job(launchd.label(b"/jail", purpose), ("/usr/bin/true",)) for purpose in ("mount.b", "service.c")]
    execute([step for job in jobs for step in launchd.plan_present(job)])
    unloads = [step for step in execute(plan_removal(b"/jail")) if step.startswith("- launchd job")]
    assert unloads == [f"- launchd job {job.label}" for job in reversed(jobs)]


def test_names_are_readable_and_differ() -> None:
    one, two = launchd.label(b"/private/var/jails/dev", "dns"), launchd.label(b"/private/var/other/dev", "dns")
    assert one.startswith("darwin.jail.dev-")
    assert one.endswith(".dns")
    assert one != two
    assert launchd.label("/a/b c/grüße %".encode(), "dns").isascii()


@pytest.mark.parametrize("word", ["/mounts/\x01", "/mounts/\udcff", "/mounts/\n", "/mounts/\r"])
def test_what_a_property_list_cannot_hold(word: str) -> None:
    with pytest.raises(InputError, match=r"cannot write the launchd job darwin\.jail\.x: a path or an option"):
        launchd.plan_present(launchd.Job("darwin.jail.x", ("/bin/true", word)))
