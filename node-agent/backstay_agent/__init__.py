"""The agent on each host: hears what the host shall run, starts, watches and verifiably stops it, and says so."""

VERSION = "0.1.0"
