"""When less is written, because the whole is never taken."""

from __future__ import annotations

import pytest

from backstay_agent.core.refused import SURELY_TAKEN_BYTES, is_too_much
from backstay_api.client.errors import (
    ApiError,
    Conflict,
    Forbidden,
    Invalid,
    OutcomeUnknown,
    TooManyRequests,
    Unreachable,
)

LARGE = SURELY_TAKEN_BYTES + 1


@pytest.mark.parametrize(
    ("error", "sent_bytes", "expected"),
    [
        pytest.param(Invalid("status.x: no"), 10, True, id="422"),
        pytest.param(Invalid("a webhook says no", code=400), 10, True, id="400"),
        pytest.param(ApiError("limit is 3145728", code=413), 10, True, id="413: the server knows best"),
        pytest.param(OutcomeUnknown("in whatever language", code=500), LARGE, True, id="500, and more than etcd may take"),
        pytest.param(OutcomeUnknown("etcdserver: request timed out", code=500), LARGE - 1, False, id="500, and small"),
        pytest.param(OutcomeUnknown("etcdserver: request is too large", code=500), 10, False, id="what it says decides nothing"),
        pytest.param(OutcomeUnknown("no answer"), LARGE, False, id="no answer at all"),
        pytest.param(TooManyRequests("later"), LARGE, False, id="429"),
        pytest.param(Conflict("another version"), LARGE, False, id="409"),
        pytest.param(Forbidden("who are you"), LARGE, False, id="403"),
        pytest.param(Unreachable("no route"), LARGE, False, id="no connection"),
    ],
)  # fmt: skip
def test_what_the_server_never_takes(error: ApiError, sent_bytes: int, expected: bool) -> None:
    assert is_too_much(error, sent_bytes) is expected
