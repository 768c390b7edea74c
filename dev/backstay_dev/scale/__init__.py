"""A real control plane, operator and fencer with hundreds of hosts, which live in one process: what grows with their number, measured."""
