"""What acts: watch objects, keep the cache, call the planner, carry its actions out."""
