"""What `danebot doctor` finds of a host, a row for each kind; the rest are rows of `Code`.

Frozen: the values are public labels of ``--json``.
"""

from __future__ import annotations

from danebot.domain.kinds import Concern, FindingKind


class HostCode(FindingKind):
    """What was found."""

    RESOLVER_SILENT = (
        "resolver-silent",
        Concern.HOST,
        "a name server of resolv.conf, or of resolver in danebot.toml, gives no usable answer",
        (
            "see that it answers this host for all names, or run a validating resolver here (apt "
            "install unbound), with nameserver 127.0.0.1 alone"
        ),
    )
    RESOLVER_UNVALIDATING = (
        "resolver-unvalidating",
        Concern.HOST,
        "a resolver passes signatures on and doesn't say that it has validated them",
        (
            "turn validation on (unbound: auto-trust-anchor-file; systemd-resolved: DNSSEC=yes), "
            "and have no forwarder strip AD"
        ),
    )
    RESOLVER_STRIPS = (
        "resolver-strips",
        Concern.HOST,
        "a resolver leaves DNSSEC out of its answers, so nothing can be validated",
        "run a validating resolver here (apt install unbound), with nameserver 127.0.0.1 alone",
    )
    RESOLVER_REMOTE = (
        "resolver-remote",
        Concern.HOST,
        "a resolver is on another host, and nobody declared that its AD bit is to be trusted",
        (
            "run a validating resolver here (apt install unbound), with nameserver 127.0.0.1 "
            "alone; or, where the path to it is safe: trust_resolver = true in danebot.toml"
        ),
    )
    RESOLVER_PUBLIC = (
        "resolver-public",
        Concern.HOST,
        "answers of a public resolver are trusted, though anybody on the way can forge them",
        "run a validating resolver here (apt install unbound), with nameserver 127.0.0.1 alone",
    )
    CLOCK_UNSYNCHRONISED = (
        "clock-unsynchronised",
        Concern.HOST,
        "nothing keeps this host's clock right",
        "run: timedatectl set-ntp true; or install one that does: apt install chrony",
    )
    CLOCK_OFF = (
        "clock-off",
        Concern.HOST,
        "this host's clock differs from the CA's",
        "set it by NTP: timedatectl set-ntp true",
    )
    CERTBOT_UNUSABLE = (
        "certbot-unusable",
        Concern.HOST,
        "certbot is missing, too old, or doesn't run",
        'run: apt install certbot; or name another one with certbot = "/path" in danebot.toml',
    )
    CA_UNREACHABLE = (
        "ca-unreachable",
        Concern.HOST,
        "the CA's directory can't be reached from here",
        "see that this host may connect to it: firewall, proxy, DNS",
    )
    ACCOUNT_MISSING = (
        "account-missing",
        Concern.HOST,
        "a lineage is renewed with an account of which certbot has no files",
        "restore accounts/ from a backup; or register anew: certbot register",
    )
    NOT_SCHEDULED = (
        "not-scheduled",
        Concern.HOST,
        "no timer or cron job runs danebot renew, so nothing is renewed",
        "run: systemctl enable --now danebot.timer; danebot files tells where it is",
    )
    PROGRAM_MISSING = (
        "program-missing",
        Concern.HOST,
        "the daily job names a program that isn't there",
        "put danebot there: danebot files prints the command",
    )
    NEVER_RUN = (
        "never-run",
        Concern.HOST,
        "danebot renew has never ended here",
        "run: danebot renew",
    )
    RUN_OVERDUE = (
        "run-overdue",
        Concern.HOST,
        "danebot renew has not run for days",
        "see why: systemctl status danebot.timer danebot.service; then run: danebot renew",
    )
    RUN_FAILED = (
        "run-failed",
        Concern.HOST,
        "the last danebot renew found trouble",
        "see what: danebot status; then run: danebot renew",
    )
    NO_LINEAGES = (
        "no-lineages",
        Concern.HOST,
        "certbot has no certificate here",
        "get one with the command that is told by: danebot setup; then run that again",
    )
    UNMANAGED = (
        "unmanaged",
        Concern.HOST,
        "no lineage is under danebot's care",
        "run: danebot init",
    )
    OWNER_UNWATCHED = (
        "owner-unwatched",
        Concern.HOST,
        "TLSA records are published where a lineage's services are, and not watched",
        "run: danebot init LINEAGE",
    )
    READS_CERTBOTS = (
        "reads-certbots",
        Concern.HOST,
        "a service reads certbot's files, which change apart from each other",
        "have it read combo.pem beside them, for both the key and the chain",
    )
    COMBO_SHUT_IN = (
        "combo-shut-in",
        Concern.HOST,
        "the group of combo.pem may not pass the directories above it, so it can't read that",
        "let that group through with chgrp and chmod g+x",
    )
    HOOK_UNUSABLE = (
        "hook-unusable",
        Concern.HOST,
        "a hook is not executable, or not there, so it is never run",
        "make it executable with chmod +x, or take it out",
    )
    TRUST_STORE_UNREADABLE = (
        "trust-store-unreadable",
        Concern.HOST,
        "the trust store of the settings can't be read, so no new certificate is made live",
        "correct ca_file in danebot.toml",
    )
    ENDPOINT_UNREACHABLE = (
        "endpoint-unreachable",
        Concern.HOST,
        "a service can't be asked from here what it serves",
        "see that it runs, or name the address to ask with endpoints in danebot.toml",
    )
    KEY_EXPOSED = (
        "key-exposed",
        Concern.HOST,
        "others may read a private key or another secret",
        "take the right away with chmod o-rwx; what others have read is to be replaced",
    )
    WRITABLE = (
        "writable",
        Concern.HOST,
        "others may write what danebot does or believes as root",
        "give it to root alone: chown root and chmod go-w",
    )
    DISK_LOW = (
        "disk-low",
        Concern.HOST,
        "a disk that danebot writes to is nearly full, or can't be written to",
        "make room: df -h and df -i show where",
    )
    PUBLISHER_REFUSED = (
        "publisher-refused",
        Concern.HOST,
        "records could not be published: the server or program refuses",
        "see docs/publishing.md; then run: danebot doctor",
    )
    VERSION_OLD = (
        "version-old",
        Concern.HOST,
        "a program that danebot is built on gets no security updates any more",
        "bring this host to a newer release of its system",
    )
    UNSEEN = (
        "unseen",
        Concern.HOST,
        "something could not be looked at, which says nothing of how it is",
        "run danebot doctor as root",
    )
