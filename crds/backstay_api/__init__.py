"""The contract: what people write, what the two sides tell each other, and the client that carries it.

Importing this package imports nothing else: the agent takes `plain` and `http`, the operator takes `models`.
"""

VERSION = "0.1.0"
"""Of every part, chart, package and image: the release that this source becomes. A build of anything but its tag adds the commit."""
