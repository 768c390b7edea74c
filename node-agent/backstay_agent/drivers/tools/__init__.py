"""What several drivers use: systemd over D-Bus, control groups, programs in transient units, looks at the file system."""
