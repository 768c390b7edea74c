"""What people are told of it: statuses, conditions, sentences. Reads what was decided, and decides nothing."""
