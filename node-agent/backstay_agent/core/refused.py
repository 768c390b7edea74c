"""What it means for this host when the API server refuses its credentials, with the remedy. For log, status line and health."""

from __future__ import annotations

from backstay_api.client.errors import ApiError, Forbidden, NotFound, Unauthorized


def explained(error: ApiError, host: str) -> str:
    """The error in words; where an admin of this host must do something, what."""
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
