"""certbot's tree: reading it, changing it durably, and healing what a crash left."""
