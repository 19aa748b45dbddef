#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_services
short_description: Run services in a jail, now and after every boot
version_added: 0.1.0
description:
  - Runs programs in a jail as services of the Mac. The list is the truth. A service that the list no longer names is
    stopped and removed, with its logs.
  - Each service is a launchd job of root's. It runs a supervisor, which enters the jail as
    M(darwin.jail.darwin_chroot_exec) does, becomes the user, and starts the program.
  - The supervisor waits until the jail's volume, devfs, mounts and names are there. It starts a program that ended
    again, later after each failure in a row. After ten failures it tries every five minutes.
  - What a program prints goes to files of limited size on the Mac, with the time in front of each line.
  - A change of one service restarts no other service.
  - Starting waits until the programs run and are healthy. When one does not within O(timeout), the task fails with the
    end of its log.
  - Services come from the inventory alone. What a jail or an image says starts nothing.
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
options:
  services:
    description: All services of the jail, and V([]) for none. Either this or O(state) is needed.
    type: list
    elements: dict
    suboptions:
      name:
        description: At most 40 lower-case letters and digits, and C(_) and C(-) after the first one.
        type: str
        required: true
      argv:
        description:
          - The program by its absolute path in the jail, and its arguments. It must stay in the foreground.
          - When the program ends, processes that it left in the background are ended, too.
        type: list
        elements: str
        required: true
      user:
        description: The user that runs it, of the Mac or of the jail. The default is the module's O(user).
        type: str
      env:
        description:
          - Variables added to the clean environment that M(darwin.jail.darwin_chroot_exec) describes.
          - They lie in a file that only root can read. Diffs show them.
        type: dict
        default: {}
      secret_env:
        description:
          - Further variables whose values are secret. They lie in a file that only root can read, and are in no
            property list, argument, log or diff.
        type: dict
        default: {}
      chdir:
        description: Directory of the jail in which it runs.
        type: str
        default: /
      ports:
        description:
          - TCP ports that the program will listen on. All jails of a Mac share its network. A port that another
            service or program has is refused before anything is changed. Of two runs for two jails that want one port
            at the same time, one is refused.
        type: list
        elements: int
        default: []
      health:
        description: How to tell whether it works. Give one of C(http), C(tcp) and C(command).
        type: dict
        suboptions:
          http:
            description: An address that must answer with a status from 200 to 399, such as C(http://127.0.0.1:8080/).
            type: str
          tcp:
            description: A port of the Mac that must accept connections.
            type: int
          command:
            description: A program of the jail that must end with exit code 0, by its absolute path, and its arguments.
            type: list
            elements: str
          interval:
            description: Seconds between two checks.
            type: float
            default: 30
          timeout:
            description: Seconds after which a check has failed.
            type: float
            default: 5
          retries:
            description: How many checks must fail in a row before the program is restarted.
            type: int
            default: 3
      log:
        description: The files that keep what it prints.
        type: dict
        suboptions:
          max_size:
            description: Size of one file, in bytes or with C(k), C(m) or C(g).
            type: str
            default: 10m
          keep:
            description: How many older files to keep. More of them are removed.
            type: int
            default: 5
      limits:
        description: What the program may use.
        type: dict
        suboptions:
          open_files:
            description: Open files of each process.
            type: int
          processes:
            description: Processes of the user, inside and outside of the jail.
            type: int
          core_size:
            description: Bytes of a core dump.
            type: int
          nice:
            description: Priority, from -20 (highest) to 20 (lowest).
            type: int
          low_priority_io:
            description: Whether its disk accesses wait for those of other programs.
            type: bool
      restart:
        description: When to start the program again after it ended.
        type: str
        choices: [always, on_failure, never]
        default: always
      stop:
        description: How to end it.
        type: dict
        suboptions:
          signal:
            description: The signal that is sent to its process group.
            type: str
            default: TERM
          timeout:
            description: Seconds after which what is left of it gets SIGKILL.
            type: float
            default: 20
      schedule:
        description:
          - Run the program at these times instead of always, either by C(interval) or by the other fields, in the
            Mac's time zone. A field that is missing means any value, but 0 below the smallest field that is given.
          - With C(day) and C(weekday), either is enough. A time that comes while the program still runs is skipped.
        type: dict
        suboptions:
          minute: {description: From 0 to 59., type: int}
          hour: {description: From 0 to 23., type: int}
          day: {description: Day of the month., type: int}
          weekday: {description: From 0 to 7. Sunday is 0 and 7., type: int}
          month: {description: From 1 to 12., type: int}
          interval: {description: Seconds between the starts of two runs., type: int}
          catch_up:
            description: Whether times that passed while the Mac slept or was off are made up for, once for all of them.
            type: bool
            default: true
      state:
        description: V(stopped) installs the service without running it, also after a boot.
        type: str
        choices: [started, stopped]
        default: started
  name:
    description: With O(state), the services that are meant. The default is all services of the jail.
    type: list
    elements: str
  state:
    description:
      - What to do with services that are installed, without changing them. V(stopped) ones stay stopped after a boot,
        until they are V(started) or a run with O(services) starts them.
      - V(restarted) always reports a change.
    type: str
    choices: [started, stopped, restarted, absent]
  user:
    description: The user of services that name none.
    type: str
    default: root
  python:
    description: The Python that runs the supervisors, 3.9 or newer. One that others than root can replace is refused.
    type: path
    default: /Library/Developer/CommandLineTools/usr/bin/python3
  timeout:
    description: Seconds to wait until what was started runs and is healthy.
    type: float
    default: 60
notes:
  - A chroot is not a security boundary. A service that runs as root can leave its jail.
  - A process that leaves its process group and clears its environment is not found when its service is stopped. It is
    listed among the processes of the jail by M(darwin.jail.darwin_jail_info).
  - From macOS 13 on, each service is listed in System Settings, General, Login Items, as C(darwin-jail-service). A
    person who switches it off there keeps it from starting.
seealso:
  - module: darwin.jail.darwin_jail_services_info
  - module: darwin.jail.darwin_chroot_exec
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Run a web server, and a job each night
  darwin.jail.darwin_jail_services:
    jail: /private/var/jails/sequoia-dev
    user: admin
    services:
      - name: web
        argv: [/opt/homebrew/bin/caddy, run, --config, /Users/admin/Caddyfile]
        ports: [8080]
        health:
          http: http://127.0.0.1:8080/
        limits:
          open_files: 4096
      - name: nightly
        argv: [/bin/sh, -c, make -C /src test]
        schedule: {hour: 3}
  become: true

- name: Restart the web server
  darwin.jail.darwin_jail_services:
    jail: /private/var/jails/sequoia-dev
    name: [web]
    state: restarted
  become: true

- name: Remove all services
  darwin.jail.darwin_jail_services:
    jail: /private/var/jails/sequoia-dev
    services: []
  become: true
"""

RETURN = r"""
services:
  description: The services that the task was about, with their states as it ended.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Name of the service., type: str, sample: web}
    job: {description: Label of its launchd job., type: str, sample: darwin.jail.dev-6f1c02aa.service.web}
    state: {description: As M(darwin.jail.darwin_jail_services_info) returns it., type: str, sample: running}
    problem: {description: Why it does not work. Empty when it does., type: str, sample: ''}
  sample: [{name: web, job: darwin.jail.dev-6f1c02aa.service.web, state: running, problem: ''}]
"""

from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.runner import run
from ansible_collections.darwin.jail.plugins.module_utils._jail.services.options import OPTIONS
from ansible_collections.darwin.jail.plugins.module_utils._jail.services.services import control, ensure


def work(params: dict[str, Any], check: bool) -> Result:
    if params["state"]:
        return control(params["jail"], params["name"], params["state"], params["timeout"], check)
    given = {option: params[option] for option in ("jail", "services", "user", "python", "timeout")}
    return ensure(**given, check=check)


def main() -> None:
    run(
        work,
        OPTIONS,
        mutually_exclusive=[("services", "state"), ("services", "name")],
        required_one_of=[("services", "state")],
    )


if __name__ == "__main__":
    main()
