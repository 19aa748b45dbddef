# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Programs are run in a real chroot, made of the programs of this system."""

from __future__ import annotations

import base64
import os
import pwd
import shutil
import signal
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.accounts import directory_services
from ansible_collections.darwin.jail.plugins.module_utils._jail.accounts.user_tmp import ensure
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, JailError, NotAJailError
from ansible_collections.darwin.jail.plugins.module_utils._jail.exec.command import Command, execute
from ansible_collections.darwin.jail.plugins.module_utils._jail.exec.launch import launch_in_jail
from ansible_collections.darwin.jail.plugins.module_utils._jail.jail import open_jail
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs.chroot_exec import PATH, TMP
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from waiting import until

NOBODY = pwd.getpwnam("nobody")


def perform(jail: Path, *argv: str, check: bool = False, **options: Any) -> Result:
    return execute(Command(jail=str(jail), argv=list(argv) or None, **options), check)


def shell(jail: Path, text: str, **options: Any) -> Result:
    return perform(jail, "/bin/sh", "-c", text, **options)


def stdout(result: Result) -> str:
    assert not result.failed, result.values
    return str(result.values["stdout"])


def refused(jail: Path, *argv: str, **options: Any) -> str:
    """The one sentence, which has to be the same in check mode."""
    said = []
    for check in (True, False):
        with pytest.raises(JailError) as caught:
            perform(jail, *argv, check=check, **options)
        said.append(str(caught.value))
    assert said[0] == said[1]
    return said[0]


# -- where it runs ------------------------------------------------------------------


def test_it_runs_in_the_jail(furnished: Path) -> None:
    result = perform(furnished, "ls", "/")
    assert stdout(result).split() == sorted(path.name for path in furnished.iterdir())
    assert result.changed


def test_cmd_is_split_as_a_shell_would_but_not_run_by_one(furnished: Path) -> None:
    result = perform(furnished, cmd="""sh -c 'printf "%s\\n" "$@"' sh "a  b" c\\ d '$HOME' * ;""")
    assert stdout(result).split("\n") == ["a  b", "c d", "$HOME", "*", ";"]
    assert result.values["cmd"][0] == "sh"


def test_it_runs_where_it_is_told_to(furnished: Path) -> None:
    assert stdout(shell(furnished, "pwd -P")) == "/"
    assert stdout(shell(furnished, "pwd -P", chdir="/bin")) == "/usr/bin"
    assert stdout(shell(furnished, "cd ../../../..; pwd -P", chdir="/scratch")) == "/"


def test_a_jail_that_is_swapped_after_it_was_opened_is_not_entered(furnished: Path, tmp_path: Path) -> None:
    """The launcher gets the open directory: no path is looked up a second time."""
    here = tmp_path / "here"
    os.rename(furnished, here)
    try:
        with open_jail(str(here)) as jail:
            os.rename(here, furnished)
            (here / "bin").mkdir(parents=True)
            plan = {"check": False, "argv": ["ls", "/"], "env": {}, "search": PATH, "chdir": "/", "creates": None}
            report, ended = launch_in_jail(
                jail.root, {**plan, "removes": None, "uid": 0, "gid": 0, "login": None, "groups": []}, b"", None
            )
    finally:
        if here.exists() and not furnished.exists():
            os.rename(here, furnished)
    assert report.event == "ready"
    assert b"bytes" in ended.stdout.split()


# -- as whom ------------------------------------------------------------------------


def test_root_by_default(furnished: Path) -> None:
    assert stdout(perform(furnished, "id", "-u")) == "0"


@pytest.mark.parametrize("user", ["nobody", str(NOBODY.pw_uid)])
def test_the_user_and_its_group(furnished: Path, user: str) -> None:
    said = stdout(shell(furnished, "id -u; id -ru; id -g; id -rg", user=user)).split()
    assert said == [str(NOBODY.pw_uid)] * 2 + [str(NOBODY.pw_gid)] * 2


def test_all_groups_of_the_user_or_exactly_those(furnished: Path) -> None:
    known = set(map(str, os.getgrouplist("nobody", NOBODY.pw_gid)))
    gid = str(NOBODY.pw_gid)

    def groups(**options: Any) -> list[str]:
        return stdout(perform(furnished, "id", "-G", user="nobody", **options)).split()

    assert set(groups()) == known
    assert groups(groups=[]) == [gid]
    assert groups(groups=["daemon", "4711", gid]) == [gid, "1", "4711"]
    assert groups(group="4711", groups=["1"]) == ["4711", "1"]
    assert groups(group="4711")[0] == "4711"
    assert set(groups(groups=[str(number) for number in range(4701, 4716)])) == {gid, *map(str, range(4701, 4716))}


