# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""Only published values: anything else is refused with what is known."""

from __future__ import annotations

import pytest
from host import releases


@pytest.mark.parametrize("arch", releases.DEFAULTS)
def test_defaults_are_published(arch: str) -> None:
    version, cpu = releases.DEFAULTS[arch]
    facts = releases.kernel_facts(releases.release_for(version, arch), releases.machine_for(cpu, arch), "mac.local")
    assert facts["kern.version"].startswith(f"Darwin Kernel Version {facts['kern.osrelease']}: ")
    assert facts["hw.machine"] == arch


def test_unknown_release() -> None:
    with pytest.raises(releases.UnknownReleaseError, match=r"macOS 13\.7\.8 on arm64; known: .*13\.7\.8 \(x86_64\)"):
        releases.release_for("13.7.8", "arm64")


def test_unknown_machine() -> None:
    with pytest.raises(releases.UnknownReleaseError, match="i5, ivybridge"):
        releases.machine_for("m1", "x86_64")
