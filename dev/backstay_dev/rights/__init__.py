"""What each identity may do, and what it was seen to do."""