def test_the_files_it_makes_are_of_the_user(furnished: Path) -> None:
    stdout(shell(furnished, ": >/scratch/mine", user="nobody", group="4711"))
    status = (furnished / "scratch/mine").stat()
    (furnished / "scratch/mine").unlink()
    assert (status.st_uid, status.st_gid) == (NOBODY.pw_uid, 4711)


# -- its environment ----------------------------------------------------------------


def environment(result: Result) -> dict[str, str]:
    return dict(line.split("=", 1) for line in stdout(result).split("\n"))


def test_a_clean_environment(furnished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/somewhere")
    assert environment(perform(furnished, "env", user="nobody")) == {
        "HOME": NOBODY.pw_dir,
        "JAIL_NAME": furnished.name,
        "LOGNAME": "nobody",
        "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
        "SHELL": NOBODY.pw_shell,
        "TMPDIR": TMP,
        "USER": "nobody",
    }


def test_variables_are_added_and_replaced(furnished: Path) -> None:
    found = environment(perform(furnished, "env", env={"LANG": "C", "N": 3, "HOME": "/ö", "E": "", "S": "a=b c"}))
    assert (found["LANG"], found["N"], found["HOME"], found["E"], found["S"]) == ("C", "3", "/ö", "", "a=b c")
    assert found["USER"] == "root"


def test_an_inherited_environment(furnished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_OUTSIDE", "yes")
    found = environment(perform(furnished, "env", clean_env=False, env={"AND": "more"}))
    assert found == {**os.environ, "AND": "more"}


def test_the_users_own_temporary_directory(furnished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uuid = "DF3F7C85-14FF-4DC2-A089-5CA9D6E7479B"
    dscl = tmp_path / "dscl"
    dscl.write_text(f"#!/bin/sh\necho GeneratedUID: {uuid}\n")
    dscl.chmod(0o755)
    monkeypatch.setattr(directory_services, "DSCL", str(dscl))
    where = (str(furnished), "nobody", NOBODY.pw_uid, NOBODY.pw_gid, uuid)
    made = ensure(*where, "present", check=False)
    try:
        assert environment(perform(furnished, "env", user="nobody"))["TMPDIR"] == made.values["temp_dir"]
        text = 'cd "$TMPDIR" && : >mine && ls'
        assert stdout(shell(furnished, text, user="nobody")) == "mine"
        own = furnished / made.values["temp_dir"].replace("/var", "private/var", 1)
        os.chown(own, 1, 1)
        assert environment(perform(furnished, "env", user="nobody"))["TMPDIR"] == TMP
    finally:
        ensure(*where, "absent", check=False)


# -- what it reads and writes -------------------------------------------------------


def test_output_is_what_command_returns(furnished: Path) -> None:
    values = shell(furnished, "printf '\\none\\r\\n\\n'; echo two >&2").values
    assert (values["stdout"], values["stderr"], values["rc"], values["msg"]) == ("\none", "two", 0, "")
    assert values["start"] <= values["end"]
    assert values["delta"].startswith("0:00:0")
    assert "stdout_base64" not in values
    kept = shell(furnished, "echo; echo two >&2", strip_empty_ends=False).values
    assert (kept["stdout"], kept["stderr"]) == ("\n", "two\n")


def test_bytes_that_are_no_text_are_kept(furnished: Path) -> None:
    values = shell(furnished, "cat /bytes; cat /bytes /bytes >&2").values
    assert base64.b64decode(values["stdout_base64"]) == bytes(range(256))
    assert base64.b64decode(values["stderr_base64"]) == bytes(range(256)) * 2
    assert values["stdout"].endswith("~\x7f" + "".join(rf"\x{number:02x}" for number in range(128, 256)))


def test_what_it_reads(furnished: Path) -> None:
    assert stdout(perform(furnished, "cat", strip_empty_ends=False)) == ""
    assert stdout(perform(furnished, "cat", stdin="a\0ö", strip_empty_ends=False)) == "a\0ö\n"
    assert stdout(perform(furnished, "cat", stdin="aö", stdin_add_newline=False, strip_empty_ends=False)) == "aö"
    assert stdout(perform(furnished, "cat", stdin="", strip_empty_ends=False)) == ""


def test_words_in_another_encoding_arrive_as_they_are(furnished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    word = b"\xff\xc3\xb6".decode("utf-8", "surrogateescape")
    values = shell(furnished, 'printf %s "$1$X"', env={"X": word}).values
    assert base64.b64decode(values["stdout_base64"]) == b"\xff\xc3\xb6"


# -- how it ends ----------------------------------------------------------------------


@pytest.mark.parametrize("rc", [1, 2, 126, 127, 255])
def test_its_own_exit_code(furnished: Path, rc: int) -> None:
    result = shell(furnished, f"echo said; exit {rc}")
    assert (result.failed, result.changed, result.values["rc"]) == (True, True, rc)
    assert (result.values["msg"], result.values["stdout"]) == (f"ended with exit code {rc}: said", "said")


def test_death_by_a_signal(furnished: Path) -> None:
    result = shell(furnished, "kill -KILL $$")
    assert (result.failed, result.values["rc"]) == (True, -signal.SIGKILL)
    assert result.values["msg"].startswith("ended with signal 9: killed: if nobody sent it SIGKILL, macOS refused")
    assert shell(furnished, "kill -TERM $$").values["msg"] == "ended with signal 15, without output"


def test_signals_are_as_usual(furnished: Path) -> None:
    """Python ignores SIGPIPE for itself; the program must not."""
    assert shell(furnished, "kill -PIPE $$").values["rc"] == -signal.SIGPIPE


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="there is no /proc here")
def test_no_descriptor_of_ours_is_open_in_it(furnished: Path) -> None:
    said = furnished / "scratch/pid"
    with ThreadPoolExecutor() as pool:
        running = pool.submit(shell, furnished, "echo $$ >/scratch/pid; exec sleep 60", timeout=2)
        while not said.exists() or not said.read_text():
            time.sleep(0.01)
        held = f"/proc/{said.read_text().strip()}/fd"
        # Not at once, for sleep opens its libraries first; and in time, for it is ended after 2 seconds.
        until(lambda: sorted(os.listdir(held)) == ["0", "1", "2"])
        assert running.result().failed


def test_it_has_a_time(furnished: Path) -> None:
    start = time.monotonic()
    result = shell(furnished, "echo so far; echo broken >&2; sleep 60 & sleep 60", timeout=0.5)
    assert time.monotonic() - start < 4
    assert result.failed
    assert (result.values["stdout"], result.values["stderr"], result.values["rc"]) == ("so far", "broken", -15)
    assert result.values["msg"] == "timed out: still running after 0.5 seconds, so it was ended with all it had started"


# -- what is said before it runs ------------------------------------------------------


def test_a_program_that_is_not_there(furnished: Path) -> None:
    assert refused(furnished, "no-such") == (
        f"cannot run no-such in {furnished}: there is no such program in the jail, in none of /usr/bin, /bin, "
        "/usr/sbin, /sbin: install it there or give the whole path"
    )
    assert refused(furnished, "/opt/no-such") == (
        f"cannot run /opt/no-such in {furnished}: there is no such program in the jail: install it there or give the "
        "whole path"
    )
    assert "in none of /sbin:" in refused(furnished, "ls", env={"PATH": "/sbin"})
    assert "it is a directory" in refused(furnished, "/usr")


def make_script(jail: Path, text: str, mode: int = 0o755) -> None:
    script = jail / "scratch/script"
    script.write_text(text)
    script.chmod(mode)


def test_a_program_that_may_not_be_executed(furnished: Path) -> None:
    make_script(furnished, "#!/bin/sh\n", 0o644)
    assert (
        refused(furnished, "/scratch/script") == f"cannot run /scratch/script in {furnished}: root may not execute it"
    )
    make_script(furnished, "#!/bin/sh\n", 0o700)
    assert "nobody may not execute it" in refused(furnished, "/scratch/script", user="nobody")


def test_an_interpreter_that_is_not_there(furnished: Path) -> None:
    make_script(furnished, "#! /usr/bin/python3 -E\n")
    assert refused(furnished, "/scratch/script") == (
        f"cannot run /scratch/script in {furnished}: its interpreter /usr/bin/python3 cannot be found in the jail: "
        "No such file or directory"
    )


def test_what_only_the_kernel_can_tell(furnished: Path) -> None:
    make_script(furnished, "echo no first line\n")
    with pytest.raises(JailError, match="it is neither a program nor a script whose first line names an interpreter"):
        perform(furnished, "/scratch/script")
    shutil.copy(furnished / "bin/true", furnished / "scratch/script")
    loaders = [*furnished.glob("lib*/ld-*"), *furnished.glob("lib/*/ld-*")]
    for loader in loaders:
        loader.rename(f"{loader}.aside")
    try:
        with pytest.raises(JailError, match=r"the loader that it names is not in the jail \(on macOS"):
            perform(furnished, "/scratch/script")
    finally:
        for loader in loaders:
            Path(f"{loader}.aside").rename(loader)


def test_a_directory_that_is_not_there(furnished: Path) -> None:
    assert refused(furnished, "true", chdir="/no/such") == (
        f"cannot run true in {furnished}: /no/such (chdir) does not exist in the jail"
    )
    assert "/bytes (chdir) is not a directory" in refused(furnished, "true", chdir="/bytes")
    (furnished / "scratch/private").mkdir(mode=0o700)
    assert "/scratch/private (chdir) may not be entered by nobody" in refused(
        furnished, "true", chdir="/scratch/private", user="nobody"
    )


def test_users_and_groups_that_are_not_there(furnished: Path) -> None:
    assert "there is no user 'no-such' in Directory Services" in refused(furnished, "true", user="no-such")
    assert "there is no group 'no-such' in Directory Services" in refused(furnished, "true", group="no-such")
    assert "there is no group 'no-such' in Directory Services" in refused(furnished, "true", groups=["no-such"])


def test_a_jail_that_is_none(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        with pytest.raises(NotAJailError, match="is not a jail of this collection"):
            perform(tmp_path, "true")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"cmd": "echo 'open"}, r"cannot split cmd .* into words: No closing quotation: give argv instead"),
        ({"cmd": "   "}, "no program is given"),
        ({"argv": []}, "no program is given"),
        ({"argv": [""]}, "no program is given"),
        ({"argv": ["a\0b"]}, "must not contain a NUL character"),
        ({"argv": ["a"], "chdir": "tmp"}, "chdir 'tmp' is not an absolute path"),
        ({"argv": ["a"], "chdir": ""}, "chdir '' is not an absolute path"),
        ({"argv": ["a"], "groups": list("abcdefghijklmnop")}, "groups names 16 groups, but macOS takes at most 15"),
        ({"argv": ["a"], "env": {"A=B": "x"}}, "env contains the name 'A=B'"),
        ({"argv": ["a"], "env": {"": "x"}}, "env contains the name ''"),
        ({"argv": ["a"], "env": {"A": True}}, "env gives A the value True, which is not a string: put it in quotes"),
        ({"argv": ["a"], "env": {"A": None}}, "env gives A the value None"),
        ({"argv": ["a"], "env": {"A": "\0"}}, "must not contain a NUL character"),
        ({"argv": ["a"], "timeout": 0}, "timeout 0 is not possible: give a number of seconds above 0"),
    ],
)
def test_options_that_cannot_be_meant(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Command(jail="/nowhere", **options)


# -- when it is not to be run -----------------------------------------------------------


def test_creates_and_removes(furnished: Path) -> None:
    def run_or_not(check: bool = False, **options: Any) -> tuple[bool, str, str, int]:
        result = perform(furnished, "ls", "-d", "/", check=check, **options)
        assert not result.failed
        return result.changed, result.values["msg"], result.values["stdout"], result.values["rc"]

    ran = (True, "", "/", 0)
    would = (True, "Command would have run if not in check mode", "", 0)
    did_not = (False, "Did not run command since '/byt*' exists", "skipped, since /byt* exists", 0)
    assert run_or_not(creates="/byt*") == did_not
    assert run_or_not(creates="/byt*", check=True) == (False, did_not[1].replace("Did", "Would"), *did_not[2:])
    assert run_or_not(creates="/no-such") == ran
    assert run_or_not(creates="/no-such", check=True) == would
    assert run_or_not(removes="/bytes") == ran
    missing = (False, "Did not run command since '/x' does not exist", "skipped, since /x does not exist", 0)
    assert run_or_not(removes="/x") == missing
    assert run_or_not(creates="../bytes", chdir="/scratch")[0] is False, "relative to chdir"


def test_links_in_creates_are_followed_inside_the_jail(furnished: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").touch()
    (furnished / "scratch/out").symlink_to(tmp_path / "outside")
    (furnished / "scratch/in").symlink_to("/bytes")
    (furnished / "scratch/up").symlink_to("../../../../../../../bytes")
    assert perform(furnished, "true", creates="/scratch/out/").changed, "what it leads to is not in the jail"
    assert not perform(furnished, "true", creates="/scratch/in").changed
    assert not perform(furnished, "true", creates="/scratch/up").changed


def test_check_mode_runs_nothing(furnished: Path) -> None:
    result = shell(furnished, ": >/scratch/ran", check=True)
    assert not (furnished / "scratch/ran").exists()
    assert (result.changed, result.failed, result.values["skipped"], result.values["rc"]) == (False, False, True, 0)
    assert result.values["start"] is None
    assert result.values["msg"] == "Command would have run if not in check mode"
    assert stat.S_ISREG((furnished / "bytes").stat().st_mode)
