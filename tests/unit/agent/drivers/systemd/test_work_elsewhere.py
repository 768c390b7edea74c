"""Every word by which somebody else is told to do the work: a row that is dropped makes one line of these look like a unit's own work."""

from __future__ import annotations

import pytest

from backstay_agent.drivers.systemd import work_elsewhere
from backstay_agent.drivers.systemd.fitness import not_fit
from backstay_agent.drivers.systemd.work_elsewhere import delegates_to, lines_of

_CONTAINERS = "run start up create restart unpause resume launch exec play deploy scale update rollback watch"
_MACHINES = "start create resume unpause restore migrate reboot reset"
_JOBS = "StartUnit StartUnitReplace StartUnitWithFlags RestartUnit ReloadOrRestartUnit EnqueueUnitJob"
FOR_OTHERS = {
    "docker": _CONTAINERS,
    "docker-compose": _CONTAINERS,
    "podman-remote": _CONTAINERS,
    "nerdctl": _CONTAINERS,
    "ctr": _CONTAINERS,
    "crictl": f"{_CONTAINERS} runp",
    "lxc": _CONTAINERS,
    "incus": _CONTAINERS,
    "machinectl": "start enable shell login reboot",
    "virsh": f"{_MACHINES} autostart",
    "xl": _MACHINES,
    "qm": _MACHINES,
    "pct": f"{_MACHINES} exec",
    "VBoxManage": "startvm resume reset",
    "vboxmanage": "startvm resume reset",
    "vmrun": "start unpause reset",
    "multipass": "start launch restart exec",
    "vagrant": "up reload resume",
    "snap": "start restart enable install refresh",
    "supervisorctl": "start restart reload update add",
    "pm2": "start restart reload gracefulReload scale startOrRestart startOrReload deploy",
    "monit": "start restart monitor",
}
TO_PID_1 = {
    "systemctl": "start restart isolate reload-or-restart",
    "service": "start restart --full-restart",
    "invoke-rc.d": "start restart",
    "deb-systemd-invoke": "start restart",
    "busctl": _JOBS,
    "gdbus": _JOBS,
    "dbus-send": _JOBS,
}


def said_of(line: str, **more: object) -> str:
    argv = line.split()
    unit = {"LoadState": "loaded", "Type": "simple", "ExecStart": [(argv[0], argv)], **more}
    return not_fit("x.service", {"x.service": unit}, (), asked=False) or "fit"


@pytest.mark.parametrize(
    ("program", "verb"), [(program, verb) for program, verbs in FOR_OTHERS.items() for verb in verbs.split()]
)
def test_work_that_another_daemon_does_is_refused_by_whatever_word_it_is_told(program: str, verb: str) -> None:
    assert f"x.service has its work done by {program}," in said_of(f"/usr/bin/{program} -q {verb} one")
    assert said_of(f"/usr/bin/{program} list one") == "fit"


@pytest.mark.parametrize(
    ("program", "verb"), [(program, verb) for program, verbs in TO_PID_1.items() for verb in verbs.split()]
)
def test_a_unit_that_has_another_started_is_asked_for_that_ones_name(program: str, verb: str) -> None:
    assert f"name the unit that x.service starts by {program} " in said_of(f"/usr/sbin/{program} real {verb}")
    assert said_of(f"/usr/sbin/{program} real status") == "fit"


def test_every_word_that_is_known_is_tried_here() -> None:
    told = {program: set(verbs.split()) for program, verbs in (FOR_OTHERS | TO_PID_1).items()}
    assert told == {**work_elsewhere._FOR_OTHERS, **work_elsewhere._TO_PID_1}


