"""The operator: `planner` is thought (pure), `control` is hands (kopf, API writes, status, metrics)."""
