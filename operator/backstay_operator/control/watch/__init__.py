"""What the API server says, and when: kopf and our informers, the cache they fill, and our own way to the server."""
