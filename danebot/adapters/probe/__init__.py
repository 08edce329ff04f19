"""What services present when TLS is started: dialogues, sessions and trust."""
