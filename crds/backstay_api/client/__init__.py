"""Talking to an API server: requests, credentials, informers, errors."""
