# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""djail exec and console as they are installed, in a real chroot."""

from __future__ import annotations

import ast
import os
import pwd
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail import register
from ansible_collections.darwin.jail.plugins.module_utils._jail.djail import install
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs import djail_session
from installed_djail import PERSON, InstalledDjail, only_jail_of_its_name
from terminal_user import TerminalUser

BLOCKING = """
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture(autouse=True)
def named(furnished: Path) -> Iterator[None]:
    with only_jail_of_its_name(furnished):
        yield


def test_modules_of_the_program_use_no_name_twice() -> None:
    """One would replace the other: all are in one text."""
    defined = Counter(
        node.name for node in ast.parse(install.entry()).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    )
    assert [name for name, count in defined.items() if count > 1] == []


def test_each_name_in_it_is_defined() -> None:
    """An import of its own modules by another name would be lost."""
    ran = subprocess.run(
        ["ruff", "check", "--isolated", "--select=F821", "-"],
        input=install.entry(),
        check=False,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout


# -- the program ---------------------------------------------------------------------


def test_streams_and_exit_code_are_those_of_the_program(djail: InstalledDjail, furnished: Path) -> None:
    script = "cat; echo out; echo err >&2; exit 7"
    ran = djail.run("exec", "jail", "--", "sh", "-c", script, stdin=b"in\n")
    assert (ran.returncode, ran.stdout, ran.stderr) == (7, b"in\nout\n", b"err\n")
    ran = djail.run("exec", str(furnished), "--", "sh", "-c", "kill -9 $$")
    assert ran.returncode == 128 + signal.SIGKILL


def test_words_arrive_as_they_are(djail: InstalledDjail, furnished: Path) -> None:
    words = ["a b", "", "--", "-u", "$HOME", "*", "\udcff", "'"]
    ran = djail.run("exec", "jail", "--", "sh", "-c", 'for word; do echo "[$word]"; done', "sh", *words)
    assert ran.stdout == b"".join(b"[" + os.fsencode(word) + b"]\n" for word in words)


def test_signals_that_who_called_blocks(djail: InstalledDjail, furnished: Path) -> None:
    """Without SIGCHLD nobody would learn that the program ended."""
    ran = subprocess.run(
        ["python3", "-c", BLOCKING, *djail.argv("exec", "jail", "--", "sh", "-c", "exit 3")], check=False, timeout=60
    )
    assert ran.returncode == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
def test_signals_reach_the_program(djail: InstalledDjail, furnished: Path, number: signal.Signals) -> None:
    script = f"trap 'echo caught; exit 3' {number.name[3:]}; echo ready; while :; do sleep 0.02; done"
    process = subprocess.Popen(
        djail.argv("exec", "jail", "--", "sh", "-c", script), stdout=subprocess.PIPE, bufsize=0, start_new_session=True
    )
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    assert (process.stdout.readline(), process.wait(30)) == (b"caught\n", 3)
    process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_signals_that_who_called_ignores(djail: InstalledDjail, furnished: Path, number: signal.Signals) -> None:
    """As under nohup(1): the program goes on when the terminal is gone."""
    script = f"trap '' {number.name[3:]}; exec {' '.join(djail.argv('exec', 'jail', '--'))} sh -c 'echo ready; cat'"
    with subprocess.Popen(
        ["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        os.killpg(process.pid, number)
        process.stdin.write(b"goes on\n")
        process.stdin.close()
        assert (process.stdout.read(), process.wait(30)) == (b"goes on\n", 0)


@pytest.mark.parametrize("fd", [0, 1, 2])
def test_no_directory_of_the_mac_becomes_a_stream(djail: InstalledDjail, furnished: Path, fd: int) -> None:
    """A program could leave the jail through it. Python does not start with one, since 3.9 at least."""
    ran = subprocess.run(
        ["sh", "-c", f"{djail.place}/djail exec jail -- sh -c ': >/scratch/started' {fd}</etc"],
        check=False,
        capture_output=True,
    )
    assert (ran.returncode != 0, (furnished / "scratch/started").exists()) == (True, False), ran


def test_the_program_cannot_reach_the_terminal_of_who_called(djail: InstalledDjail, furnished: Path) -> None:
    """Also when none of its streams is that terminal: it is in a session of its own."""
    node = furnished / "dev/tty"
    try:
        os.mknod(node, 0o020666, os.makedev(5, 0))
    except PermissionError:
        pytest.skip("no devices here")
    argv = " ".join(djail.argv("exec", "jail", "--", "sh", "-c", "'echo own >/dev/tty; echo rc $?'"))
    with TerminalUser(["sh", "-c", f"{argv} </dev/null 2>&1 | cat; echo over"], "xterm") as person:
        assert "rc 0" not in person.expect("over")
    node.unlink()


def test_a_shell_at_a_terminal(djail: InstalledDjail, furnished: Path) -> None:
    with TerminalUser(djail.argv("exec", "jail", "--", "sh", "-i"), "xterm") as person:
        person.type("echo here-$((1+1)) $JAIL_NAME", "here-2 jail")
        person.type("sh -c 'echo go-$((1+1)); exec sleep 100'", "go-2")
        person.press(b"\x03", r"[#$] $")
        person.type("echo rc-$?", "rc-130")


def test_lines_behind_a_pipe_are_lines(djail: InstalledDjail, furnished: Path) -> None:
    """The terminal is raw then for what is typed alone: another program writes to it."""
    argv = " ".join(djail.argv("exec", "jail", "--", "sh", "-c", "'echo one; sleep 0.3; echo two; sleep 0.3'"))
    with TerminalUser(["sh", "-c", f"{argv} | cat; echo over"], "xterm") as person:
        assert "one\r\ntwo\r\nover" in person.expect("over").replace("\r\r", "\r")


def test_a_wrong_call_is_told_as_json_too(djail: InstalledDjail) -> None:
    assert djail.json("info", code=64)["error"] == "JAIL is missing: djail info JAIL"
    assert djail.json("list", "--bogus", code=64)["command"] == "list"
    assert djail.json("bogus", code=64)["exit_code"] == 64
    assert djail.run("exec", "nix", "--", "true", "--json").stdout == b""


@pytest.mark.parametrize("stream", ["2>&-", "2>/dev/full", ">&- 2>&-"])
@pytest.mark.parametrize(
    ("words", "code"), [("bogus", 64), ("exec nix -- true", 66), ("info nix", 66), ("exec jail -- sh -c 'exit 3'", 3)]
)
def test_the_exit_code_does_not_need_a_reader(
    djail: InstalledDjail, furnished: Path, words: str, code: int, stream: str
) -> None:
    ran = subprocess.run(["sh", "-c", f"{djail.place}/djail {words} {stream}"], check=False, capture_output=True)
    assert (ran.returncode, ran.stdout, ran.stderr) == (code, b"", b"")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nix", "--", "true"], 66, "this Mac knows no jail nix: djail list shows all"),
        (["/nix/jail", "--", "true"], 66, "cannot open /nix: No such file or directory"),
        (["a/b", "--", "true"], 64, "a/b is neither a name nor an absolute path: give the whole path, from /"),
        (["jail", "-u", "nobody-known", "--", "true"], 67, "there is no user nobody-known"),
        (["jail", "--", "nix"], 127, "cannot start nix: No such file or directory"),
        (["jail", "--", "/bytes"], 126, "cannot start /bytes: Permission denied"),
    ],
)
def test_what_hinders_it_is_one_sentence(
    djail: InstalledDjail, furnished: Path, words: list[str], code: int, said: str
) -> None:
    ran = djail.run("exec", *words)
    assert (ran.returncode, ran.stdout, ran.stderr.decode()) == (code, b"", f"djail: {said}\n")


def test_no_file_of_others_and_no_variable_is_trusted(djail: InstalledDjail, furnished: Path, tmp_path: Path) -> None:
    """Modules in the working directory, of variables of Python and of sh, and a home with settings."""
    hostile = "raise SystemExit('hostile')"
    for name in ("os.py", "stat.py", "djail_entry.py", "sitecustomize.py", "usercustomize.py", "darwin_jail.py"):
        (tmp_path / name).write_text(hostile)
    (tmp_path / "profile").write_text("echo hostile; exit 1")
    places = dict.fromkeys(("PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "HOME", "TMPDIR"), str(tmp_path))
    files = dict.fromkeys(("PYTHONSTARTUP", "BASH_ENV", "ENV"), str(tmp_path / "profile"))
    odd = {"PYTHONINSPECT": "1", "PYTHONWARNINGS": "error", "IFS": "/", "PATH": str(tmp_path), "CDPATH": str(tmp_path)}
    for words in (("exec", "jail", "--", "sh", "-c", "echo $PATH"), ("list",)):
        ran = djail.run(*words, environment={**places, **files, **odd}, folder=tmp_path)
        assert (ran.returncode, b"hostile" in ran.stdout + ran.stderr) == (0, False), ran


def test_names_come_from_the_register(djail: InstalledDjail, furnished: Path, place: Path) -> None:
    for name in ("one", "two/one", "b.l-a nk", 'q"uo\\te'):
        jails.create(os.fsencode(place / name)).close()
    assert set(djail.run("names").stdout.decode().splitlines()) >= {"jail", "one", "b.l-a nk", 'q"uo\\te'}
    said = djail.run("exec", "one", "--", "true").stderr.decode()
    assert said == f"djail: there is more than one jail one: give a path: {place}/one, {place}/two/one\n"
    for name in ("b.l-a nk", 'q"uo\\te'):
        assert djail.run("exec", name, "--", "true").returncode == 127


@pytest.mark.parametrize("name", ["one", "b.l-a nk", 'q"uo\\te', ".x.", "\u00fcber", "a" * 60 + ".b", "--", "-1"])
def test_names_of_files_are_those_of_the_register(name: str) -> None:
    path = f"/private/var/jails/{name}"
    assert djail_session.file_name(path).encode() == register._name(os.fsencode(path))
    assert djail_session.file_name(path).startswith(djail_session.file_start(name))


def test_an_entry_that_leads_elsewhere_is_none(djail: InstalledDjail, furnished: Path, place: Path) -> None:
    """A file of the register under another name than that for its path, as all others leave it out."""
    jails.create(os.fsencode(place / "one")).close()
    folder = Path(os.fsdecode(register.DIRECTORY))
    entry = folder / os.fsdecode(register._name(os.fsencode(place / "one")))
    entry.write_text(entry.read_text().replace(str(place / "one"), str(furnished.parent / "one")))
    ran = djail.run("exec", "one", "--", "true")
    assert (ran.returncode, ran.stderr) == (66, b"djail: this Mac knows no jail one: djail list shows all\n")
    assert "one" not in djail.run("names").stdout.decode().splitlines()


# -- help and shells -----------------------------------------------------------------


@pytest.mark.parametrize("words", [["exec", "jail", "--help"], ["console", "-h"], ["exec", "-u", "root", "-h"]])
@pytest.mark.parametrize("as_granted", [True, False])
def test_help_is_for_everybody(djail: InstalledDjail, words: list[str], as_granted: bool) -> None:
    """Neither sudo nor a grant is needed, wherever the option is."""
    ran = djail.run(*words, granted=as_granted, environment=PERSON if as_granted else {})
    assert (ran.returncode, ran.stdout.startswith(f"usage: djail {words[0]} JAIL".encode()), ran.stderr) == (
        0,
        True,
        b"",
    )


def test_the_script_asks_for_no_password_to_help(djail: InstalledDjail) -> None:
    """As somebody who is not root, where there is no sudo."""
    script = (
        (djail.place / "djail").read_text().replace("-O /", "-O /nowhere").replace("/usr/bin/sudo", "/usr/bin/false")
    )
    for words, code in ((["exec", "jail", "--help"], 0), (["exec", "jail", "--", "ls", "--help"], 1)):
        assert (
            subprocess.run(["sh", "-c", script, "djail", *words], check=False, capture_output=True).returncode == code
        )


def test_the_script_takes_no_colour_twice(djail: InstalledDjail) -> None:
    """As somebody who is not root: the variable becomes an option, since sudo removes it."""
    script = (djail.place / "djail").read_text().replace("-O /", "-O /nowhere").replace("/usr/bin/sudo", "echo")
    for words, count in ((["list", "--no-color"], 1), (["list"], 1), (["exec", "jail", "--", "ls", "--no-color"], 2)):
        ran = subprocess.run(
            ["sh", "-c", script, "djail", *words], check=False, capture_output=True, env={**os.environ, "NO_COLOR": "1"}
        )
        assert (ran.returncode, ran.stdout.count(b"--no-color")) == (0, count), ran


def test_a_login_shell(djail: InstalledDjail, furnished: Path) -> None:
    """The terminal of who called is as it was afterwards."""
    shell = furnished / pwd.getpwuid(0).pw_shell.lstrip("/")
    made = not shell.exists()
    if made:
        shell.parent.mkdir(parents=True, exist_ok=True)
        shell.symlink_to("/usr/bin/sh")
    with TerminalUser(
        ["sh", "-c", f"{' '.join(djail.argv('console', 'jail'))}; echo over-$?; stty -a"], "xterm"
    ) as one:
        one.type("echo $0 $TERM_PROGRAM-$JAIL_NAME", "-[a-z]*sh darwin.jail-jail")
        one.type("exit 5", "over-5\r\n(.*\r\n)*.*isig icanon")
    if made:
        shell.unlink()


def test_a_shell_that_is_not_there(djail: InstalledDjail, furnished: Path) -> None:
    if (furnished / pwd.getpwuid(0).pw_shell.lstrip("/")).exists():
        pytest.skip("the shell of root is in this jail")
    ran = djail.run("console", "jail")
    assert (ran.returncode, ran.stderr.decode().rpartition("djail: ")[2]) == (
        127,
        f"cannot start {pwd.getpwuid(0).pw_shell}: No such file or directory\n",
    )
