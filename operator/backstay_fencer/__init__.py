"""The fencer: the only process that may cut a host's power, and the only reader of the fencing Secrets."""
