"""Mutants of what a host's kernel and its systemd are asked, and what is believed of their answers (PROTOCOL 7)."""

from __future__ import annotations

from typing import Final

from .kinds import AGENT, CONTROL, DRIVERS, UNIT, Mutant, one

_STATE: Final = f"{UNIT}/agent/drivers/systemd/test_unit_state.py"
_GROUPS: Final = f"{UNIT}/agent/drivers/tools/test_cgroups.py"
_RELOADS: Final = f"{UNIT}/agent/drivers/tools/test_reloads.py"
_WATCH: Final = f"{UNIT}/agent/drivers/tools/test_watch.py"
_LOOKS: Final = f"{UNIT}/agent/drivers/tools/test_file_system_looks.py"
_KERNEL: Final = f"{UNIT}/agent/drivers/address/test_netlink.py"
_PLACES: Final = f"{UNIT}/agent/drivers/address/test_places.py"
_MOUNTS: Final = f"{UNIT}/agent/drivers/mount/test_mounts.py"
_LEAVES: Final = f"{UNIT}/agent/test_leaves.py"
_NEEDS: Final = f"{UNIT}/agent/standby/test_needs.py"
_LOOP: Final = f"{UNIT}/control/test_reconciler.py"

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "what left processes behind is not stopped",
        f"{DRIVERS}/systemd/unit_state.py",
        "    if state in (State.STOPPED, State.FAILED) and left:\n",
        "    if state is State.FAILED and left:\n",
        _STATE,
    ),
    one(
        "a unit whose stop has failed is not known to be down",
        f"{DRIVERS}/systemd/unit_state.py",
        "    if why := stop_failed(unit, properties):\n",
        "    if (why := stop_failed(unit, properties)) and not why:\n",
        _STATE,
    ),
    one(
        "what has exited is up only where a probe says so",
        f"{DRIVERS}/systemd/unit_state.py",
        '    if asked and sub == "exited"',
        '    if sub == "exited"',
        _STATE,
    ),
    one(
        "a daemon that has exited is not up",
        f"{DRIVERS}/systemd/unit_state.py",
        ' and kind != "forking"',
        "",
        _STATE,
    ),
    one(
        "one of several conditions excuses no other",
        f"{DRIVERS}/systemd/conditions.py",
        'not (any_of and "=|" in one)',
        "not any_of",
        _STATE,
    ),
    one(
        "an assert that fails refuses a start",
        f"{DRIVERS}/systemd/conditions.py",
        ' and "Asserts failed." not in said',
        "",
        _STATE,
    ),
    one(
        "a control group that cannot be read is not known to be empty",
        f"{DRIVERS}/tools/cgroups.py",
        "            return False\n        raise\n",
        "            return False\n        return False\n",
        _GROUPS,
    ),
    one(
        "a control group is waited for until nothing lives in it",
        f"{DRIVERS}/tools/cgroups.py",
        "            if not alive:\n",
        "            if alive:\n",
        _GROUPS,
    ),
    one(
        "a unit's control group lies below those of its slices",
        f"{DRIVERS}/tools/cgroups.py",
        '"-".join(parts[: depth + 1])',
        "parts[depth]",
        _GROUPS,
    ),
    one(
        "a reload that did not succeed is still owed",
        f"{DRIVERS}/tools/reloads.py",
        "                self._changed |= self._being_read\n",
        "",
        _RELOADS,
    ),
    one(
        "a reload breaks no start in progress",
        f"{DRIVERS}/tools/reloads.py",
        "            await self._until_it_is_harmless()\n",
        "",
        _RELOADS,
    ),
    one(
        "what is being read is waited for",
        f"{DRIVERS}/tools/reloads.py",
        "if wanted.isdisjoint(self._changed | self._being_read):",
        "if wanted.isdisjoint(self._changed):",
        _RELOADS,
    ),
    one(
        "a reload would break the start of who waits for a PID file",
        f"{DRIVERS}/tools/watch.py",
        ' and not properties.get("ControlPID")',
        "",
        _WATCH,
    ),
    one(
        "a unit's change is looked at when all of it is there",
        f"{DRIVERS}/tools/watch.py",
        "        if interface == UNIT:\n",
        "        if True:\n",
        _WATCH,
    ),
    one(
        "looks that hang do not grow without end",
        f"{DRIVERS}/tools/file_system_looks.py",
        "        if len(_LOOKS.under_way) >= MOST_AT_ONCE:\n",
        "        if False:\n",
        _LOOKS,
    ),
    one(
        "a look that hangs is not tried twice at once",
        f"{DRIVERS}/tools/file_system_looks.py",
        "_LOOKS.under_way.get((what, asked))",
        "_LOOKS.under_way.get((what, how))",
        _LOOKS,
    ),
    one(
        "what the kernel refuses is not done",
        f"{DRIVERS}/address/netlink.py",
        "    if code < 0:\n",
        "    if code > 0:\n",
        _PLACES,
    ),
    one(
        "a route without our mark is not ours to take",
        f"{DRIVERS}/address/netlink.py",
        "return protocol == OURS and ",
        "return ",
        _KERNEL,
    ),
    one(
        "an address of ours draws no other to its link",
        f"{DRIVERS}/address/places.py",
        "        and not is_ours(address)\n",
        "",
        _PLACES,
    ),
    one(
        "an address is a subnet of its own",
        f"{DRIVERS}/address/places.py",
        "return ip_interface(want.ip)",
        "return want",
        _PLACES,
    ),
    one(
        "no address goes on a port of a bridge",
        f"{DRIVERS}/address/places.py",
        "        and not sight.link_of(address).port_of\n",
        "",
        _PLACES,
    ),
    one(
        "nothing is mounted over what somebody else has mounted",
        f"{DRIVERS}/mount/driver.py",
        "        if sight.stranger is not None:\n",
        "        if False:\n",
        _MOUNTS,
    ),
    one(
        "a disk that is mounted elsewhere is not mounted again",
        f"{DRIVERS}/mount/driver.py",
        '        if sight.others:\n            return f"its device',
        '        if False:\n            return f"its device',
        _MOUNTS,
    ),
    one(
        "a disk that the kernel still uses is not stopped",
        f"{DRIVERS}/mount/driver.py",
        "            if not why:\n",
        "            if True:\n",
        _MOUNTS,
    ),
    one(
        "an agent that is restarted leaves what runs",
        f"{AGENT}/shutdown.py",
        "    if end is None:\n",
        "    if end is not None:\n",
        _LEAVES,
    ),
    one(
        "an agent whose machine goes down stops what it was granted",
        f"{AGENT}/shutdown.py",
        "        await agent.shut_down(end)\n",
        "        pass\n",
        _LEAVES,
    ),
    one(
        "systemd waits while what was granted is stopped",
        f"{AGENT}/shutdown.py",
        "EXTEND_TIMEOUT_USEC=",
        "TIMEOUT_USEC=",
        _LEAVES,
    ),
    one(
        "the program of a probe is asked for before a failover",
        f"{AGENT}/standby/needs.py",
        "            whys += await _program(probe.name, kind.program(spec))\n",
        "",
        _NEEDS,
    ),
    one(
        "the files of a probe are asked for before a failover",
        f"{AGENT}/standby/needs.py",
        "            whys += await _unreadable(probe.name, kind.files(spec))\n",
        "",
        _NEEDS,
    ),
    one(
        "a port that somebody else holds makes a host not ready",
        f"{AGENT}/standby/needs.py",
        "    if who is None:\n",
        "    if who:\n",
        _NEEDS,
    ),
    one(
        "nothing is planned before every kind has been listed",
        f"{CONTROL}/reconciler.py",
        "        if parts.cache.missing:\n",
        "        if False:\n",
        _LOOP,
    ),
    one(
        "what waits when the lead is lost is not written",
        f"{CONTROL}/reconciler.py",
        "            if led and not self._parts.leads():\n",
        "            if False:\n",
        _LOOP,
    ),
    one(
        "what failed while the API server was away is tried again at once",
        f"{CONTROL}/reconciler.py",
        "        self._turns.retry_now()\n",
        "",
        _LOOP,
    ),
    one(
        "what is refused is said to people",
        f"{CONTROL}/reconciler.py",
        "            self._refusals.note(action, result.why)\n",
        "            pass\n",
        _LOOP,
        f"{UNIT}/control/act/test_apply.py",
    ),
)
