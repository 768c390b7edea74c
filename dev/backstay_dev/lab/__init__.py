"""Real machines, real networks and a real control plane on this computer."""
