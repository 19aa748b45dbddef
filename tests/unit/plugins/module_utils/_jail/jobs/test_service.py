# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A service is installed, restarted when it does not repair itself, and awaited. Its job is a real program."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.jobs import service
from ansible_collections.darwin.jail.plugins.module_utils._jail.jobs.service import Service
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos.launchd import Job
from ansible_collections.darwin.jail.plugins.module_utils._jail.plan import Change
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from launchctl import Launchctl
from waiting import until


class Bench:
    """Services that keep a file: they create it, and again within a tenth of a second after its removal."""

    def __init__(self, folder: Path, launchctl: Launchctl) -> None:
        self.folder, self.launchctl = folder, launchctl
        self.broken = folder / "broken"

    def service(self, name: str) -> Service:
        file = self.folder / name
        script = f"while :; do test -e {self.broken} && echo out of order || : > {file}; sleep 0.1; done"
        job = Job(f"darwin.jail.test.{name}", ("/bin/sh", "-c", script))
        return Service(job, lambda: "" if file.exists() else f"{name} is missing", 1.0, "keep", bytes(file))

    def ensure(self, *names: str, check: bool = False, timeout: float = 20) -> Result:
        services = [self.service(name) for name in names]
        changes = [change for one in services for change in service.plan(one)]
        return service.ensure(services, changes, timeout, check)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    launchctl = Launchctl(tmp_path)
    launchctl.install(tmp_path, monkeypatch)
    yield Bench(tmp_path, launchctl)
    launchctl.close()


def test_check_real_check_real_of_several(bench: Bench) -> None:
    predicted = bench.ensure("one", "two", check=True)
    assert (predicted.changed, bench.launchctl.loaded) == (True, {})
    assert bench.ensure("one", "two").diff == predicted.diff
    assert (bench.folder / "one").exists()
    assert (bench.folder / "two").exists()
    assert [bench.ensure("one", "two", check=check).changed for check in (True, False)] == [False, False]


def test_what_the_job_repairs_is_no_change(bench: Bench) -> None:
    bench.ensure("one")
    (bench.folder / "one").unlink()
    assert not bench.ensure("one").changed


def test_one_that_does_not_repair_itself_is_restarted(bench: Bench) -> None:
    bench.ensure("one")
    (process,) = bench.launchctl.loaded.values()
    process.kill()
    process.wait()
    (bench.folder / "one").unlink()
    assert bench.ensure("one").diff == ["~ launchd job darwin.jail.test.one (restarted, for one is missing)"]
    until((bench.folder / "one").exists)


def test_one_that_does_not_work_is_an_error_with_the_last_line_of_its_log(bench: Bench) -> None:
    bench.broken.touch()
    with pytest.raises(OperationError) as caught:
        bench.ensure("one", timeout=1)
    where = bench.folder / "one"
    assert str(caught.value) == f"cannot keep {where}: one is missing after 1 seconds (its job says: out of order)"


def test_preparation_comes_first_and_saves_the_wait_for_a_repair(bench: Bench) -> None:
    """The job may only have needed that."""
    bench.ensure("one")
    bench.broken.touch()
    (bench.folder / "one").unlink()
    repair = Change("- what breaks it", bench.broken.unlink)
    kept = bench.service("one")
    changes = service.plan(kept, [repair])
    assert changes == [repair]
    assert service.ensure([kept], changes, 20, check=False).changed
    assert (bench.folder / "one").exists()
