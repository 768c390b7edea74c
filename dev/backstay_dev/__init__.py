"""A real local control plane and a lab of real hosts, for demo, tests and benchmarks. Never part of the product."""
