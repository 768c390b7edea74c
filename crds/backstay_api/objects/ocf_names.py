"""What an OCF resource is called: its agent, itself, and which of its two parts. Standard library only."""

from __future__ import annotations

from typing import Any

from .ocf_roles import promotes


def ocf_agent(agent: str) -> str:
    """Provider and type, as `pcs` and `crm` write them too."""
    return agent.removeprefix("ocf:")


def ocf_key(ocf: Any) -> str:
    """By its own name, if it has one. Else by all that its agent is told: the same told twice is one thing on a host."""
    parameters = sorted((ocf.parameters or {}).items())
    return " ".join(
        [ocf_agent(ocf.agent), *([ocf.instance] if ocf.instance else [f"{k}={v!r}" for k, v in parameters])]
    )


def ocf_part(ocf: Any) -> str:
    """By its name, and whether it is the copy or its promotion: on a host the one stands on the other."""
    return f"promoted {ocf_key(ocf)}" if promotes(ocf) else ocf_key(ocf)
