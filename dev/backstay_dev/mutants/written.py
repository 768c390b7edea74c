"""Mutants of what an agent has on its disk, and when: what it does not know to be ours it would leave running (PROTOCOL 7)."""

from __future__ import annotations

from typing import Final

from .kinds import AGENT, DRIVERS, UNIT, Mutant, one

_JOURNAL: Final = f"{AGENT}/store/journal.py"
_LISTED: Final = f"{UNIT}/agent/store/test_journal.py"
_UNITS: Final = f"{UNIT}/agent/drivers/tools/test_units.py"
_ALL: Final = "return {**self._ahead, **known, **running}"

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "of what runs the inventory lists what runs, not what may come next",
        _JOURNAL,
        _ALL,
        "return {**running, **known, **self._ahead}",
        _LISTED,
    ),
    one(
        "of what runs the inventory lists what runs, not what it was before",
        _JOURNAL,
        _ALL,
        "return {**self._ahead, **running, **known}",
        _LISTED,
    ),
    one(
        "what was listed before its start stays listed until it is over",
        _JOURNAL,
        _ALL,
        "return {**known, **self._ahead, **running}",
        _LISTED,
    ),
    one(
        "a write that comes late undoes no later one",
        f"{AGENT}/store/disk.py",
        "if order > self._newest.get(path, 0):",
        "if True:",
        f"{UNIT}/agent/store/test_disk.py",
    ),
    one(
        "a drop-in has its name on the platter",
        f"{DRIVERS}/tools/units.py",
        "    os.rename(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)\n    os.fsync(folder)\n",
        "    os.rename(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)\n",
        _UNITS,
    ),
    one(
        "a drop-in is on the platter before it has its name",
        f"{DRIVERS}/tools/units.py",
        "        os.fsync(file)\n",
        "",
        _UNITS,
    ),
    one(
        "an address is noted before it may be there",
        f"{DRIVERS}/address/driver.py",
        "        self._notes.write(want, link.name)\n"
        "        try:\n"
        "            await self._netlink.add(laid(want, spec, link), want)\n",
        "        try:\n"
        "            await self._netlink.add(laid(want, spec, link), want)\n"
        "            self._notes.write(want, link.name)\n",
        f"{UNIT}/agent/drivers/address/test_driver.py",
    ),
)
