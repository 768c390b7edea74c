"""A real local control plane and a lab of real hosts, for the demo, the tests and the benchmarks. Never part of the product."""
