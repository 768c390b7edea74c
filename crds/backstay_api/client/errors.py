"""What can come of one request to the API server, named by what is now true.

Callers must be able to tell "surely not done" from "nobody knows": a lease or a grant whose write may still
arrive is another situation than one whose write was refused. So every failure is exactly one class here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """A request that did not succeed. `code` is the HTTP status, 0 where there was no answer."""

    default_code = 0
    default_reason = ""

    def __init__(self, message: str, *, code: int | None = None, reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = self.default_code if code is None else code
        self.reason = reason or self.default_reason or type(self).__name__

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


class NotFound(ApiError):
    """There is no such object (or, with a message that says so, no such kind)."""

    default_code = 404


class Conflict(ApiError):
    """The write was made from an older version, or a precondition did not hold: look again. Nothing was written."""

    default_code = 409


class AlreadyExists(ApiError):
    """An object of this name is there already. Nothing was written."""

    default_code = 409


class Gone(ApiError):
    """The version asked for is compacted: only a new list helps."""

    default_code = 410
    default_reason = "Expired"


class Invalid(ApiError):
    """The object or the request was refused; the message carries the server's sentences."""

    default_code = 422


class Forbidden(ApiError):
    """This identity may not do that."""

    default_code = 403


class Unauthorized(ApiError):
    """The credentials were not accepted, even after they were read again."""

    default_code = 401


class ApiTrouble(ApiError):
    """The server, or the way to it, is in trouble: the same request may succeed later."""

    retry_after_s: float | None = None


class TooManyRequests(ApiTrouble):
    """The server asks for patience; the request was not carried out."""

    default_code = 429

    def __init__(self, message: str, *, code: int | None = None, reason: str = "", retry_after_s: float = 1.0) -> None:
        super().__init__(message, code=code, reason=reason)
        self.retry_after_s = retry_after_s


class ServerError(ApiTrouble):
    """A read was answered with 5xx. (A write answered so is `OutcomeUnknown`.)"""

    default_code = 500


class Unreachable(ApiTrouble):
    """No connection was made, or nothing was sent on it: the request was certainly not carried out."""


class OutcomeUnknown(ApiTrouble):
    """The request was sent and no whole answer came (or a 5xx): it may have been carried out, or still be.

    A timeout, a connection cut after the send, half an answer. After a read it only means that nothing was learned.
    """


class Malformed(ApiTrouble):
    """What arrived on a watch is not an event: nothing after the last good one can be trusted. List again."""


_BY_CODE: Mapping[int, type[ApiError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
}


def from_status(
    code: int, status: Mapping[str, Any], *, is_write: bool, retry_after_s: float | None = None
) -> ApiError:
    """The error for an answer that is not 2xx; `status` is its metav1.Status, or empty if the body was none."""
    message = str(status.get("message") or f"the server answered {code} without saying why")
    reason = str(status.get("reason") or "")
    if code == 429:
        return TooManyRequests(message, code=code, reason=reason, retry_after_s=retry_after_s or 1.0)
    if code >= 500:
        trouble = OutcomeUnknown if is_write else ServerError
        error = trouble(message, code=code, reason=reason)
        error.retry_after_s = retry_after_s
        return error
    if reason == "AlreadyExists":
        return AlreadyExists(message, code=code, reason=reason)
    return _BY_CODE.get(code, ApiError)(message, code=code, reason=reason)
