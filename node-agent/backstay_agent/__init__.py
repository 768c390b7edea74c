"""The agent on a host: starts, watches and stops what its HostAssignment grants. Standard library and D-Bus only."""
