"""Thought of the agent: instance state machine, sequence of resources, sessions. Pure as the planner."""
