"""danebot keeps DANE TLSA records and served keys in agreement (RFC 6698, 7671, 7672).

Rooms, in the only direction in which imports may point::

    errors -> domain -> adapters -> jobs -> cli, checks, exporters

Every job walks one road: observe, assess and plan, then execute or render.
"""

__version__ = "0.2.0.dev0"
