"""Network faults: a relay between a host and the API server."""
