"""Units of systemd: what one stands for, whether a service can be made of it, how it is kept, started, stopped and watched."""
