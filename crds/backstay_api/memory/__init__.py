"""An API server in memory, with the same rules: what tests and the simulator run on."""
