"""Could this host take over: what each standby resource needs, and whether it is there."""
