"""Bounds of the schema that those who fill an object must know beforehand. Standard library only."""

from __future__ import annotations

from typing import Final

MOST_INSTANCES: Final = 512
"""Of one host's orders, questions to a standby, and reports: as many as there is room for below etcd's limit of an object."""
MOST_QUESTIONS: Final = 8
"""Of one host, where its copies differ from those of others: an answer is 2 KiB at most."""
MOST_CONTENT_CHARS: Final = 32_768
"""Of one file's content in a manifest; orders to a host have room for 96 KiB of all that it looks at."""
MOST_CONTENT_BYTES: Final = 64 * 1024
"""Of the contents of all files of one service, as hosts are told them: so that there is room for the rest, and for other services."""
MOST_ATTRIBUTES: Final = 64
"""That agents with roles have set, of one service on one host; and that one host is told of the others."""
MOST_DOCUMENT: Final = 256 * 1024
"""Characters of what a host has found out about one unit."""
