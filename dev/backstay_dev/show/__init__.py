"""What the demo, the benchmark and the tests on machines share: cases, measurements, the detector of overlaps."""
