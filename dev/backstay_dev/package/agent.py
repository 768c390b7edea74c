"""The agent's package: its own tree, so that neither Debian's Python modules nor an upgrade half-way meet a running agent.

The files of the package are never run. `release` (in `node-agent/install`) copies them to a folder of their own, tries them, and
only then puts them in use; an agent that runs goes on with the files that it was started from.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from backstay_dev.lab.shell import REPOSITORY

from .debian import Description
from .trees import copy_agent, write
from .versions import Release
from .wheels import MACHINES, Wanted, Wheel, fetch, unpack

LIB: Final = "usr/lib/backstay-agent"
INSTALL: Final = REPOSITORY / "node-agent" / "install"
_IN_SOURCE: Final = "ExecStart=/usr/bin/python3 -m backstay_agent.main"
SCRIPTS: Final = {
    "postinst": "case $1 in configure) exec /usr/lib/backstay-agent/payload/release use ;; esac",
    "prerm": "case $1 in remove) exec /usr/lib/backstay-agent/payload/release stop ;; esac",
    # By now the package's own files are gone, and the copies are still there.
    "postrm": "case $1 in purge) [ ! -e /usr/lib/backstay-agent/current ] || exec /usr/lib/backstay-agent/current/release purge ;; esac",
}

DESCRIPTION: Final = Description(
    name="backstay-agent",
    summary="Backstay host agent: runs highly available services as the operator says",
    depends=("python3 (>= 3.11)", "systemd (>= 249)", "dbus"),
    scripts={name: f"#!/bin/sh\nset -e\n{line}\n" for name, line in SCRIPTS.items()},
    requires=("python3 >= 3.11", "systemd >= 249", "dbus"),
    # RPM knows no purge: whoever erases the package wants the units back. $1 is 0 where no other version comes in its place.
    rpm_scripts={
        "post": "/usr/lib/backstay-agent/payload/release use",
        "preun": "[ $1 -ne 0 ] || /usr/lib/backstay-agent/payload/release leave",
        "postun": "[ $1 -ne 0 ] || rm -rf /usr/lib/backstay-agent",
    },
)


def fill(root: Path, release: Release) -> list[Wheel]:
    """Lay out the package's files below `root`; what of others is in it."""
    payload = root / LIB / "payload"
    copy_agent(payload, release)
    carried = []
    for machine in MACHINES:
        wheels = fetch(Wanted(("sdbus",), machine))
        unpack(wheels, payload / machine)
        carried += wheels
    write(payload / "backstay-agent", (INSTALL / "backstay-agent").read_text(), is_program=True)
    write(payload / "release", (INSTALL / "release").read_text(), is_program=True)
    unit = (INSTALL / "backstay-agent.service").read_text()
    assert _IN_SOURCE in unit, "the unit's ExecStart is known here"
    unit = unit.replace(_IN_SOURCE, "ExecStart=/usr/sbin/backstay-agent")
    write(root / "usr/lib/systemd/system/backstay-agent.service", unit)
    (root / "usr/sbin").mkdir(parents=True)
    (root / "usr/sbin/backstay-agent").symlink_to("/usr/lib/backstay-agent/current/backstay-agent")
    shutil.copy(REPOSITORY / "LICENSE", _doc(root, "backstay-agent") / "copyright")
    return carried


def _doc(root: Path, name: str) -> Path:
    folder = root / "usr/share/doc" / name
    folder.mkdir(parents=True)
    return folder
