"""Settings of this host's kernel that keep an address from working. Read from /proc: that never waits for a disk."""

from __future__ import annotations

from pathlib import Path
from typing import Final

SYSCTLS: Final = Path("/proc/sys/net")
_ANSWERS_NOT: Final = {
    2: "answers only to who is in the subnet of the very address, and ours is laid as a subnet of its own",
    8: "answers to nobody",
}


def forbidden(version: int, link: str, root: Path = SYSCTLS) -> str | None:
    """Why no address of this family works on this link, in a sentence; None if nothing forbids it."""
    return _forbidden_v6(link, root) if version == 6 else _forbidden_v4(link, root)


def _forbidden_v6(link: str, root: Path) -> str | None:
    if not (root / "ipv6").exists():
        return "this host's kernel has no IPv6"
    if number(root / "ipv6/conf" / link / "disable_ipv6"):
        return f"IPv6 is disabled on {link} (net.ipv6.conf.{link}.disable_ipv6 is 1)"
    return None


def _forbidden_v4(link: str, root: Path) -> str | None:
    ignore = max(number(root / "ipv4/conf" / where / "arp_ignore") for where in ("all", link))
    if ignore in _ANSWERS_NOT:
        return f"{link} would not be found by its neighbours: with arp_ignore={ignore} it {_ANSWERS_NOT[ignore]}"
    return None


def number(file: Path) -> int:
    """What the file says; 0 where it does not."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return 0
