"""Events for people: what was decided and refused, and why."""
