"""The operator's logging: as all our processes log, with kopf made quiet."""

from __future__ import annotations

import logging

from backstay_api.process import logs


def set_up(*, style: str, level: str) -> None:
    """As `backstay_api.process.logs.set_up`. kopf tells every attempt of every request as an error: ours say it once."""
    logs.set_up(style=style, level=level)
    for chatty in ("kopf", "aiohttp", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    for retrying in ("kopf._cogs.clients.watching", "kopf._core.reactor.observation"):
        logging.getLogger(retrying).addFilter(lambda record: "will retry" not in record.getMessage())
