"""A survey in, a draft of a manifest out: what of that which is used is a need, how it comes to be on a second host, and why. Thought alone:
no file is read here, no host asked. `rules/` has the table; `recipes.yaml` and `baseline.yaml` are data.
"""
