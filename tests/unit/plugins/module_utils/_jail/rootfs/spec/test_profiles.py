# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Jails from the built-in profiles, of trees that are laid out as each release of macOS is on each processor."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit.jail_info import gather
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.jail import open_jail
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos import release
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.spec import profile_lists, profiles
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.resolve import Resolver
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root
from macos_trees import BUILDS, CRYPTEX, DYLD, MACS, ROSETTA, TRANSLATED, Mac, mac, make

ARM, NEWER, INTEL = mac(15), mac(26), mac(15, "x86_64")
EACH = pytest.mark.parametrize("mac", MACS, ids=lambda mac: f"{mac.version}-{mac.arch}")
EVERY_PROFILE = pytest.mark.parametrize("profile", profile_lists.PROFILES)


@pytest.fixture
def jail(place: Path, monkeypatch: pytest.MonkeyPatch) -> Jail:
    return Jail(place, monkeypatch)


class Jail:
    """A jail of a tree that this machine, for the time of a test, is the Mac of."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.source, self.path, self._monkeypatch = place / "source", place / "jail", monkeypatch

    def build(
        self, mac: Mac, profile: str, *, haswell: bool | None = True, check: bool = False, **options: Any
    ) -> Result:
        self._monkeypatch.setattr(profiles, "architecture", lambda: mac.arch)
        self._monkeypatch.setattr(profiles, "is_haswell", lambda: haswell)
        if not self.source.exists():
            make(self.source, mac)
        return build(BuildSpec(str(self.path), str(self.source), profile=profile, **options), check=check)

    def caches(self) -> set[str]:
        return {path.name for path in (self.path / DYLD).iterdir()}

    def leads_to(self, path: str) -> str | None:
        """What a path leads to for a program in the jail; None when nowhere."""
        with Root(str(self.path)) as root:
            real, there = Resolver(root).resolve(path.encode(), True)
        return real.decode() if there else None


def files_of(mac: Mac, arch: str) -> set[str]:
    family = mac.family(arch)
    return {family.name, *(family.name + suffix for suffix in family.suffixes())}


@EACH
@EVERY_PROFILE
def test_every_release_and_processor(jail: Jail, mac: Mac, profile: str) -> None:
    result = jail.build(mac, profile)
    assert not result.warnings
    # the cache that dyld prefers here, whole, and no other file
    assert jail.caches() == files_of(mac, "arm64e" if mac.arch == "arm64" else "x86_64h")
    # what a shell and its tools need
    for path in (
        "bin/sh",
        "usr/lib/dyld",
        "usr/libexec/path_helper",
        "usr/libexec/sshd-session",
        "etc/localtime",
        "usr/share/zoneinfo/Europe/Berlin",
        "usr/share/terminfo/78/xterm-256color",
        "usr/share/locale/en_US.UTF-8/LC_CTYPE",
        "usr/share/icu/icudt74l.dat",
        "System/Library/CoreServices/.SystemVersionPlatform.plist",
        "System/Library/Keychains/SystemRootCertificates.keychain",
        "System/Library/Sandbox/Profiles/dyld-support.sb",
        "System/Library/Perl/5.34/strict.pm",
        "etc/ssl/cert.pem",
        "etc/pam.d/sudo",
        "var/select/sh",
    ):
        if path == "var/select/sh":
            assert (jail.path / "private" / path).is_symlink()
        else:
            assert jail.leads_to(path), path
    # what would act on the Mac, or speaks of it
    for path in ("sbin/halt", "sbin/reboot", "sbin/shutdown", "private/var/select/developer_dir"):
        assert jail.leads_to(path) is None
        assert not (jail.path / path).is_symlink()
    # what is people's, or shows people's a second time
    for path in ("System/Volumes", "Users/admin", "private/var/db/dslocal", "private/etc/kcpassword"):
        assert not (jail.path / path).exists()
    assert not list((jail.path / "usr").rglob("on-the-data-volume"))
    assert not (jail.path / "usr/libexec/rosetta").exists()
    again = jail.build(mac, profile)
    assert not again.changed, again.values["operations"]


@EVERY_PROFILE
def test_what_one_has_and_the_smaller_one_has_not(jail: Jail, profile: str) -> None:
    jail.build(ARM, profile)
    there = {
        "minimal": "System/Library/Frameworks/Security.framework/Versions/Current",
        "standard": "System/Library/Frameworks/Ruby.framework/Versions/Current/usr/lib/ruby/2.6.0/set.rb",
        "developer": "Library/Developer/CommandLineTools/usr/bin/clang",
    }
    names = list(there)
    for name in names:
        assert (jail.leads_to(there[name]) is not None) == (names.index(name) <= names.index(profile))
    assert (jail.path / "usr/share/man").exists() == (profile != "minimal")


def test_a_smaller_profile_takes_away_what_it_has_not(jail: Jail) -> None:
    jail.build(ARM, "developer")
    jail.build(ARM, "minimal")
    assert jail.leads_to("Library/Developer/CommandLineTools/usr/bin/clang") is None
    assert jail.leads_to("bin/sh")


@EVERY_PROFILE
def test_the_size_that_is_predicted_is_the_size_that_it_has(jail: Jail, profile: str) -> None:
    make(jail.source, ARM)
    os.link(jail.source / "usr/bin/git", jail.source / "usr/bin/git-log")
    with (jail.source / "usr/share/file/sparse").open("wb") as file:
        file.truncate(1 << 20)
    predicted = jail.build(ARM, profile, check=True).values
    assert not jail.path.exists()
    built = jail.build(ARM, profile).values
    have = gather(str(jail.path), {"sizes"}).values["sizes"]
    assert predicted["sizes"] == built["sizes"] == have
    assert predicted["stats"]["bytes"] == have["total"]["bytes"]
    assert predicted["space"]["needed"] == have["total"]["disk"] > have["shared_cache"]["disk"] > 0
    assert re.match(
        r"[0-9.]+ kB \(.*shared cache [0-9.]+ kB.*\) to copy, [0-9.]+ [MGT]B free$", predicted["space"]["summary"]
    )
    assert "space" not in built
    again = jail.build(ARM, profile, check=True).values
    assert (again["sizes"]["total"]["files"], again["space"]["needed"]) == (0, 0)
    assert again["space"]["summary"].startswith("0 bytes to copy, ")


@pytest.mark.parametrize(("haswell", "kept"), [(True, {"x86_64h"}), (False, {"x86_64"}), (None, {"x86_64", "x86_64h"})])
def test_the_cache_of_an_intel_processor(jail: Jail, haswell: bool | None, kept: set[str]) -> None:
    """The Mac Pro of 2013 has no Haswell, and some virtual machines say nothing."""
    jail.build(INTEL, "minimal", haswell=haswell)
    assert jail.caches() == set().union(*(files_of(INTEL, arch) for arch in kept))


def test_a_haswell_whose_macos_has_no_cache_for_it(jail: Jail) -> None:
    make(jail.source, INTEL)
    for path in (jail.source / CRYPTEX).glob("*x86_64h*"):
        path.unlink()
    jail.build(INTEL, "minimal")
    assert jail.caches() == files_of(INTEL, "x86_64")


@pytest.mark.parametrize("mac", [mac for mac in MACS if mac.arch == "arm64"], ids=lambda mac: mac.version)
def test_rosetta(jail: Jail, mac: Mac) -> None:
    jail.build(mac, "minimal", rosetta=True)
    assert jail.caches() == files_of(mac, "arm64e") | files_of(mac, "x86_64") | {TRANSLATED}
    assert (jail.path / ROSETTA).read_bytes() == b"runtime"
    assert (jail.path / "usr/libexec/rosetta/runtime").exists()
    jail.build(mac, "minimal")
    assert jail.caches() == files_of(mac, "arm64e")
    assert not (jail.path / "usr/libexec/rosetta").exists()


def test_rosetta_where_it_cannot_be(jail: Jail) -> None:
    with pytest.raises(InputError, match="rosetta is for Apple silicon, and this Mac is x86_64"):
        jail.build(INTEL, "minimal", rosetta=True)
    make(jail.source / "other", ARM)
    jail.source = jail.source / "other"
    (jail.source / ROSETTA).unlink()
    with pytest.raises(InputError, match=f"{ROSETTA} does not exist: install Rosetta with softwareupdate"):
        jail.build(ARM, "minimal", rosetta=True)
    with pytest.raises(InputError, match="rosetta is part of a profile"):
        build(BuildSpec(str(jail.path), str(jail.source), entries=[{"src": "/bin"}], rosetta=True), check=False)
    assert not jail.path.exists()


def test_releases_without_a_profile(jail: Jail) -> None:
    with pytest.raises(InputError, match=r"there is no profile for macOS 11\.7 on arm64"):
        jail.build(Mac("11.7", "20G817", "arm64"), "standard")
    jail.source = jail.source.with_name("apple")
    with pytest.raises(InputError, match=r"there is no profile for macOS 27\.0 on x86_64"):
        jail.build(Mac("27.0", "26A428", "x86_64"), "standard")
    jail.source = jail.source.with_name("future")
    later = release.NEWEST + 1
    assert f"macOS {later} is newer than" in jail.build(Mac(f"{later}.0", "1A1", "arm64"), "minimal").warnings[0]


def test_each_release_is_tried() -> None:
    assert [int(version.partition(".")[0]) for version in BUILDS] == sorted(release.RELEASES)


def test_a_tree_without_a_cache(jail: Jail) -> None:
    make(jail.source, ARM)
    for path in (jail.source / CRYPTEX).glob("*arm64e*"):
        path.unlink()
    assert "no shared cache for arm64" in jail.build(ARM, "minimal").warnings[0]


@pytest.mark.parametrize("check", [True, False])
def test_a_jail_of_another_macos_is_not_updated_in_place(jail: Jail, check: bool) -> None:
    """Programs would start with half of a shared cache."""
    jail.build(ARM, "minimal")
    shutil.rmtree(jail.source)
    with pytest.raises(InputError, match=r"has macOS 26\.6 \(25G72\), the jail 15\.2 \(24C101\): run the playbook"):
        jail.build(NEWER, "minimal", check=check)
    assert jail.caches() == files_of(ARM, "arm64e")
    assert jail.build(NEWER, "minimal", check=check, update_in_place=True).changed
    assert jail.caches() == files_of(ARM if check else NEWER, "arm64e")


def test_nor_is_one_with_another_cache_of_the_same_build(jail: Jail) -> None:
    """The cryptex changes without the system, by a rapid security response."""
    jail.build(ARM, "minimal")
    main = jail.source / CRYPTEX / ARM.family("arm64e").name
    data = bytearray(main.read_bytes())
    data[0x58:0x68] = b"another build 16"
    main.write_bytes(data)
    with pytest.raises(InputError, match="has another dyld_shared_cache_arm64e of the same build: run the playbook"):
        jail.build(ARM, "minimal")


def test_a_jail_that_nobody_can_use_yet_is_finished(jail: Jail) -> None:
    jail.build(ARM, "minimal")
    with open_jail(str(jail.path)) as killed:
        killed.update_entry(state="building")
    shutil.rmtree(jail.source)
    jail.build(NEWER, "minimal")
    assert jail.caches() == files_of(NEWER, "arm64e")


@pytest.mark.parametrize(
    ("rc", "said", "means"), [(0, "8\n", True), (0, "3\n", False), (1, "", None), (0, "", None), (0, "new\n", None)]
)
def test_whether_it_is_a_haswell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rc: int, said: str, means: bool | None
) -> None:
    program = tmp_path / "sysctl"
    program.write_text(f"#!/bin/sh\ntest \"$*\" = '-n hw.cpusubtype' || exit 9\nprintf '{said}'\nexit {rc}\n")
    program.chmod(0o755)
    monkeypatch.setattr(release, "SYSCTL", str(program))
    assert release.is_haswell() is means
    monkeypatch.setattr(release, "SYSCTL", str(tmp_path / "none"))
    assert release.is_haswell() is None


def test_each_line_has_a_reason() -> None:
    """A comment stands before the first line, and between lines of different reasons."""
    for text in (profile_lists.MINIMAL, profile_lists.STANDARD, profile_lists.DEVELOPER, profile_lists.ROSETTA):
        assert text.splitlines()[1].startswith("# ")
        assert all(re.fullmatch(r"# .+|/\S+|", line) for line in text.splitlines())


def test_the_documentation_shows_the_lists() -> None:
    shown = Path(__file__).parents[7].joinpath("docs/profiles.md").read_text()
    for text in (profile_lists.MINIMAL, profile_lists.STANDARD, profile_lists.DEVELOPER, profile_lists.ROSETTA):
        assert f"```text{text}```" in shown
