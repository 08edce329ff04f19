"""What a run finds about a lineage, a row for each kind.

Frozen: the values are public labels of metrics and of ``--json``.
"""

from __future__ import annotations

from danebot.domain.kinds import Basis, Concern, FindingKind


class Code(FindingKind):
    """What was found."""

    FILES_BROKEN = (
        "files-broken",
        Concern.RENEWAL,
        "a lineage's files can't be read, or don't belong together",
        "mend the file, then run: danebot renew",
    )
    HEALED = ("healed", Concern.RENEWAL, "what an interrupted run left was put right", "")
    UNPROTECTED = (
        "unprotected",
        Concern.TLSA,
        "no TLSA record is watched, so nothing keeps key and DNS in agreement",
        (
            "this prints what to publish: danebot tlsa LINEAGE; or say that there is none: "
            "danebot init --no-dane LINEAGE"
        ),
    )
    OWNER_DOUBTFUL = (
        "owner-doubtful",
        Concern.TLSA,
        "a line of dane-ee names no TLSA owner, and no records are there: no sender asks for them",
        "correct the line, or take it out: danebot watch --remove LINEAGE OWNER",
    )
    WATCH_LOST = (
        "watch-lost",
        Concern.TLSA,
        "dane-ee lost a line, which protects the lineage all the same",
        "put the line back, or let go of it: danebot watch --remove LINEAGE OWNER",
    )
    KEY_UNKNOWN = (
        "key-unknown",
        Concern.TLSA,
        "the files hold a key that danebot didn't make, and that isn't used",
        "run: danebot renew",
    )
    KEY_SET_ASIDE = (
        "key-set-aside",
        Concern.TLSA,
        "a key that danebot didn't make is kept in a file of its own",
        "use it with: danebot newkey --adopt FILE LINEAGE, or remove the file",
    )
    TLSA_MISMATCH = (
        "tlsa-mismatch",
        Concern.TLSA,
        "no TLSA record that counts matches the live key: DANE senders defer or bounce mail",
        "add what this prints: danebot tlsa LINEAGE",
        Basis.DNS,
    )
    TLSA_MISSING = (
        "tlsa-missing",
        Concern.TLSA,
        "the live key's TLSA record is missing",
        "add what this prints: danebot tlsa LINEAGE",
        Basis.DNS,
    )
    TLSA_INSECURE = (
        "tlsa-insecure",
        Concern.TLSA,
        "the answer for TLSA records is not secured by DNSSEC, so no sender uses it",
        "sign the zone, or let danebot ask a validating resolver whose AD bit it may trust",
        Basis.DNS,
    )
    TLSA_BOGUS = (
        "tlsa-bogus",
        Concern.TLSA,
        "DNSSEC validation of the TLSA records fails: DANE senders defer mail",
        "mend the zone's signatures or its DS record",
        Basis.DNS,
    )
    DNS_UNREACHABLE = (
        "dns-unreachable",
        Concern.TLSA,
        "the validating resolver gives no answer",
        "see that the resolver runs, or name another one with resolver in danebot.toml",
        Basis.DNS,
    )
    SERVER_LACKS_RECORD = (
        "server-lacks-record",
        Concern.TLSA,
        "an authoritative server lacks the live key's TLSA record",
        "see why that server lags",
        Basis.DNS,
    )
    DIGEST_CONFLICT = (
        "digest-conflict",
        Concern.TLSA,
        "a record of one digest would take the effect from records of another",
        "write the line of dane-ee with the matching type of the records that are there",
    )
    TLSA_ANCHOR_RETIRED = (
        "tlsa-anchor-retired",
        Concern.TLSA,
        "a DANE-TA record names a CA that issues no more, and nothing else will match",
        "add the live key's record, or what this prints: danebot tlsa --anchors LINEAGE",
    )
    TLSA_ISSUERS_UNLISTED = (
        "tlsa-issuers-unlisted",
        Concern.TLSA,
        "the CA may issue the next certificate from an intermediate that no record names",
        "add the live key's record, or what this prints: danebot tlsa --anchors LINEAGE",
    )
    TLSA_MISMADE = (
        "tlsa-mismade",
        Concern.TLSA,
        "a TLSA record was made from an empty file or from text, so it never matches",
        "remove it; danebot tlsa LINEAGE prints the right ones",
    )
    SERVERS_UNREACHABLE = (
        "servers-unreachable",
        Concern.TLSA,
        "authoritative servers give no usable answer",
        (
            "a record counts as published only when every server has it: "
            "mend that server, or take it out of the NS set"
        ),
        Basis.DNS,
    )
    NEXT_KEY_MADE = ("next-key-made", Concern.ROLLOVER, "a next key was made", "")
    NEXT_KEY_WAITS = (
        "next-key-waits",
        Concern.ROLLOVER,
        "the next key waits for its TLSA records",
        "publish what this prints: danebot tlsa LINEAGE",
    )
    NEXT_KEY_STUCK = (
        "next-key-stuck",
        Concern.ROLLOVER,
        "the next key waits too long for its TLSA records",
        "publish what this prints: danebot tlsa LINEAGE",
        Basis.CLOCK,
    )
    NEXT_KEY_WITHDRAWN = (
        "next-key-withdrawn",
        Concern.ROLLOVER,
        "records of the ready key are gone again, so its wait begins anew",
        "publish what this prints: danebot tlsa LINEAGE",
    )
    CANCELLING = (
        "cancelling",
        Concern.ROLLOVER,
        "a next key was cancelled, and records of it may still be published",
        "remove what this prints: danebot tlsa LINEAGE",
    )
    CANCELLED = ("cancelled", Concern.ROLLOVER, "a cancelled key is forgotten", "")
    ROLLOVER_STUCK = (
        "rollover-stuck",
        Concern.ROLLOVER,
        "the wait of a rollover began anew again and again",
        (
            "see what comes and goes: name servers or their addresses, records, or the daily run; "
            "danebot status LINEAGE shows since when all is seen"
        ),
    )
    SCHEDULE_STUCK = (
        "schedule-stuck",
        Concern.ROLLOVER,
        "rollovers are wanted by themselves, but no next key can be made",
        "say with key_type in danebot.toml which type the next one is to have",
    )
    CLOCK_BEHIND = (
        "clock-behind",
        Concern.ROLLOVER,
        "the clock is provably behind, so that no wait begins or ends by it",
        "set the clock, and see that danebot runs after it was (time-sync.target)",
    )
    COOLING = (
        "cooling",
        Concern.ROLLOVER,
        "the ready key waits until every cache has its records",
        "",
    )
    STANDING_BY = (
        "standing-by",
        Concern.ROLLOVER,
        "a next key stands by, its records in every cache",
        "to roll over now: danebot newkey LINEAGE",
    )
    KEY_COMPROMISED = (
        "key-compromised",
        Concern.ROLLOVER,
        "the live key is compromised, and served until its successor is safe",
        "run then: danebot renew LINEAGE",
    )
    COMPROMISED_PUBLISHED = (
        "compromised-published",
        Concern.ROLLOVER,
        "a compromised key's record is still published",
        "remove what this prints: danebot tlsa LINEAGE",
    )
    REVOCATION_WAITS = (
        "revocation-waits",
        Concern.ROLLOVER,
        "a compromised key's certificates are not revoked yet",
        "run: danebot renew LINEAGE",
    )
    REVOKED = ("revoked", Concern.ROLLOVER, "a compromised key's certificates are revoked", "")
    REVOCATION_FAILED = (
        "revocation-failed",
        Concern.ROLLOVER,
        "revoking a compromised key's certificates failed",
        (
            "see certbot's log; danebot tries again less and less often; at once: "
            "danebot renew LINEAGE"
        ),
    )
    PROMOTION_DUE = ("promotion-due", Concern.ROLLOVER, "the ready key may be used", "")
    PROMOTION_FAILED = (
        "promotion-failed",
        Concern.ROLLOVER,
        "issuing with the ready key failed",
        "the live certificate is still renewed with the current key",
    )
    PROMOTED = ("promoted", Concern.ROLLOVER, "the ready key is in use", "")
    DEPLOYMENT_HELD = (
        "deployment-held",
        Concern.ROLLOVER,
        "a certificate was issued but is not deployed; live stays as it is",
        "see what was issued: danebot status LINEAGE",
    )
    RENEWAL_FAILED = (
        "renewal-failed",
        Concern.RENEWAL,
        "certbot renew failed",
        "see certbot's log; to try again at once: danebot renew LINEAGE",
    )
    RENEWAL_WAITS = (
        "renewal-waits",
        Concern.RENEWAL,
        "the CA has issued several certificates within a week, so the next renewal waits",
        (
            "if renew_before_expiry in its renewal configuration is nearly a lifetime, correct it; "
            "to renew now: danebot renew LINEAGE"
        ),
    )
    KEY_KEPT = (
        "key-kept",
        Concern.ROLLOVER,
        "the certificate was renewed with the same key, though each was to bring another",
        "see what the next key waits for: danebot status LINEAGE",
    )
    BREAKS_AT_RENEWAL = (
        "breaks-at-renewal",
        Concern.TLSA,
        "the next renewal of a lineage that danebot doesn't manage breaks its TLSA records",
        "danebot init LINEAGE keeps the key",
    )
    NOT_RENEWED = (
        "not-renewed",
        Concern.RENEWAL,
        "a lineage lost its renewal configuration, and services may serve it",
        "put the configuration back, or take the lineage out of service",
    )
    COMBO_BEHIND = (
        "combo-behind",
        Concern.RENEWAL,
        "nobody keeps combo.pem of a lineage up to date, and a service that reads it serves it on",
        (
            "have services read fullchain.pem and privkey.pem beside it, and remove it; or have "
            "danebot keep it: danebot init LINEAGE"
        ),
    )
    COMPETING_RUN = (
        "competing-run",
        Concern.RENEWAL,
        "certbot is still run beside danebot, and either may find the other at work",
        "take that run out: danebot renew calls certbot for every lineage",
    )
    HOST_TROUBLE = (
        "host-trouble",
        Concern.RENEWAL,
        "something on this host stands in danebot's way: a full disk, or what others may write",
        "see all of it, and what to do: danebot doctor",
    )
    UNKNOWN_LINEAGE = (
        "unknown-lineage",
        Concern.RENEWAL,
        "danebot.toml has settings for a lineage that certbot doesn't have: nothing obeys them",
        "correct the name of the table, or take the table out; certbot certificates has the names",
    )
    NOTHING_TO_RENEW = (
        "nothing-to-renew",
        Concern.RENEWAL,
        "certbot has no lineage here: nothing is renewed, and no TLSA record is watched",
        (
            "the command that gets a first certificate is told by: danebot setup; where there was "
            "one, put certbot's tree back, or name it with config_dir in danebot.toml"
        ),
    )
    NOT_RUN = (
        "not-run",
        Concern.RENEWAL,
        "a run came to nothing",
        "see what is wrong: danebot -v renew",
    )
    HOOK_FAILED = (
        "hook-failed",
        Concern.ROLLOVER,
        "a deploy hook failed",
        "mend it; danebot runs it again at every renew",
    )
    RELOADED_EARLY = (
        "reloaded-early",
        Concern.ROLLOVER,
        "what certbot reloads has read the former chain, and no deploy hook reloads it afterwards",
        "reload it, and name a deploy hook with hooks in danebot.toml",
    )
    NO_RELOAD = (
        "no-reload",
        Concern.ROLLOVER,
        "no deploy hook has services read a new chain",
        'name one with hooks in danebot.toml, such as hooks = ["@postfix"]',
    )
    NOT_HELD = (
        "not-held",
        Concern.RENEWAL,
        "deploy hooks in renewal-hooks/deploy can't be held back until a chain is live",
        "have the hooks lie where danebot can replace them",
    )
    NOT_SERVED = (
        "not-served",
        Concern.ROLLOVER,
        "a service presents another certificate than the deployed one",
        "reload that service, and see which files it reads",
    )
    NOT_CONFIRMED = (
        "not-confirmed",
        Concern.ROLLOVER,
        "what was deployed isn't seen on the wire yet",
        "see: danebot -v renew",
    )
    CONFIRMED = ("confirmed", Concern.ROLLOVER, "all services serve what was deployed", "")
    RETIRED = ("retired", Concern.ROLLOVER, "a past key is forgotten, its records are gone", "")
    RECORDS_TO_REMOVE = (
        "records-to-remove",
        Concern.ROLLOVER,
        "records of keys that are no longer used may be removed",
        "remove what this prints: danebot tlsa LINEAGE",
    )
    RECORDS_KEPT = (
        "records-kept",
        Concern.ROLLOVER,
        "old keys' records stay, since some lineage's keys can't be read",
        "mend what danebot renew says of those lineages",
    )
    PUBLISHED = ("published", Concern.ROLLOVER, "TLSA records were added to DNS", "")
    RECORDS_REMOVED = ("records-removed", Concern.ROLLOVER, "TLSA records were removed", "")
    PUBLISH_FAILED = (
        "publish-failed",
        Concern.ROLLOVER,
        "TLSA records could not be changed",
        "see docs/publishing.md; by hand: danebot tlsa LINEAGE",
    )
    PUBLISH_ALTERED = (
        "publish-altered",
        Concern.ROLLOVER,
        "what is in DNS isn't what was sent there",
        "see docs/publishing.md; by hand: danebot tlsa LINEAGE",
    )
    PUBLISH_LAGS = (
        "publish-lags",
        Concern.ROLLOVER,
        "a change of TLSA records isn't at every server yet",
        "see that the zone is transferred to every server",
    )
    EXPIRES_SOON = (
        "expires-soon",
        Concern.EXPIRY,
        "the live certificate expires soon",
        "see why renewals fail: danebot -v renew",
        Basis.CLOCK,
    )
    EXPIRED = (
        "expired",
        Concern.EXPIRY,
        "the live certificate has expired",
        "see why renewals fail: danebot -v renew",
        Basis.CLOCK,
    )
    INTERNAL = (
        "internal",
        Concern.RENEWAL,
        "danebot itself failed",
        "please report this",
    )


_BY_LABEL = {code.value: code for code in Code}


def code_of(label: str) -> Code:
    """Return the code that a document names; INTERNAL for one of a later version."""
    return _BY_LABEL.get(label, Code.INTERNAL)
