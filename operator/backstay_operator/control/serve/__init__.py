"""What probes, Prometheus and the log are told of this replica."""
