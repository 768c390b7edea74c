"""A node, hosts and their BMCs on one network: a lab, with a real cluster in place of its bare control plane."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from backstay_dev.lab.assets import cache_dir
from backstay_dev.lab.bmc import BmcBay
from backstay_dev.lab.hosts import MACHINE_UUID_FILE, HostPlace, LabHost
from backstay_dev.lab.image import ensure_image
from backstay_dev.lab.lab import LABS, Lab
from backstay_dev.lab.network import BRIDGE_ADDRESS
from backstay_dev.lab.services import install_web
from backstay_dev.lab.shell import Progress, silent

from .images import ensure_images
from .node import Node, Places, remove_all
from .programs import ensure_programs
from .sources import Source

# Not below /run, over which the node lays its own.
_NODES: Final = "nodes"
# The lab's image has what the lab needs: a bare Debian has no sdbus, and nobody has brought a CA.
_MAKE_BARE: Final = "rm -rf /usr/lib/python3/dist-packages/sdbus* /etc/backstay/ca.crt"


class Site(Lab):
    """`with Site([source]) as site:` a cluster with the images of these, that is ready, and two hosts that are no hosts of it yet."""

    def __init__(self, sources: Sequence[Source], *, progress: Progress = silent) -> None:
        super().__init__(2, progress=progress)
        self._sources = sources
        self._node: Node | None = None
        self.archives: list[Path] = []
        """Of all images; of two of one name the later comes last."""

    @property
    def node(self) -> Node:
        assert self._node is not None, "the site is not up"
        return self._node

    def __enter__(self) -> Site:
        self.up()
        return self

    def _build(self) -> None:
        programs, image = ensure_programs(self._progress), ensure_image(self._progress)
        images = self.archives = ensure_images(programs, self._sources, self._progress)
        self.network.up()
        self._progress("starting a node and two hosts")
        self._node = Node(self.network, Places(self.state, _folder(self.id)), programs, images, self._progress)
        place = HostPlace(self.id, self.state, image, self.shared, self.network)
        for index, name in enumerate(self._names):
            host = self.hosts[name] = LabHost(name, index, place)
            host.make()
            host.power_on(wait=False)
        self._node.up()
        pair = self._node.authority.issue("bmc", [BRIDGE_ADDRESS])
        hosts = list(self.hosts.values())
        self._bay = BmcBay(hosts, self.state, pair, address=BRIDGE_ADDRESS, network=self.network.path)
        self._bay.up()
        for host in hosts:
            host.wait_booted()
            _make_fresh(host)

    def _ways_down(self) -> Iterator[Callable[[], object]]:
        if self._node is not None:
            yield self._node.down
        yield from super()._ways_down()


def _make_fresh(host: LabHost) -> None:
    host.run("sh", "-c", _MAKE_BARE)
    host.write_file("/root/machine-uuid", host.read_file(MACHINE_UUID_FILE))
    install_web(host)


def _folder(lab_id: str) -> Path:
    """What a node of a lab that is dead has left is taken away first."""
    nodes = cache_dir() / _NODES
    nodes.mkdir(parents=True, exist_ok=True)
    for left in nodes.iterdir():
        if not (LABS / left.name).exists():
            remove_all(left)
    return nodes / lab_id
