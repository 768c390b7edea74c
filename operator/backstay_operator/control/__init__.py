"""What acts: watch objects, keep the mirror, call the planner, carry its actions out."""
