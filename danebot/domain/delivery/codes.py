"""What the view from outside finds (check_dane, danebot verify, /probe), a row for each kind.

Frozen: the values are public labels of metrics and of ``--json``.
"""

from __future__ import annotations

from danebot.domain.kinds import Concern, FindingKind


class DeliveryCode(FindingKind):
    """What was found."""

    MISMATCH = (
        "mismatch",
        Concern.DELIVERY,
        "what is served matches no TLSA record, so DANE senders defer or bounce mail",
        "serve the key that the records name, or add the record of the one that is served",
    )
    ALL_UNUSABLE = (
        "all-unusable",
        Concern.DELIVERY,
        "no TLSA record can be used",
        "publish a 3 1 1 record of the key that is served",
    )
    NOT_JUDGED = (
        "not-judged",
        Concern.DELIVERY,
        "only PKIX usages may match, and there is no trust store to judge them by",
        "name one with --ca-file (danebot verify: ca_file in danebot.toml)",
    )
    NO_SUCH_HOST = (
        "no-such-host",
        Concern.DELIVERY,
        "a host that is meant by name is none of the domain's",
        "name one of those with --only or --address, or leave that out",
    )
    KNOWN_DOWN = (
        "known-down",
        Concern.DELIVERY,
        "a host is said to be down, so its silence counts for nothing",
        "leave --down out for that host once it is up again",
    )
    REQUIRED_RECORD = (
        "required-record",
        Concern.DELIVERY,
        "no TLSA record of a kind that is required matches what is served",
        "publish a record of that kind for what is served",
    )
    NOT_TRUSTED = (
        "not-trusted",
        Concern.DELIVERY,
        "senders and clients without DANE refuse the certificate",
        "serve a certificate of a CA that they trust, in date, with the host's name in it",
    )
    NO_STARTTLS = (
        "no-starttls",
        Concern.DELIVERY,
        "STARTTLS is not offered, though TLSA records demand it",
        "turn TLS on, or look for what strips STARTTLS on the way",
    )
    TLS_FAILED = (
        "tls-failed",
        Concern.DELIVERY,
        "the TLS handshake fails",
        "see the service's own log",
    )
    PROTOCOL_BROKEN = (
        "protocol-broken",
        Concern.DELIVERY,
        "the service breaks its protocol",
        "see that the right service listens there, and its log",
    )
    UNREACHABLE = (
        "unreachable",
        Concern.DELIVERY,
        "an address gives no answer",
        "see that the service runs and that nothing filters the way to it",
    )
    NOT_ASKED = (
        "not-asked",
        Concern.DELIVERY,
        "an address was not asked: no route from here, or too many",
        "ask from a host that has a way there",
    )
    BOGUS = (
        "bogus",
        Concern.DELIVERY,
        "DNSSEC validation fails, so senders defer, or pass over that host",
        "see that the DS record in the parent fits the zone's keys and that signatures are in date",
    )
    LOOKUP_FAILED = (
        "lookup-failed",
        Concern.DELIVERY,
        "records can't be looked up, so senders defer, or pass over that host",
        "see that every authoritative server of the zone answers",
    )
    RESOLVER_FAILED = (
        "resolver-failed",
        Concern.DELIVERY,
        "this host's resolver could not be asked",
        "see that the resolver of this host answers",
    )
    RESOLVER_UNTRUSTED = (
        "resolver-untrusted",
        Concern.DELIVERY,
        "this host's resolver isn't trusted to have validated the answer",
        (
            "run a validating resolver on this host, or declare the one in use trusted "
            "(options trust-ad in resolv.conf) if the path to it is safe"
        ),
    )
    NO_SERVICE = (
        "no-service",
        Concern.DELIVERY,
        "the domain has no such service",
        "publish MX or SRV records, or take the domain out of the list",
    )
    NO_ADDRESS = (
        "no-address",
        Concern.DELIVERY,
        "a host has no address",
        "give the host an address record, or take it out of the list",
    )
    NO_DANE = (
        "no-dane",
        Concern.DELIVERY,
        "no secure TLSA record binds senders",
        "publish a TLSA record for the key served there, in a signed zone",
    )
    INSECURE_MX = (
        "insecure-mx",
        Concern.DELIVERY,
        "MX or SRV records are not secured by DNSSEC, so they can be forged",
        "sign the zone and have its DS record published",
    )
    HOST_WITHOUT_DANE = (
        "host-without-dane",
        Concern.DELIVERY,
        "one host of several lacks DANE: an attacker need only block the others",
        "publish a TLSA record for the key served there, in a signed zone",
    )
    ONLY_CERTIFICATE_RECORDS = (
        "only-certificate-records",
        Concern.DELIVERY,
        "TLSA records name certificates alone, which change at each renewal",
        "publish 3 1 1 records, which stay right as long as the key does",
    )
    SINGLE_ANCHOR = (
        "single-anchor",
        Concern.DELIVERY,
        "a single DANE-TA record names an intermediate, and the CA may issue from another",
        "add a 3 1 1 record of the server's own key",
    )
    RETIRED_ANCHOR = (
        "retired-anchor",
        Concern.DELIVERY,
        "a DANE-TA record names a CA that issues no more, and nothing else will match",
        "add a 3 1 1 record of the server's own key, or what this prints: danebot tlsa --anchors",
    )
    UNLISTED_ISSUERS = (
        "unlisted-issuers",
        Concern.DELIVERY,
        "the CA may issue the next certificate from an intermediate that no record names",
        "add a 3 1 1 record of the server's own key, or what this prints: danebot tlsa --anchors",
    )
    MISMADE_RECORD = (
        "mismade-record",
        Concern.DELIVERY,
        "a TLSA record was made from an empty file or from text, so it never matches",
        "remove it, and see which command failed; this makes right ones: danebot record FILE",
    )
    MANY_RECORDS = (
        "many-records",
        Concern.DELIVERY,
        "there are so many TLSA records that answers get long",
        "remove records of keys that are no longer used",
    )
    UNUSABLE_RECORDS = (
        "unusable-records",
        Concern.DELIVERY,
        "some TLSA records can't be used",
        "remove them",
    )
    UNMATCHED_RECORDS = (
        "unmatched-records",
        Concern.DELIVERY,
        "TLSA records match nothing that is served",
        "keep them if they are of the next key, or of a host that wasn't asked",
    )
    SOME_SENDERS_FAIL = (
        "some-senders-fail",
        Concern.DELIVERY,
        "authenticated, but not for every sender's software",
        "see what the finding names: the chain, its keys, or the records",
    )
    CERTIFICATE_EXPIRED = (
        "certificate-expired",
        Concern.DELIVERY,
        "the certificate has expired: senders and clients without DANE refuse it",
        "renew the certificate, and see why that did not happen by itself",
    )
    CERTIFICATE_EXPIRES = (
        "certificate-expires",
        Concern.DELIVERY,
        "the certificate expires soon",
        "renew the certificate, and see why that did not happen by itself",
    )
    SIGNATURE_EXPIRES = (
        "signature-expires",
        Concern.DELIVERY,
        "a DNSSEC signature expires soon; the zone is bogus from then on",
        "see that the signer of the zone runs and that its servers have the current version",
    )
