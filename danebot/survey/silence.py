"""Whether a survey's own network can be to blame for what it found."""

from __future__ import annotations

from danebot.survey.tables import Tables

# What says of itself that this host is to blame is `unknown` already.
_SILENT = """
    SELECT CASE WHEN contains(look.address, ':') THEN 'IPv6' ELSE 'IPv4' END AS family,
        count(DISTINCT look.address)
    FROM (SELECT unnest(looks) AS look FROM hosts)
    WHERE look.outcome NOT IN ('no_address', 'no_route', 'shortage')
    GROUP BY family HAVING count(*) FILTER (WHERE look.outcome = 'served') = 0
    ORDER BY family
"""


def silence(asked: Tables) -> list[str]:
    """Return a line for each address family of which nobody presented a certificate.

    All of them may be down; but so it looks, too, where a provider lets nothing out to port 25, or
    answers there itself, and then each host that has DANE is `critical` for no fault of its own.
    """
    return [
        f"none of {count} {family} addresses that were asked presented a certificate: where this "
        "network lets nothing out to port 25, that is no fault of theirs; see from here, with "
        "danebot verify, whether a domain that surely works does, before you believe it"
        for family, count in asked.ask(_SILENT)
    ]
