"""`backstay` and `kubectl backstay`."""
