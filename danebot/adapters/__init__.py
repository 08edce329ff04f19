"""Input and output, one outside thing each, behind the Protocols of `ports`."""
