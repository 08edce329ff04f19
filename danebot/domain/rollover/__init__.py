"""The rollover's rules: what is remembered of looks, when a key is safe, and the next step."""
