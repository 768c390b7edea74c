"""Thought: everything known goes in as a World, actions with their reasons come out. No clock, network, disk, randomness or log."""
