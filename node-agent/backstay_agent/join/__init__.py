"""`backstay-agent join`: a machine becomes the host that a join token names.

    backstay host join-token n1 | ssh n1 backstay-agent join -

First all that stands in the way on this machine is told at once, and nothing is changed (`preflight.py`). Then the join token is
claimed, which one machine can; it is given in exchange for the host's own token, and is dead within 10 s (`exchange.py`).
"""
