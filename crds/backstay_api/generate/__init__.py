"""Everything that is written from the models and committed: the CRDs, the agent's plain classes, the reference pages.

`python -m backstay_api.generate` writes it all, `--check` says what is not as it would be written.
"""
