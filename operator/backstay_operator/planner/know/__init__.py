"""What is known, and what follows from it at once: the world, who lives, who owns what, which hosts a service selects. Decides nothing."""
