"""What was observed and what is remembered of it: what a resolver may still hold."""
