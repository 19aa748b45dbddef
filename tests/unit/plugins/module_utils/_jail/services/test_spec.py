# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What the option `services` may say."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.services.spec import service_specs, size

WEB: dict[str, Any] = {"name": "web", "argv": ["/usr/bin/web"]}


def test_what_is_left_out_has_the_documented_defaults() -> None:
    (spec,) = service_specs([WEB], "admin")
    assert (spec.user, spec.chdir, spec.restart, spec.state) == ("admin", "/", "always", "started")
    assert (spec.stop_signal, spec.stop_timeout) == (signal.SIGTERM, 20.0)
    assert (spec.max_size, spec.keep) == (10 << 20, 5)
    assert (spec.health, spec.schedule, spec.limits, spec.ports) == (None, None, {}, [])


def test_all_can_be_given() -> None:
    (spec,) = service_specs(
        [
            {
                **WEB,
                "user": "www",
                "env": {"N": 5},
                "secret_env": {"TOKEN": "x"},
                "chdir": "/srv",
                "ports": [8080],
                "health": {"http": "http://127.0.0.1:8080/", "interval": 10},
                "log": {"max_size": "64k", "keep": 0},
                "limits": {"open_files": 4096, "nice": 5, "low_priority_io": True, "processes": None},
                "restart": "on_failure",
                "stop": {"signal": "sigint", "timeout": 3},
                "state": "stopped",
            }
        ],
        "admin",
    )
    assert (spec.user, spec.env, spec.secret_env, spec.chdir) == ("www", {"N": "5"}, {"TOKEN": "x"}, "/srv")
    assert (spec.max_size, spec.keep, spec.limits, spec.nice) == (1 << 16, 0, {"open_files": 4096}, 5)
    assert (spec.low_priority_io, spec.stop_signal, spec.stop_timeout) == (True, signal.SIGINT, 3.0)
    assert spec.health == {
        "http": "http://127.0.0.1:8080/", "tcp": None, "command": None, "interval": 10.0, "timeout": 5.0, "retries": 3,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "../x"}, "'../x' is not a valid name"),
        ({"name": "Web"}, "not a valid name"),
        ({"name": "a" * 41}, "not a valid name"),
        ({"name": "a\nb"}, "not a valid name"),
        ({"argv": []}, "argv does not begin with an absolute path"),
        ({"argv": ["caddy", "run"]}, "argv does not begin with an absolute path"),
        ({"argv": ["/x", "a\0b"]}, "argv holds a NUL"),
        ({"argv": ["/x", "\ud800"]}, "argv holds a NUL character, or half of a character"),
        ({"env": {"A\0": "x"}}, "a name in env holds a NUL"),
        ({"secret_env": {"A": "hidden\ud800"}}, "secret_env.A holds a NUL character, or half of a character"),
        ({"env": {"A=B": "x"}}, "env holds the name 'A=B'"),
        ({"env": {"A": True}}, "env gives A a value that is not text"),
        ({"secret_env": {"A": ["hidden"]}}, "secret_env gives A a value that is not text"),
        ({"chdir": "src"}, "chdir 'src' is not an absolute path"),
        ({"ports": [0]}, "port 0 does not exist"),
        ({"ports": [65536]}, "port 65536 does not exist"),
        ({"health": {"interval": 5}}, "health has no check"),
        ({"health": {"tcp": 80, "http": "http://x/"}}, "health has http and tcp"),
        ({"health": {"http": "ftp://x"}}, "health.http 'ftp://x' is not an address"),
        ({"health": {"command": ["true"]}}, "health.command does not begin with an absolute path"),
        ({"health": {"tcp": 80, "interval": 0}}, "health.interval 0 is not possible"),
        ({"health": {"tcp": 80, "retries": 0}}, "health.retries 0 is not possible"),
        ({"log": {"max_size": "1k"}}, "log.max_size '1k' is not possible"),
        ({"log": {"max_size": "much"}}, "log.max_size 'much' is not possible"),
        ({"log": {"keep": -1}}, "log.keep -1 is not possible"),
        ({"limits": {"nice": 30}}, "limits.nice 30 is not possible"),
        ({"limits": {"open_files": -1}}, "limits.open_files -1 is not possible"),
        ({"stop": {"signal": "STOP"}}, "stop.signal 'STOP' ends no program"),
        ({"stop": {"signal": "NONE"}}, "stop.signal 'NONE' ends no program"),
        ({"stop": {"timeout": 1e9}}, "stop.timeout 1e+09 is not possible"),
        ({"schedule": {"catch_up": True}}, "schedule names no time"),
        ({"schedule": {"interval": 5, "hour": 3}}, "schedule has an interval and times"),
        ({"schedule": {"hour": 24}}, "schedule.hour 24 is not possible"),
        ({"schedule": {"month": 2, "day": 30}}, "schedule never comes"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        service_specs([{**WEB, **change}], "admin")
    assert message in str(caught.value)
    assert str(caught.value).startswith("services[0]")
    assert "hidden" not in str(caught.value)


def test_names_and_ports_are_those_of_one_service() -> None:
    with pytest.raises(InputError, match=r"services\[1\] \(web\): name 'web' is that of services\[0\] \(web\)"):
        service_specs([WEB, WEB], "admin")
    with pytest.raises(InputError, match=r"services\[1\] \(api\).*: port 80 is that of web, too"):
        service_specs([{**WEB, "ports": [80, 81]}, {**WEB, "name": "api", "ports": [79, 80]}], "admin")


@pytest.mark.parametrize(
    ("text", "number"),
    [("10m", 10 << 20), ("1 G", 1 << 30), ("64kb", 1 << 16), ("100", 100), ("1.5m", None), ("-1", None), ("", None)],
)
def test_sizes_are_bytes_or_have_a_unit(text: str, number: int | None) -> None:
    assert size(text) == number
