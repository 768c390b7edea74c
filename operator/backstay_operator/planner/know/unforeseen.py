"""What one object may raise that holds what nobody has foreseen: it is left as it is and told, and all others are planned."""

from __future__ import annotations

from typing import Final

BROKEN: Final = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What is raised while one object is planned that holds what nobody has foreseen; `ValidationError`, of our own models, is a ValueError.
An AssertionError is none of them: where an invariant is broken nothing goes on."""
