"""The pure heart: no sockets, no files, no clock.  ``now`` (aware UTC) is a parameter."""
