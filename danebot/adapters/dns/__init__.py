"""DNS messages, the validating resolver and authoritative servers."""
