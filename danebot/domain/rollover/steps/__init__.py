"""What to do next: the memory kept, the gate, the safe time, the one step."""
