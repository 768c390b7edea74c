"""Hands of the agent: one module a kind of resource; drivers do not know each other."""
