"""What whoever brings files to this host must know of what runs here, and may do with it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from backstay_api.objects.plain import InstanceReport, RenderedResource


class Running(Protocol):
    """What is known of what runs here."""

    def runs(self, uid: str) -> bool:
        """Whether it runs here by us, or may."""

    def reports(self) -> Mapping[str, InstanceReport]:
        """As the status has them, by UID."""

    def ours(self) -> Mapping[str, Sequence[RenderedResource]]:
        """The resources of it, by UID."""

    def hands_off(self, uid: str) -> str:
        """Why nothing of it is touched; empty: it is."""

    async def restart(self, uid: str, names: Collection[str]) -> str | None:
        """Restart these resources of it. Why they have not come up, in a sentence; empty: they work; None: it was not done."""

    def was_cut_off(self, uid: str) -> bool:
        """Whether something else came between, when it was restarted last because that was asked for."""

    def is_restarted(self, uid: str) -> bool:
        """Whether it is restarted at the moment because that was asked for."""
