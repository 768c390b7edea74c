"""What must outlive the process: the journal in /run and the inventory in /var/lib."""
