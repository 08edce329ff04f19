"""Prometheus exporter: the status snapshot rendered as metrics."""
