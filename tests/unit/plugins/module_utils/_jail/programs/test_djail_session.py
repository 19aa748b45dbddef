# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""djail exec and console as they are installed, in a real chroot; and what a grant allows."""

from __future__ import annotations

import ast
import json
import os
import pwd
import shutil
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
from installed_djail import InstalledDjail
from terminal_user import TerminalUser

BLOCKING = """
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))
os.execv(sys.argv[1], sys.argv[1:])
"""
PERSON = {"SUDO_UID": "5010", "SUDO_GID": "20", "SUDO_USER": "dana"}


@pytest.fixture(autouse=True)
def one_jail_of_that_name(furnished: Path) -> Iterator[None]:
    """Jails that other tests keep may have the same name."""
    own = register._name(os.fsencode(furnished)).decode()
    others = [path for path in Path(os.fsdecode(register.DIRECTORY)).glob("jail-*.json") if path.name != own]
    for path in others:
        path.rename(path.with_name(f"aside.{path.name}"))
    yield
    for path in others:
        path.with_name(f"aside.{path.name}").rename(path)


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


# -- a grant -------------------------------------------------------------------------


@pytest.fixture
def dana(djail: InstalledDjail, furnished: Path) -> Iterator[InstalledDjail]:
    """Somebody who may use exec and console in one jail as root."""
    with jails.open_jail(str(furnished)) as jail:
        grant(djail, jail=jail.entry["id"], user="root", commands=["exec"])
    yield djail
    shutil.rmtree(djail.grants)


def grant(djail: InstalledDjail, **values: object) -> None:
    djail.grants.mkdir(exist_ok=True)
    (djail.grants / PERSON["SUDO_UID"]).write_text(json.dumps({"format": 1, "grants": [values]}))


def granted(djail: InstalledDjail, *words: str, **environment: str) -> tuple[int, str]:
    ran = djail.run(*words, granted=True, environment={**PERSON, **environment})
    return ran.returncode, (ran.stdout + ran.stderr).decode()


def test_what_was_granted_is_allowed(dana: InstalledDjail, furnished: Path) -> None:
    for name in ("jail", str(furnished), f"/{furnished}/"):
        assert granted(dana, "exec", name, "--", "sh", "-c", "echo in") == (0, "in\n")
        assert granted(dana, "exec", name, "-u", "root", "--", "sh", "-c", "echo in") == (0, "in\n")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("console jail", 77),
        ("exec other -- true", 77),
        ("exec jail -u daemon -- true", 77),
        ("exec jail -u 0 -- true", 77),
        ("exec jail -u root -u daemon -- true", 64),
        ("exec jail -u root --user=daemon -- true", 64),
        ("exec nothing -- true", 77),
        ("exec /etc/passwd -- true", 77),
        ("exec /nothing/at/all -- true", 77),
        ("exec {jail}/../other -- true", 64),
        ("exec {link} -- true", 77),
        ("exec {jail}/usr -- true", 77),
        ("run jail -- true", 77),
        ("list", 77),
        ("names", 77),
        ("info jail", 77),
        ("create new", 77),
        ("clone jail new", 77),
        ("cp /etc/passwd jail:/passwd", 77),
        ("destroy jail -y", 77),
        ("grant jail dana --user daemon", 77),
    ],
)
def test_nothing_else_is(dana: InstalledDjail, furnished: Path, place: Path, words: str, code: int) -> None:
    jails.create(os.fsencode(place / "other")).close()
    (place / "link").symlink_to(furnished)
    said = granted(dana, *words.format(jail=furnished, link=place / "link").split())
    assert (said[0], said[1].count("\n")) == (code, 1), said


@pytest.mark.parametrize("word", ["jail ", " jail", "jail\n", "jail -u root", "jail\0x", "JAIL", "jail/", "./jail"])
def test_names_with_blanks_are_other_names(dana: InstalledDjail, furnished: Path, word: str) -> None:
    if "\0" in word:
        return
    assert granted(dana, "exec", word, "--", "true")[0] in (64, 77)


@pytest.mark.parametrize("uid", ["5011", "0", "", "-1", "5010 ", "../5010", "\uff15\uff10\uff11\uff10"])
def test_others_have_no_part_in_it(dana: InstalledDjail, furnished: Path, uid: str) -> None:
    assert granted(dana, "exec", "jail", "--", "true", SUDO_UID=uid)[0] == 77


