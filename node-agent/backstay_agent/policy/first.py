"""The first file of a policy: it allows nothing, and says how something is allowed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

NAME: Final = "10-first.toml"
TEXT: Final = """\
# What services may bring to this host. What no [[allow]] allows is refused: this file allows nothing yet.
# Files *.toml here belong to root, nobody else may write them, and a change counts at once.
#   backstay-agent policy show                 what is in force
#   backstay-agent policy test web.json        what a manifest may and may not; web.json: kubectl create --dry-run=client -o json -f web.yaml
#
# One [[allow]] must allow all that a resource asks for. A probe is judged by itself.
#
# [[allow]]
# namespaces = ["shop", "shop-*"]            # of the HAServices; * stands for any text without a slash
# kinds = ["systemd", "virtualIP"]           # no other kinds of resources; left out: any
# units = ["shop-*.service", "nginx.service"]
# environment = ["SHOP_*"]                   # variables of units and commands. LD_PRELOAD and the like run other code: do not allow *
# overrides = ["Memory*", "TasksMax"]        # settings of units and commands; not which amount
# networks = ["192.0.2.0/24"]                # addresses, where routes lead, and whom probes ask beside this host
# interfaces = ["eth1"]                      # that addresses name; without a name the subnet tells
# paths = ["/srv/shop/**"]                   # where filesystems are mounted, files of probes; ** at the end: all below
# devices = ["/dev/shop/*", "nas:/shop/*"]   # what is mounted: as the manifest calls it, /dev/VG/LV for a logical volume
# commands = ["/usr/local/bin/shop-*", "/usr/bin/shopctl status ..."]   # word by word; ... at the end: any more arguments
# users = ["shop"]                           # as whom commands run. Without a user, and in exec probes, that is root
# groups = ["shop"]
# agents = ["heartbeat:IPaddr2 ip=192.0.2.* cidr_netmask=24", "heartbeat:Dummy ..."]   # OCF agents run as root
"""


def first_policy(folder: Path) -> str:
    """Make the folder with its first file, unless there is a policy already; what was done, in a sentence. Raises OSError."""
    try:
        folder.mkdir(mode=0o755, parents=True)
    except FileExistsError:
        return f"{folder} is there already, and stays as it is"
    # Whoever reads the folder meanwhile finds that nothing is allowed.
    file = os.open(folder / NAME, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    with os.fdopen(file, "w") as stream:
        stream.write(TEXT)
    return f"services may bring nothing to this host that {folder / NAME} does not allow: edit it"
