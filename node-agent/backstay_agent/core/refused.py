"""What it means for this host when the API server refuses its credentials, or what it writes."""

from __future__ import annotations

from typing import Final

from backstay_api.client.errors import ApiError, Forbidden, Invalid, NotFound, Unauthorized

SURELY_TAKEN_BYTES: Final = 1 << 20
"""Of a whole object: etcd takes half as much again, unless somebody has told it otherwise."""


def is_too_much(error: ApiError, sent_bytes: int) -> bool:
    """Whether the server will not take this object, however often it is asked: what it says is wrong with it, or its size."""
    # etcd's own limit comes back as a 500, like any trouble that passes.
    is_too_large = error.code == 413 or (error.code >= 500 and sent_bytes > SURELY_TAKEN_BYTES)
    return isinstance(error, Invalid) or is_too_large


def explained(error: ApiError, host: str) -> str:
    """The error in words, for log, status line and health; where an admin of this host must do something, what."""
    match error:
        case Unauthorized():
            return (
                f"the API server does not accept this host's token ({error}): it was revoked, or the host was away for"
                f" longer than it lives. Make a new one with `backstay host add {host}`, and put it into the token file"
            )
        case Forbidden():
            return (
                f"the API server knows this machine, but not as Host {host} ({error}). If that is not its name in"
                f' Backstay, write its right name as "host" into agent.json; if it is, enrol'
                f" it again with `backstay host add {host}`"
            )
        case NotFound():
            return f"there is no Host {host} ({error}): enrol this machine with `backstay host add {host}`"
        case _:
            return str(error) or type(error).__name__
