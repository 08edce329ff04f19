"""What danebot does: observe, then plan (pure), then execute."""
