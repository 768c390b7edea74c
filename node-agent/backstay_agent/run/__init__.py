"""Running what was ordered: one supervisor, one runner an instance, and everything that watches what it started."""