@pytest.mark.parametrize(
    ("line", "by"),
    [
        ("virt-install --name vm --import", "virt-install"),
        ("batch -f /opt/job", "batch"),
        ("at -f /opt/job now", "at"),
        ("echo /opt/job | at now", "at"),
        ("sudo -u db at now", ""),  # `db` could be the command
        ("if true; then sudo at now; fi", "at"),
        ("batch", "batch"),
        ("batch </opt/job", "batch"),
        ("batch -V", ""),
        ("batch jobs that run here", ""),
        ("at 23:30", "at"),
        *((f"at {when}", "at") for when in ("-m now", "midnight", "noon", "teatime", "tomorrow")),
        *((f"at {asks}", "") for asks in ("-l", "-r 3", "-d 3", "-c 3", "-V")),
        ("at", ""),
        ("at startup it reads its files", ""),  # the help in a script that is none of a shell's
        ("virt-install makes machines", ""),
        ("logger port 80 is looked at now", ""),
        ("run_a batch of jobs", ""),
        ("env A=1 nohup snap start db", "snap"),
        ("/usr/bin/snap run lxd.daemon", ""),
        ("exec service db start", "service"),
        ("run.sh service start", ""),
        ("docker service update --force web", "docker"),
        ("docker compose exec db psql", "docker"),
        ("docker volume inspect db", ""),
        ("machinectl shell root@.host /opt/start", "machinectl"),
        ("systemctl reenable --now db", "systemctl"),
        ("systemctl --now enable db", "systemctl"),
        ("systemctl reenable db", ""),
        ("systemctl disable --now db", ""),
        ("busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 x StartUnit ss db.service fail", "busctl"),
        ("dbus-send --system /x org.freedesktop.systemd1.Manager.StartUnit string:db.service", "dbus-send"),
        ("gdbus call -d x -o /y -m org.freedesktop.systemd1.Manager.StartTransientUnit z", "gdbus StartTransientUnit"),
        ("busctl call x /y z StartTransientUnit ssa(sv)", "busctl StartTransientUnit"),
        ("busctl call x /y z StopUnit ss db.service fail", ""),
        ("systemd-run sleep 5", "systemd-run"),
        ("systemd-run --quiet --scope sleep 5", "systemd-run --scope"),
        ("echo hello\ndocker run db", "docker"),
        ("printf '%s' docker run", ""),
        ("/bin/echo docker run", ""),
        ("/usr/sbin/service db start", "service"),
        ("/opt/shop/bin/service start", ""),  # the product's own program
        ("/opt/shop/batch", ""),
        ("runc run -d db", "runc"),
        ("crun run --detach db", "crun"),
        ("runc start db", "runc"),
        ("runc run db", ""),  # its parent lives in the unit
        ("runc list", ""),
    ],
)
def test_who_is_told_to_do_the_work(line: str, by: str) -> None:
    assert delegates_to(line) == by


def test_what_a_script_says_on_two_lines_is_one_command() -> None:
    assert [delegates_to(line) for line in lines_of("# docker run\ndocker \\\n  run db\nexec db # docker run\n")] == [
        "",
        "docker",
        "",
    ]


@pytest.mark.parametrize(
    "line", ["[ $# -gt 0 ] && docker run db", "n=${1#app-}; docker start $n", "echo '#1'; docker run db"]
)
def test_a_remark_begins_only_where_a_word_does(line: str) -> None:
    assert [delegates_to(one) for one in lines_of(line)] == ["docker"]
    assert [delegates_to(one) for one in lines_of(line.replace("docker", "# docker"))] == [""]


@pytest.mark.parametrize("script", ["systemd-run --scope --unit=payload nginx &", "exec systemd-run --scope nginx"])
def test_work_in_a_scope_of_its_own_is_refused_for_it_does_not_stop_with_the_unit(script: str) -> None:
    """A daemon that has overwritten its environment, and whose parent has ended, is found by nobody: it would run on beside the next host's."""
    unit = {"LoadState": "loaded", "Type": "simple", "ExecStart": [("/opt/start", ["/opt/start"])]}
    why = not_fit("x.service", {"x.service": unit}, (), asked=True, scripts=[f"#!/bin/sh\n{script}\nwait\n"])
    assert why == (
        "x.service starts its work by systemd-run --scope, in a scope of its own, outside of its control group, which is not"
        f" stopped with the unit ({script}): let the unit start it without a scope"
    )
    assert "in a scope of its own" in said_of("/usr/bin/systemd-run --scope nginx")


