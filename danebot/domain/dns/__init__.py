"""What DNS said and what TLSA records are, as values."""
