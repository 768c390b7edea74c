"""Addresses: where one belongs, whether it is free, how it is laid, told to the neighbours and taken away."""
