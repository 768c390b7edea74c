"""The host's heartbeat: renews its Lease every T_renew by compare-and-swap, over connections of its own, however long an outage.

It says only three things to the rest of the agent: held, waiting, lost. Lost is final for a session: the Lease is sealed,
or belongs to a session that is not older. Everything else (timeouts, 409, 5xx) only means: look, and try again when it is time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from backstay_agent.core.refused import explained
from backstay_agent.core.sessions import Hold, on_lease, why_lost
from backstay_api.client.api import Api
from backstay_api.client.errors import ApiError, Conflict, Forbidden, Invalid, Unauthorized, Unreachable
from backstay_api.objects import lease as leases
from backstay_api.objects.durations import seconds
from backstay_api.objects.kinds import LEASES
from backstay_api.objects.plain import Heartbeat as Wish
from backstay_api.objects.plain import SessionRef
from backstay_api.objects.promise import PROFILES, Contract, next_renewal_s
from backstay_api.objects.texts import clip
from backstay_api.process.waiting import clock_s, until

log = logging.getLogger(__name__)

NOT_HELD_SHARE: Final = 0.25
"""Until the Lease is ours (created, or reopened, by the operator) we look four times in T_renew: the host is of no use before."""


class Heartbeat:
    """Keeps one host's Lease for whatever session it is told to."""

    def __init__(
        self,
        api: Api,
        host: str,
        *,
        wall: Callable[[], str],
        on_lost: Callable[[str], None],
        on_refused: Callable[[], None],
        contract: Contract,
    ) -> None:
        """`on_lost` is told why, `on_refused` when `refused` has changed."""
        self._api = api.lane("heartbeat")
        self._host = host
        self._wall = wall
        self._on_lost, self._on_refused = on_lost, on_refused
        self._session: SessionRef | None = None
        self._told = asyncio.Event()
        self._changed = asyncio.Event()
        self._known: leases.HostLease | None = None
        """The Lease as last read or written; None: it must be read."""
        self._wanted = contract
        self._obeyed = contract
        """As published: what others judge our silence by."""
        self.held = False
        self.renewed_at_s: float | None = None
        """When the last renewal that succeeded was *sent*: every deadline of this host counts from there."""
        self.trouble = "not begun"
        self.refused = ""
        """Why the API server has said no to the last renewal that it has answered: nothing that is tried again helps."""

    def hold(self, session: SessionRef) -> None:
        """From now on, keep the Lease for this published session."""
        if session != self._session:
            self._session, self._known, self.held = session, None, False
            self._changed.set()
        self._told.set()

    def release(self) -> None:
        """The session is over: no more renewals."""
        self._session, self.held = None, False
        self._told.clear()

    def wish(self, wish: Wish) -> None:
        """What the host's admin asks for; it counts once it is published in the Lease."""
        self._wanted = contract_of(wish)

    async def run(self) -> None:
        while True:
            await self._told.wait()
            self._changed.clear()
            begun_s = clock_s()
            await self._beat()
            await until(self._changed, next_renewal_s(sent_at_s=begun_s, contract=self._pace()))

    def _pace(self) -> Contract:
        # Until a slower contract is published we keep to the faster one: nobody may be surprised by our silence.
        faster = min(self._wanted, self._obeyed, key=lambda contract: contract.renew_s)
        return faster if self.held else replace(faster, renew_s=NOT_HELD_SHARE * faster.renew_s)

    async def _beat(self) -> None:
        """One renewal; once more at once if it lost against somebody's other change of the Lease."""
        for _ in range(2):
            session = self._session
            if session is None:
                return
            try:
                await self._renew(session)
            except Conflict:
                self._known = None
                continue
            except (ApiError, ValueError) as error:
                self._failed(error)
            return

    async def _renew(self, session: SessionRef) -> None:
        known = self._known
        if known is None:
            raw = await self._api.get(LEASES, self._host, leases.NAMESPACE, timeout_s=self._obeyed.request_s)
            known = leases.read(raw)
        match on_lease(known, session):
            case Hold.RENEW:
                await self._write(known.renewed(self._wanted, renew_time=self._wall()), session)
            case Hold.TAKE:
                taken = known.taken(session.text, session.seq, self._wanted, renew_time=self._wall())
                await self._write(taken, session)
            case Hold.WAIT:
                self._known, self.held, self.trouble = None, False, ""
                self._answered("")
            case Hold.LOST:
                self._known = None
                if session == self._session:
                    self.release()
                    self._on_lost(why_lost(known, session))

    async def _write(self, lease: leases.HostLease, session: SessionRef) -> None:
        sent_at_s = clock_s()
        raw = await self._api.replace(LEASES, leases.write(lease), timeout_s=self._obeyed.request_s)
        if session != self._session:
            return
        if not self.held:
            log.info("lease held", extra={"host": self._host, "session": session.text})
        self._known = leases.read(raw)
        self._obeyed = self._known.contract
        self.renewed_at_s, self.held, self.trouble = sent_at_s, True, ""
        self._answered("")

    def _failed(self, error: Exception) -> None:
        # Whether it was carried out is unknown: read before the next write. (Never sent: what we know still holds.)
        if not isinstance(error, Unreachable):
            self._known = None
        before = self.trouble
        self.trouble = explained(error, self._host) if isinstance(error, ApiError) else str(error)
        # Once an outage; and whatever an admin has to mend is said, also in the middle of one.
        if not before or (isinstance(error, Unauthorized | Forbidden) and self.trouble != before):
            log.warning("renewal failed", extra={"host": self._host, "why": self.trouble})
        if isinstance(error, Unauthorized | Forbidden | Invalid):
            self._answered(clip(self.trouble))

    def _answered(self, refused: str) -> None:
        if refused != self.refused:
            self.refused = refused
            self._on_refused()


def contract_of(wish: Wish) -> Contract:
    """The timings for what an admin asks for; the profile's where the period is out of bounds."""
    profile = PROFILES[wish.profile]
    if wish.renew is None:
        return profile
    renew_s = seconds(wish.renew)
    if not 0.1 <= renew_s <= 300:
        log.warning("heartbeat period out of bounds", extra={"renew_s": renew_s, "used_s": profile.renew_s})
        return profile
    return replace(profile, renew_s=renew_s, request_s=min(profile.request_s, renew_s))
