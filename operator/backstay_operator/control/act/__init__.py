"""Carrying out a plan: which actions in this round, each as one preconditioned write, and what the API server would not have."""
