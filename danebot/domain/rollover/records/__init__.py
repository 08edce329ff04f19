"""What DNS should hold: what to publish, to retire, to advise, and which change does it."""
