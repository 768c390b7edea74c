"""A log line: a constant message with named fields."""

from __future__ import annotations

import json
import logging

from backstay_api.process import logs


def test_a_log_line_is_a_constant_message_with_named_fields() -> None:
    record = logging.makeLogRecord({"msg": "host lost", "levelname": "WARNING", "host": "n1", "why": "silent for 2 s"})
    assert logs.fields(record) == {"host": "n1", "why": "silent for 2 s"}
    assert logs.text_formatter().format(record).endswith('WARNING host lost  host=n1 why="silent for 2 s"')
    assert json.loads(logs.json_formatter().format(record))["host"] == "n1"
