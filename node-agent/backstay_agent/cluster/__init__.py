"""What goes to and comes from the API server: the Lease, the assignment, the token."""
