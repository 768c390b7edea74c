"""Takes a v4 address of an agent before this one away without what hangs on it (see `places.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .netlink import IFA_F_SECONDARY, Address
from .places import Sight
from .sysctls import number


@contextmanager
def promoting(address: Address, sight: Sight, root: Path) -> Iterator[None]:
    """While this lasts, what hangs on that address stays when it goes. Raises OSError, and then nothing was touched.

    Only for addresses that older agents laid beside others; the host's setting is as before at the end.
    """
    if not _hanging(address, sight):
        yield
        return
    conf = root / "ipv4/conf"
    setting = conf / sight.link_of(address).name / "promote_secondaries"
    if number(conf / "all/promote_secondaries") or number(setting):
        yield
        return
    setting.write_text("1\n")
    try:
        yield
    finally:
        setting.write_text("0\n")


def _hanging(address: Address, sight: Sight) -> bool:
    if address.interface.version == 6 or address.flags & IFA_F_SECONDARY:
        return False
    return any(
        other != address
        and other.index == address.index
        and other.flags & IFA_F_SECONDARY
        and other.interface.network == address.interface.network
        for other in sight.addresses
    )
