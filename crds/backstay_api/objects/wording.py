"""Sentences by which one part recognises what another part means: written once, for whoever says and whoever reads them."""

from __future__ import annotations

from typing import Final

NOT_RECORDED: Final = "stopped verifiably, but that cannot be recorded"
"""How the agent begins to say why it is Stuck when nothing runs any more and only its disk is in the way."""
