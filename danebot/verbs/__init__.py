"""The verbs: each takes a console and options, runs its job, prints, and returns an exit status."""
