"""What the admin of this host allows services to bring: /etc/backstay/policy.d, read and asked before anything is done with them."""
