"""The operator: `planner` decides (pure), `control` acts (kopf, API writes, status, metrics)."""
