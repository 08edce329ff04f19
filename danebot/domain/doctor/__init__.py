"""Whether this host gives danebot what it rests on: facts in, findings with their remedies out."""
