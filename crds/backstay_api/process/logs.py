"""One way to log for all our processes: a constant message with named fields beside it, for people or for machines."""

from __future__ import annotations

import json
import logging
from typing import Any, Final

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def set_up(*, style: str, level: str) -> None:
    """Log to stderr from now on. `style` is `text` or `json`; `level` a level's name, in any case."""
    handler = logging.StreamHandler()
    handler.setFormatter(json_formatter() if style == "json" else text_formatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def text_formatter() -> logging.Formatter:
    """For people."""
    return _Text("%(asctime)s %(levelname)-7s %(message)s")


def json_formatter() -> logging.Formatter:
    """For machines: one object a line."""
    return _Json()


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """What a log call gave as `extra`."""
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


class _Text(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:
        named = " ".join(f"{name}={_shown(value)}" for name, value in fields(record).items())
        return f"{super().formatMessage(record)}  {named}".rstrip()


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _shown(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if " " in text or not text else text
