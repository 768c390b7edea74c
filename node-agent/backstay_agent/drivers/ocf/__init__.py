"""OCF resource agents: programs that other people have written, run as they are and believed only as far as they can be checked."""
