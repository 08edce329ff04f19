"""What somebody is asked to change in an RRset, what may come of it, and what to do about it."""

from __future__ import annotations

import enum
from collections.abc import Mapping


class Part(enum.Enum):
    """Additions and removals are separate: the new is seen before the old goes."""

    ADD = "add"
    REMOVE = "remove"


class ChangeOutcome(enum.Enum):
    """What came of a change.  Frozen: the values are stored; `ADVICE` has the words."""

    DONE = "done"
    UNCHANGED = "unchanged"
    UNSAFE = "unsafe"
    UNSEEN = "unseen"
    WILDCARD = "wildcard"
    OVERRULES = "overrules"
    CONFLICT = "conflict"
    ALIAS = "alias"
    BAD_KEY = "bad-key"
    BAD_TIME = "bad-time"
    KEY_FILE = "key-file"
    REFUSED = "refused"
    NOT_AUTHORITATIVE = "not-authoritative"
    NO_ZONE = "no-zone"
    NO_SERVER = "no-server"
    UNREACHABLE = "unreachable"
    SERVER_FAILED = "server-failed"
    UNTRUSTED = "untrusted"
    PROGRAM = "program"
    LATER = "later"
    ALTERED = "altered"
    VIEWS = "views"
    READ_REFUSED = "read-refused"
    RESOLVER = "resolver"
    BAD_SIGNATURE = "bad-signature"


ADVICE: Mapping[ChangeOutcome, tuple[str, str]] = {
    ChangeOutcome.UNSAFE: (
        "nothing was removed, since the record of the key that is served isn't there",
        "publish that record first: danebot tlsa {lineage}",
    ),
    ChangeOutcome.UNSEEN: (
        "DNS could not be observed, so nothing was changed",
        "see that the resolver answers for {owner}",
    ),
    ChangeOutcome.WILDCARD: (
        "the records there are those of a wildcard, which a record at the name itself would hide",
        "publish them at {target} itself first, the live key's at least: danebot tlsa {lineage}",
    ),
    ChangeOutcome.OVERRULES: (
        "beside a stronger digest, senders would pass over other records there",
        "write matching type 1 for {owner} in dane-ee: danebot tlsa {lineage}",
    ),
    ChangeOutcome.CONFLICT: (
        "somebody else changed the RRset at each attempt, so nothing was changed",
        "see who else publishes there",
    ),
    ChangeOutcome.ALIAS: (
        "the name is an alias there, which the resolver doesn't know, so nothing was changed",
        "see that all servers have the same zone",
    ),
    ChangeOutcome.BAD_KEY: (
        "the server doesn't accept the TSIG key for this change",
        "compare name, algorithm and secret in key_file with the server's, and see what it allows",
    ),
    ChangeOutcome.BAD_TIME: (
        "the clocks of this host and of the server differ too much for TSIG",
        "set both by NTP",
    ),
    ChangeOutcome.KEY_FILE: ("the TSIG key can't be used", "mend key_file, or name another one"),
    ChangeOutcome.REFUSED: (
        "the server refuses updates with this key",
        "allow the key to update TLSA records at {target}, or thaw the zone if it is frozen",
    ),
    ChangeOutcome.NOT_AUTHORITATIVE: (
        "the server isn't the zone's, or doesn't accept this key for it",
        "name server and zone under [publish], and allow the key there (docs/publishing.md)",
    ),
    ChangeOutcome.NO_ZONE: (
        "the zone of {target} could not be found",
        "name it with zone under [publish], or see that the resolver finds its SOA record",
    ),
    ChangeOutcome.NO_SERVER: (
        "the primary server could not be found from the zone's SOA record",
        "name it with server under [publish]",
    ),
    ChangeOutcome.UNREACHABLE: (
        "the primary server can't be reached",
        "see that it runs and that TCP port 53 is open to this host, or name it with server",
    ),
    ChangeOutcome.SERVER_FAILED: ("the server could not make the change", "see the server's log"),
    ChangeOutcome.UNTRUSTED: (
        "the answer isn't signed with the TSIG key, so it proves nothing",
        "see what stands between this host and the server",
    ),
    ChangeOutcome.PROGRAM: ("the program failed", "run danebot -v publish {lineage} to see why"),
    ChangeOutcome.LATER: ("the program asks to try again later", "danebot does, at a later renew"),
    ChangeOutcome.ALTERED: (
        "what is published is not what was asked for",
        "remove the wrong record there, and see how the provider's interface wants records written",
    ),
    ChangeOutcome.VIEWS: (
        "the server has the records in another view than it shows this host",
        "let key and host lead to the view that the world sees (docs/configuration.md#views)",
    ),
    ChangeOutcome.READ_REFUSED: (
        "the server refuses to show what is there, so nothing was changed",
        "name server and zone under [publish] if it isn't the zone's, or let this host query it",
    ),
    ChangeOutcome.RESOLVER: (
        "the server is a resolver, which takes no updates",
        "name the zone's primary server with server under [publish]",
    ),
    ChangeOutcome.BAD_SIGNATURE: (
        "the server accepts no signature of this host, and doesn't say why",
        "compare the clocks of both, then name, algorithm and secret in key_file with the server's",
    ),
}
