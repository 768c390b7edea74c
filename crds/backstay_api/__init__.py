"""The contract: what people write, what the two sides tell each other, and the client that carries it.

Importing this package imports nothing else: the agent takes `plain` and `http`, the operator takes `models`.
"""
