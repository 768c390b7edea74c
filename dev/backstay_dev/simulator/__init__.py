"""A whole Backstay in one process: production's own loops on virtual time, with faults drawn from a seed and a monitor that judges."""