def test_a_jail_that_is_made_again_does_not_inherit_it(dana: InstalledDjail, place: Path) -> None:
    with jails.create(os.fsencode(place / "again")) as jail:
        grant(dana, jail=jail.entry["id"], user="root", commands=["exec"])
    assert granted(dana, "exec", "again", "--", "true")[0] == 127  # it is empty
    shutil.rmtree(place / "again")
    assert granted(dana, "exec", "again", "--", "true")[0] == 66
    jails.create(os.fsencode(place / "again")).close()
    assert granted(dana, "exec", "again", "--", "true")[0] == 77


def test_nor_does_a_jail_that_says_it_is_another(dana: InstalledDjail, furnished: Path, place: Path) -> None:
    """Root in a jail can write its marker, and put any jail's there."""
    jails.create(os.fsencode(place / "other/jail")).close()
    marker = "private/var/db/darwin.jail/jail.json"
    shutil.copy(furnished / marker, place / "other/jail" / marker)
    assert granted(dana, "exec", str(place / "other/jail"), "--", "true")[0] == 77


@pytest.mark.parametrize("fault", ["writable", "directory", "owner", "link", "damaged", "another format"])
def test_grants_that_others_could_have_written_are_none(dana: InstalledDjail, furnished: Path, fault: str) -> None:
    file = dana.grants / PERSON["SUDO_UID"]
    if fault == "writable":
        file.chmod(0o622)
    elif fault == "directory":
        dana.grants.chmod(0o777)
    elif fault == "owner":
        os.chown(file, 5010, 20)
    elif fault == "link":
        file.rename(dana.grants / "elsewhere")
        file.symlink_to("elsewhere")
    else:
        file.write_text("{" if fault == "damaged" else file.read_text().replace("1", "2", 1))
    assert granted(dana, "exec", "jail", "--", "true")[0] == 77


@pytest.mark.parametrize(
    "grants", ["5", "null", "[5]", "COMMANDS 5", "COMMANDS null", 'COMMANDS "exec"', 'COMMANDS {"exec": 1}']
)
def test_grants_that_are_none_are_none(dana: InstalledDjail, furnished: Path, grants: str) -> None:
    """Who may is what grant wrote, and no other way to write it."""
    file = dana.grants / PERSON["SUDO_UID"]
    granted_now = json.loads(file.read_text())["grants"][0]
    if grants.startswith("COMMANDS "):
        grants = json.dumps([{**granted_now, "commands": json.loads(grants.removeprefix("COMMANDS "))}])
    file.write_text(f'{{"format": 1, "grants": {grants}}}')
    code, said = granted(dana, "exec", "jail", "--", "true")
    assert (code, said.count("\n")) == (77, 1), said


def test_a_fault_of_its_own_is_one_sentence(dana: InstalledDjail, furnished: Path) -> None:
    file = Path(os.fsdecode(register.DIRECTORY)) / os.fsdecode(register._name(os.fsencode(furnished)))
    kept = file.read_bytes()
    file.write_text(json.dumps({"format": 1, "path": str(furnished), "jails": [5]}))
    try:
        code, said = granted(dana, "exec", "jail", "--", "true")
    finally:
        file.write_bytes(kept)
    assert (code, said.count("\n"), "fault of its own" in said) == (70, 1, True), said


def test_without_sudo_nobody_has_one(dana: InstalledDjail, furnished: Path) -> None:
    ran = subprocess.run(
        dana.argv("exec", "jail", "--", "true", granted=True), check=False, capture_output=True, env={}, text=True
    )
    assert (ran.returncode, ran.stderr) == (77, "djail: nobody called sudo: root uses djail itself\n")


def test_it_says_nothing_of_what_there_is(dana: InstalledDjail, furnished: Path) -> None:
    """Who may not see a path or a jail does not learn whether it exists."""
    said = {granted(dana, "exec", path, "--", "true")[1].replace(path, "X") for path in ("/etc", "/nix", "jail2")}
    assert len(said) == 1


def test_who_names_no_user_is_told_to(dana: InstalledDjail) -> None:
    """Nobody is to ask for root because -u was forgotten."""
    assert granted(dana, "console", "jail") == (
        77,
        "djail: you may not use djail console in jail as root: give the user that you were granted, with -u USER\n",
    )
    assert granted(dana, "console", "jail", "-u", "daemon")[1].endswith("djail grant jail dana --user daemon\n")


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
