"""Answers where a prerequisite differs from that of another host: with digests that only the two agents can read, and never with content.

Which questions lead to the first file and line, the operator decides, which reads the answers of both and nothing else.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from backstay_agent.core.exchange import BYTES, agreed, public
from backstay_agent.drivers.base import AskedParts, Parts
from backstay_api.objects.plain import CopyAnswer, CopyQuestion, PrerequisiteOrder, RenderedPrerequisite
from backstay_api.objects.texts import clip
from backstay_api.process.waiting import within

from .prerequisites import MOST_CHARS

log = logging.getLogger(__name__)
AGAIN_S: Final = 10.0
"""What could not be said may be after so long: a disk was busy, a file was being written."""


class Teller:
    """What is said to the questions that are asked now."""

    def __init__(
        self,
        parts: Callable[[RenderedPrerequisite, AskedParts, bytes], Awaitable[Parts]],
        on_change: Callable[[], None],
        refusal: Callable[[str, Sequence[RenderedPrerequisite]], str],
        rng: random.Random,
    ) -> None:
        """`refusal`: as that of the `Verifier`; `rng`: where the key comes from, so of a real agent one that nobody can foresee."""
        self._parts, self._on_change, self._refusal, self._rng = parts, on_change, refusal, rng
        self._secret = b""
        self._orders: Mapping[str, PrerequisiteOrder] = {}
        self._questions: tuple[CopyQuestion, ...] = ()
        self._wake = asyncio.Event()
        self.public = ""
        """What other agents are told of the key; empty while nothing is looked at."""
        self.answers: tuple[CopyAnswer, ...] = ()

    def update(self, orders: Mapping[str, PrerequisiteOrder], questions: Sequence[CopyQuestion]) -> None:
        """What is looked at from now on, and asked about it."""
        if orders and not self._secret:
            self._secret = self._rng.randbytes(BYTES)
            self.public = public(self._secret).hex()
        self._orders = orders
        if tuple(questions) != self._questions:
            self._questions = tuple(questions)
            self._wake.set()

    async def run(self) -> None:
        """Answer each question once, and again what could not be said, until cancelled."""
        while True:
            await within(self._wake, AGAIN_S if any(one.why for one in self.answers) else None)
            self._wake.clear()
            said = {one.id: one for one in self.answers if not one.why}
            answers = [said.get(one.id) or await self._answer(one) for one in self._questions]
            if tuple(answers) != self.answers:
                self.answers = tuple(answers)
                self._on_change()

    async def _answer(self, question: CopyQuestion) -> CopyAnswer:
        try:
            said = await self._said(question)
        except Exception as error:
            # Its words might quote what was read.
            log.warning("question not answered", extra={"resource": question.name, "error": type(error).__name__})
            said = Parts(f"it could not be looked at: {type(error).__name__}")
        facts = {name: clip(fact, MOST_CHARS) for name, fact in said.facts.items()}
        return CopyAnswer(
            id=question.id, why=clip(said.why, MOST_CHARS), count=said.count, digests=said.digests, facts=facts
        )

    async def _said(self, question: CopyQuestion) -> Parts:
        order = self._orders.get(question.uid)
        found = [one for one in order.resources if one.name == question.name] if order else []
        if order is None or not found:
            return Parts("this host was not told to look at it")
        if refused := self._refusal(order.namespace, found):
            return Parts(refused)
        asked = AskedParts(question.below, question.first, question.each)
        return await self._parts(found[0], asked, self._key(question))

    def _key(self, question: CopyQuestion) -> bytes:
        """Another for each resource, and each file of it: what is alike in two of them does not look alike."""
        secret = agreed(self._secret, bytes.fromhex(question.key))
        about = "\0".join((question.uid, question.name, question.below)).encode(errors="surrogatepass")
        return hashlib.blake2b(about, key=secret, digest_size=BYTES).digest()
