"""Agents as Debian packages them, inside a host: what each does by hand, and what it does by us."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from ocf_scene import ROOT, agents

from backstay_agent.drivers.base import StartFailed, StopFailed
from backstay_agent.drivers.ocf import helpers
from backstay_agent.drivers.ocf.environment import environment, instance, program
from backstay_agent.drivers.ocf.outcomes import meaning
from backstay_agent.drivers.ocf.roles import Copies, clone_metas, notify_metas
from backstay_api.objects.plain import Ocf, RenderedResource

CASES: dict[str, dict[str, str]] = {
    "Dummy": {"state": "/run/d-dummy.state"},
    "Delay": {"startdelay": "0", "stopdelay": "0", "mondelay": "0"},
    "anything": {"binfile": "/bin/sleep", "cmdline_options": "123456", "pidfile": "/run/d-anything.pid"},
    "symlink": {"link": "/etc/d-link", "target": "/etc/hostname"},
    "Filesystem": {"device": "none", "directory": "/mnt", "fstype": "tmpfs"},
    "nginx": {"configfile": "/etc/nginx/nginx.conf", "status10url": "http://localhost:80/"},
    "redis": {},
    "pgsql": {
        "pgctl": "/usr/lib/postgresql/15/bin/pg_ctl",
        "psql": "/usr/bin/psql",
        "pgdata": "/var/lib/postgresql/15/main",
        "socketdir": "/var/run/postgresql",
        "config": "/etc/postgresql/15/main/postgresql.conf",
    },
    "exportfs": {"clientspec": "127.0.0.1", "directory": "/srv", "fsid": "77"},
    "rsyncd": {"binpath": "/usr/bin/rsync", "conffile": "/etc/rsyncd.conf"},
    "dummypy": {"state": "/run/d-dummypy.state"},
    "SysInfo": {},
    "IPaddr2": {"ip": "192.0.2.77", "cidr_netmask": "24", "nic": "eth0"},
    "Route": {"destination": "198.51.100.0/24", "device": "eth0"},
    "SendArp": {"ip": "192.0.2.78", "nic": "eth0"},
    "portblock": {"protocol": "tcp", "portno": "9999", "action": "block"},
    "apache": {"httpd": "/usr/sbin/apache2", "configfile": "/etc/apache2/apache2.conf"},
    "named": {"named_user": "bind", "named_config": "/etc/bind/named.conf"},
    "postfix": {},
    "dovecot": {},
    "slapd": {"config": "/etc/ldap/slapd.d", "user": "openldap", "group": "openldap", "pidfile": "/run/slapd/slapd.pid"},
    "mysql": {
        "binary": "/usr/bin/mysqld_safe",
        "config": "/etc/mysql/my.cnf",
        "datadir": "/var/lib/mysql",
        "pid": "/run/mysqld/mysqld.pid",
        "socket": "/run/mysqld/mysqld.sock",
        "log": "/var/log/mysqld.log",
    },
}  # fmt: skip


def prepare() -> None:
    """What no package brings."""
    Path("/etc/rsyncd.conf").write_text("pid file = /run/rsyncd.pid\n[d]\npath = /srv\n")


STEPS = ("monitor", "start", "monitor", "start", "monitor", "stop", "monitor", "stop")


TESTER = "/usr/sbin/ocf-tester"


def tested(name: str) -> None:
    """What `ocf-tester` has to say of an agent, what it leaves, and what we make of that."""
    provider, type_ = name.split(":") if ":" in name else ("heartbeat", name)
    given = CASES[type_] if provider == "heartbeat" else {"state": "/run/d-tested.state"}
    options = [word for parameter in given.items() for word in ("-o", "=".join(parameter))]
    argv = [TESTER, "-n", "tested", *options, str(ROOT / provider / type_)]
    with tempfile.TemporaryFile("w+") as said:
        # No pipe: some daemons keep open what they were started with.
        subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=said, stderr=said, timeout=60)
        said.seek(0)
        text = said.read()
    complaints = [line.removeprefix("* ") for line in text.splitlines() if line.startswith("* rc=")]
    thing = RenderedResource(name="thing", ocf=Ocf(agent=f"{provider}:{type_}", parameters=given, instance="tested"))
    print(json.dumps({"complaints": complaints, "text": text, **asyncio.run(_left(thing))}))


async def _left(thing: RenderedResource) -> dict[str, Any]:
    async with agents() as driver:
        left = (await driver.check(thing)).state.value
        await driver.stop(thing, timeout_s=20)
        return {"left": left, "then": [(await driver.check(thing)).state.value, by_hand(thing, "monitor")]}


def by_hand(thing: RenderedResource, operation: str) -> int:
    """As its manual says: the environment, one word, an exit code."""
    assert thing.ocf is not None
    provider, type_ = thing.ocf.agent.split(":")
    told = {f"OCF_RESKEY_{name}": value for name, value in (thing.ocf.parameters or {}).items()}
    told |= {"OCF_ROOT": "/usr/lib/ocf", "OCF_RESOURCE_INSTANCE": instance(thing.ocf), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [str(ROOT / provider / type_), operation],
        env={**told, "OCF_RESOURCE_TYPE": type_},
        # No pipe: some daemons keep open what they were started with.
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=60,
    )
    return done.returncode


async def compared(name: str) -> dict[str, Any]:
    thing = RenderedResource(name="thing", ocf=Ocf(agent=f"heartbeat:{name}", parameters=CASES[name]))
    hand = [by_hand(thing, step) for step in STEPS]
    said: dict[str, Any] = {"by hand": hand}
    async with agents() as driver:
        said["not ready"] = await driver.not_ready(thing)
        said["before"] = [(await driver.check(thing)).state.value, by_hand(thing, "monitor")]
        try:
            await driver.start(thing, timeout_s=20)
            said["up"] = [(await driver.check(thing)).state.value, by_hand(thing, "monitor")]
        except StartFailed as error:
            said["up"] = str(error)
        try:
            said["note"] = await driver.stop(thing, timeout_s=20)
            said["down"] = [(await driver.check(thing)).state.value, by_hand(thing, "monitor")]
        except StopFailed as error:
            said["down"] = str(error)
    return said


async def _lived(thing: RenderedResource, times: int) -> list[tuple[str, int]]:
    said = []
    async with agents() as driver:
        for _ in range(times):
            await driver.start(thing, timeout_s=20)
            said.append(((await driver.check(thing)).state.value, by_hand(thing, "monitor")))
            await driver.stop(thing, timeout_s=20)
            said.append(((await driver.check(thing)).state.value, by_hand(thing, "monitor")))
    return said


def lived(name: str, *, times: int) -> None:
    """What it is by us and by hand, once it is up and once it is down, so many times in a row."""
    prepare()
    thing = RenderedResource(name="thing", ocf=Ocf(agent=f"heartbeat:{name}", parameters=CASES[name]))
    print(json.dumps(asyncio.run(_lived(thing, times))))


def promoted() -> None:
    """What an agent with roles answers when it is told of them, operation by operation; that of Pacemaker itself keeps its role in a file."""
    ocf = Ocf(agent="pacemaker:Stateful", instance="roles", parameters={"state": "/run/d-roles.state"})
    here = (os.uname().nodename,)
    clone, copies = clone_metas(copies=2), Copies(active=here, promoted=here, demote=here)
    steps = ("start", "monitor", "promote", "monitor", "notify", "demote", "monitor", "stop", "monitor")
    said = []
    helpers.install()
    for step in steps:
        roles = clone | (notify_metas("pre", "demote", "roles", copies) if step == "notify" else {})
        told = environment(ocf, step, host=here[0], timeout_s=20, roles=roles)
        done = subprocess.run([program(ocf), step], env=told, stdin=subprocess.DEVNULL, timeout=60)
        said.append((step, meaning(step, done.returncode).value))
    print(json.dumps(said))


def main(name: str) -> None:
    print(json.dumps(asyncio.run(compared(name))))
