"""The agent on each host: receives what the host shall run, starts, watches and verifiably stops it, and says so."""
