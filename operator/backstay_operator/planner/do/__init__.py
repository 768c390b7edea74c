"""What is asked for: grants, moves, fences, orders, claims and finalizers. The only makers of actions that matter to safety."""
