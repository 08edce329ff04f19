"""The public status document: its values, how they are made, what becomes of them in time."""
