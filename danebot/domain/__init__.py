"""The pure heart: no sockets, no files, no clock.  ``now`` (aware UTC) is a parameter.

Values are frozen.  Small ones are named tuples, since every check pays for a dataclass's definition
at its start; those that are held together by rules of their own are frozen dataclasses.
"""
