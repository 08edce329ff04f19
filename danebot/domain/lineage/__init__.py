"""One certbot lineage as values: its keys, its certificates, and the files that lie on disk."""
