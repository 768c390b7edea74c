"""Filesystems of a service: found in the kernel's own table, checked, mounted, watched, and verifiably unmounted."""
