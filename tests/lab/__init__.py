"""A mail domain with DANE on loopback: real servers, one 127.A.B.0/24 per lab.

    .1  knot, primary: signs example.test. and bogus.test., takes RFC 2136 updates with TSIG
    .2  knot, secondary (NOTIFY, AXFR)
    .3  unbound, validating; trust anchor and stub for test. only, all else is refused
    .4  ACME: port 14000 a front (renewal information, faults), 14001 pebble behind it
    .5  postfix on 25, 587 and 465 (TLS at once), with live/LINEAGE/combo.pem; certbot on 80
    .6  knot, parent: signs test., which delegates to the three zones
    .7  postfix on 25, with a chain file of its own (``Lab.second_chain``)

Zones: example.test. (signed, DS in the parent), insecure.test. (no DS), bogus.test. (wrong DS).

    with Lab() as lab:
        lab.issue("mail.example.test", "mail.example.test")
        lab.tlsa_add("_25._tcp.mail.example.test.", "3 1 1 " + lab.served_spki())
        assert lab.dane_verified()
"""

from lab.acme import Flavour
from lab.lab import Lab, missing

__all__ = ["Flavour", "Lab", "missing"]
