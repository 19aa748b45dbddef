# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""The macOS releases and machines that a stand-in can be: published values only."""

from __future__ import annotations

from dataclasses import dataclass


class UnknownReleaseError(Exception):
    """No published values for this release, architecture or machine."""


@dataclass(frozen=True)
class Release:
    version: str
    build: str
    darwin: str
    kernels: dict[str, str]  # architecture -> the version text of uname(2)

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])


def _kernel(darwin: str, tail: str) -> str:
    return f"Darwin Kernel Version {darwin}: {tail}"


# uname -v as in public logs of each release and architecture.
RELEASES = {
    r.version: r
    for r in (
        Release(
            "12.7.6",
            "21H1320",
            "21.6.0",
            {
                "x86_64": _kernel(
                    "21.6.0", "Mon Jun 24 00:56:10 PDT 2024; root:xnu-8020.240.18.709.2~1/RELEASE_X86_64"
                ),
            },
        ),
        Release(
            "12.5.1",
            "21G83",
            "21.6.0",
            {
                "arm64": _kernel("21.6.0", "Wed Aug 10 14:28:35 PDT 2022; root:xnu-8020.141.5~2/RELEASE_ARM64_T8101"),
            },
        ),
        Release(
            "13.7.8",
            "22H730",
            "22.6.0",
            {
                "x86_64": _kernel("22.6.0", "Tue Jul 15 08:22:28 PDT 2025; root:xnu-8796.141.3.713.2~2/RELEASE_X86_64"),
            },
        ),
        Release(
            "14.5",
            "23F79",
            "23.5.0",
            {
                "arm64": _kernel(
                    "23.5.0", "Wed May  1 20:12:39 PDT 2024; root:xnu-10063.121.3~5/RELEASE_ARM64_VMAPPLE"
                ),
            },
        ),
        Release(
            "15.2",
            "24C101",
            "24.2.0",
            {
                "arm64": _kernel("24.2.0", "Fri Dec  6 18:40:14 PST 2024; root:xnu-11215.61.5~2/RELEASE_ARM64_T8103"),
            },
        ),
        Release(
            "26.6",
            "25G72",
            "25.6.0",
            {
                "arm64": _kernel("25.6.0", "Sat Jul 11 15:27:04 PDT 2026; root:xnu-12377.161.13~4/RELEASE_ARM64_T6050"),
            },
        ),
        Release(
            "27.0",
            "26A428",
            "27.0.0",
            {
                "arm64": _kernel("27.0.0", "Tue Aug 11 21:05:27 PDT 2026; root:xnu-13432.1.9~1/RELEASE_ARM64_T8103"),
            },
        ),
    )
}


@dataclass(frozen=True)
class Machine:
    arch: str
    model: str
    brand: str
    cputype: int
    cpusubtype: int
    cores: int
    cpufamily: int | None = None


# hw.cputype, hw.cpusubtype, hw.cpufamily, hw.model and brand strings: transcripts of sysctl. The
# subtype 3 of the Mac Pro 2013 is CPU_SUBTYPE_X86_ALL: no Haswell, so no x86_64h (mach/machine.h).
MACHINES = {
    "m1": Machine("arm64", "Macmini9,1", "Apple M1", 16777228, 2, 8, 458787763),
    "m1-vm": Machine("arm64", "VirtualMac2,1", "Apple M1 (Virtual)", 16777228, 2, 4, 458787763),
    "i5": Machine("x86_64", "MacBookPro16,2", "Intel(R) Core(TM) i5-1038NG7 CPU @ 2.00GHz", 7, 8, 4),
    "ivybridge": Machine("x86_64", "MacPro6,1", "Intel(R) Xeon(R) CPU E5-1650 v2 @ 3.50GHz", 7, 3, 6),
}
DEFAULTS = {"arm64": ("15.2", "m1"), "x86_64": ("13.7.8", "i5")}


def release_for(version: str, arch: str) -> Release:
    release = RELEASES.get(version)
    if release is None or arch not in release.kernels:
        known = ", ".join(f"{r.version} ({', '.join(r.kernels)})" for r in RELEASES.values())
        raise UnknownReleaseError(f"no published values for macOS {version} on {arch}; known: {known}")
    return release


def machine_for(cpu: str, arch: str) -> Machine:
    machine = MACHINES.get(cpu)
    if machine is None or machine.arch != arch:
        known = ", ".join(name for name, m in MACHINES.items() if m.arch == arch)
        raise UnknownReleaseError(f"no machine {cpu} of architecture {arch}; known: {known}")
    return machine


def kernel_facts(release: Release, machine: Machine, hostname: str) -> dict[str, str]:
    """What sysctl(8) and uname(2) say on such a host."""
    facts = {
        "kern.ostype": "Darwin",
        "kern.osrelease": release.darwin,
        "kern.osrevision": "199506",
        "kern.version": release.kernels[machine.arch],
        "kern.hostname": hostname,
        "kern.osversion": release.build,
        "kern.osproductversion": release.version,
        "kern.maxproc": "4000",
        "kern.maxfiles": "245760",
        "hw.machine": machine.arch,
        "hw.model": machine.model,
        "hw.ncpu": str(machine.cores),
        "hw.physicalcpu": str(machine.cores),
        "hw.logicalcpu": str(machine.cores),
        "hw.activecpu": str(machine.cores),
        "hw.byteorder": "1234",
        "hw.memsize": str(8 << 30),
        "hw.pagesize": "16384" if machine.arch == "arm64" else "4096",
        "hw.cputype": str(machine.cputype),
        "hw.cpusubtype": str(machine.cpusubtype),
        "hw.cpu64bit_capable": "1",
        "machdep.cpu.brand_string": machine.brand,
        "machdep.cpu.core_count": str(machine.cores),
        "machdep.cpu.thread_count": str(machine.cores),
    }
    if machine.cpufamily is not None:
        facts["hw.cpufamily"] = str(machine.cpufamily)
    if machine.arch == "arm64":
        facts["hw.optional.arm64"] = "1"
    return facts