def test_a_part_of_a_unit_has_its_work_done_by_nobody_else_either() -> None:
    server = {
        "LoadState": "loaded",
        "Type": "simple",
        "ExecStart": [("/opt/db", ["/opt/db"])],
        "Wants": ["part.service"],
    }
    part = {"LoadState": "loaded", "Type": "simple", "WantedBy": ["x.service"]}
    docker = {**part, "ExecStart": [("/usr/bin/docker", ["/usr/bin/docker", "run", "db"])]}
    own = {**part, "ExecStart": [("/opt/part", ["/opt/part", "run"])]}
    why = not_fit("x.service", {"x.service": server, "part.service": docker}, (), asked=True)
    assert why and why.startswith("part.service has its work done by docker,")
    assert not_fit("x.service", {"x.service": server, "part.service": own}, (), asked=True) is None
    known = {"x.service": server, "part.service": own}
    said = {"part.service": ["#!/bin/sh\nexec systemd-run --scope nginx\n"]}
    in_a_script = not_fit("x.service", known, (), asked=True, scripts_of_parts=said)
    assert in_a_script and in_a_script.startswith("part.service starts its work by systemd-run --scope,")
    other = {**docker, "WantedBy": ["x.service", "multi-user.target"]}
    assert not_fit("x.service", {"x.service": server, "part.service": other}, (), asked=True) is None


ENDS = (
    *("ctrl-alt-del.target", "default.target", "emergency.target", "emergency.service", "exit.target", "halt.target"),
    *("kexec.target", "poweroff.target", "reboot.target", "rescue.target", "rescue.service", "shutdown.target"),
    *("soft-reboot.target", "systemd-halt.service", "systemd-kexec.service", "systemd-poweroff.service"),
    *("systemd-reboot.service", "systemd-soft-reboot.service", "systemd-hibernate.service"),
    *("systemd-suspend.service", "hibernate.target", "hybrid-sleep.target", "sleep.target", "suspend.target"),
    "suspend-then-hibernate.target",
)


@pytest.mark.parametrize("setting", ["OnFailure", "OnSuccess"])
@pytest.mark.parametrize("target", ENDS)
def test_what_becomes_of_a_unit_does_not_become_of_its_host(setting: str, target: str) -> None:
    assert said_of("/opt/db", **{setting: [target]}) == (
        f"x.service has {setting}={target}: what happens to it would happen to the host"
    )
    assert said_of("/opt/db", **{setting: [f"my-{target}"]}) == "fit"


@pytest.mark.parametrize("setting", ["FailureAction", "SuccessAction", "StartLimitAction", "JobTimeoutAction"])
@pytest.mark.parametrize("value", ["reboot", "poweroff-immediate", "kexec", "soft-reboot", "exit"])
def test_no_action_of_a_unit_ends_its_host(setting: str, value: str) -> None:
    assert f"x.service has {setting}={value}: what happens to it" in said_of("/opt/db", **{setting: value})
    assert said_of("/opt/db", **{setting: "none"}) == "fit"


@pytest.mark.parametrize(
    "line",
    ['echo "a # b"; docker run db', "echo 'a #'; docker run db", "[ $# -gt 0 ] && docker run db"],
)
def test_what_stands_between_quotes_begins_no_remark(line: str) -> None:
    assert [delegates_to(one) for one in lines_of(line)] == ["docker"]


def test_a_remark_after_quotes_is_one() -> None:
    assert [delegates_to(one) for one in lines_of('echo "a" # docker run db')] == [""]
