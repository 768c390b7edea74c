"""What every process of ours has: a log, endpoints."""
