"""certbot and what belongs to it: its command line, its configuration, hooks and timers."""
