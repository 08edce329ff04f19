"""The rollover's rules: what is remembered, when a key is safe, and the next step."""
