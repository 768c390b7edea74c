"""`backstay` and `kubectl backstay`: one module a verb; what several verbs show is read in `view`, refused in `rights`, printed in `tables`."""
