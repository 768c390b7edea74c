"""Stories about work that a unit has done outside of its control group. Told by `test_drivers_host.py` inside a host."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

from drivers_scene import (
    ONCE,
    SLEEPER,
    STORIES,
    active,
    install,
    main,
    main_pid,
    program,
    refused,
    runs,
    sh,
    story,
    systemd,
    until,
)

from backstay_agent.drivers.base import StartFailed, State
from backstay_api.objects.plain import Timeouts


def with_work_in_a_scope() -> str:
    """A program that does as podman: its container lives in a scope, which podman itself asks for."""
    podman = program("podman", "exec systemd-run --quiet --scope --unit=d-payload sleep 7654321")
    return program("boxed", f"{podman} run &\nexec sleep 100000")


@story
async def work_in_a_scope_of_its_own_is_stopped_too() -> None:
    boxed = with_work_in_a_scope()
    box = install("d-boxed.service", f"[Service]\nExecStart={boxed}\nExecStop=/usr/bin/sleep 60\n")
    box = replace(box, timeouts=Timeouts(stop="300ms"))
    async with systemd() as (driver, _):
        await driver.start(box, timeout_s=5)
        await until(lambda: active("d-payload.scope") == "active")
        note = await driver.stop(box, timeout_s=0.3)
        assert note is not None and "d-payload.scope" in note and "SIGTERM" in note, note
        assert not runs("sleep 7654321")


@story
async def work_left_elsewhere_is_recognised_without_memory() -> None:
    boxed = with_work_in_a_scope()
    box = install("d-boxed.service", f"[Service]\nExecStart={boxed}\n")
    async with systemd() as (driver, _):
        await driver.start(box, timeout_s=5)
        await until(lambda: active("d-payload.scope") == "active")
    os.kill(main_pid("d-boxed.service"), signal.SIGKILL)
    sh("rm", "-rf", "/run/backstay")
    async with systemd() as (driver, _):
        assert [one.systemd.unit for one in await driver.leftovers() if one.systemd] == ["d-boxed.service"]
        seen = await driver.check(box)
        assert seen.state is State.UNKNOWN and "d-payload.scope" in seen.why
        await driver.stop(box, timeout_s=5)
        assert await driver.leftovers() == [] and not runs("sleep 7654321")


@story
async def work_that_a_part_left_elsewhere_is_stopped_too() -> None:
    boxed = with_work_in_a_scope()
    install("d-helper.service", f"[Service]\nExecStart={boxed}\n")
    web = install("d-front.service", "[Unit]\nWants=d-helper.service\n" + SLEEPER)
    async with systemd() as (driver, _):
        await driver.start(web, timeout_s=5)
        await until(lambda: active("d-payload.scope") == "active")
        os.kill(main_pid("d-helper.service"), signal.SIGKILL)
        await until(lambda: active("d-helper.service") == "failed")
        assert runs("sleep 7654321"), "nothing but its mark tells whose it is now"
        await driver.stop(web, timeout_s=5)
        assert not runs("sleep 7654321")


@story
async def work_that_others_do_is_refused() -> None:
    text = "[Service]\nExecStart=/usr/bin/docker run --rm --name d-db postgres\n"
    wrapper = program("wrapper", "# docker run, here only talked of\nexec /usr/bin/systemd-run --unit=d-far sleep 10")
    told = program("told", "systemd-run --unit=d-far sleep 10\nexec sleep 100000")
    scoped = program("scoped", "systemd-run --scope --unit=d-far sleep 10 &\nexec sleep 100000")
    starter = ONCE + "ExecStart=/bin/systemctl start d-real.service\nExecStop=/bin/systemctl stop d-real.service\n"
    before = "[Service]\nExecStartPre=/usr/sbin/service d-real start\n" + SLEEPER.removeprefix("[Service]\n")
    # Enabled itself, the part is everybody's, and would run beside the umbrella on every host.
    waiter = "[Unit]\nWants=d-real.service\n[Service]\nExecStart=/bin/sleep infinity\n"
    install("d-real.service")
    sh("systemctl", "enable", "d-real.service")
    async with systemd() as (driver, _):
        for resource, why in (
            (install("d-docker.service", text), "has its work done by docker"),
            (install("d-wrapped.service", f"[Service]\nExecStart={wrapper}\n"), "has its work done by systemd-run"),
            (install("d-told.service", f"[Service]\nExecStart=/bin/sh {told}\n"), "has its work done by systemd-run"),
            (install("d-scoped.service", f"[Service]\nExecStart={scoped}\n"), "in a scope of its own"),
            (install("d-starter.service", starter), "name the unit that d-starter.service starts by systemctl"),
            (install("d-before.service", before), "name the unit that d-before.service starts by service"),
            (install("d-waiter.service", waiter), "name d-real.service: d-waiter.service only pulls it in"),
        ):
            await driver.secure(resource)
            assert why in (await driver.not_ready(resource) or "ready"), why
            await refused(driver.start(resource, timeout_s=5), StartFailed, why)


if __name__ == "__main__":
    main(STORIES)
