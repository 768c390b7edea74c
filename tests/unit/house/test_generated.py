"""What is generated is committed, and is as it would be generated now."""

from backstay_api.generate.files import stale


def test_committed_equals_generated() -> None:
    assert stale() == [], "run `python -m backstay_api.generate` and commit"
