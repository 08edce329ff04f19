"""`danebot setup`: what lacks until lineages are protected, as steps in the order to take them.

A step is the very commands that take it, danebot's own or the system's.  What is the operator's
(the services' configurations, the zone, cron tables) is a step by hand.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from danebot.domain.doctor.assess import assess_host
from danebot.domain.doctor.codes import HostCode
from danebot.domain.doctor.facts import (
    CRON,
    NO_SCHEDULER,
    ComboGroup,
    FileStat,
    HostFacts,
    Rival,
    comma_separated,
)
from danebot.domain.doctor.senders import MailWays, first_hosts, lacks, unled
from danebot.domain.finding import Finding
from danebot.domain.names import DnsName
from danebot.domain.rollover.records.adoption import by_host
from danebot.domain.rollover.steps.refusals import Refusal
from danebot.domain.text import when
from danebot.tuples import NamedTuple

MAIL_SERVICES = ("postfix", "dovecot", "exim", "opensmtpd", "cyrus")
SERVICES = {
    **{name: name for name in (*MAIL_SERVICES, "nginx", "haproxy", "prosody", "ejabberd")},
    **dict.fromkeys(("exim4",), "exim"),
    **dict.fromkeys(("apache", "apache2", "httpd"), "apache"),
    **dict.fromkeys(("opensmtpd", "smtpd.conf"), "opensmtpd"),
    **dict.fromkeys(("cyrus", "cyrus.conf", "imapd.conf"), "cyrus"),
}
"""The service with a ready-made hook, by the name that its configuration has below /etc."""
DAILY = "the daily run"
_FOUNDATIONS = (HostCode.CERTBOT_UNUSABLE, HostCode.NO_LINEAGES)
_RESOLVERS = (
    *(HostCode.RESOLVER_SILENT, HostCode.RESOLVER_UNVALIDATING),
    *(HostCode.RESOLVER_STRIPS, HostCode.RESOLVER_REMOTE),
)
_POSTFIX = (
    ("postconf", "-e", "smtpd_tls_chain_files={combos}"),
    ("postconf", "-X", "smtpd_tls_cert_file", "smtpd_tls_key_file"),
    ("postfix", "reload"),
)
_SETTINGS = {
    "dovecot": (
        "in /etc/dovecot/conf.d/99-danebot.conf, of version 2.3: ssl_cert = <{combo} and ssl_key = "
        "<{combo}; of 2.4: ssl_server_cert_file = {combo} and ssl_server_key_file = {combo}"
    ),
    "exim": "tls_certificate = {combo} and tls_privatekey = {combo}",
    "cyrus": "tls_server_cert = {combo} and tls_server_key = {combo}",
}
_OWN_USER = (
    '; its own user reads that: set combo_group = "{group}" and combo_mode = "0640" in '
    "danebot.toml, have the next run set that, and let the group through the directories"
)


class Reads(NamedTuple):
    """A service whose configuration names a lineage's files; ``combo`` if only ``combo.pem``.

    ``alone``: in Postfix's main.cf, which names no chain but those of lineages.  ``there`` says
    whether the service's program is here, without which a ready-made hook can't tell it.
    """

    service: str
    place: str
    combo: bool
    alone: bool = False
    there: bool = True


class Candidate(NamedTuple):
    """A lineage: ``combo`` is that file's path, ``managed`` whether it is under care.

    ``watched`` are its TLSA owners; ``exempt`` says that it needs none.  ``published`` are owners
    that `danebot init` would have watched, ``serving`` those at which a service has its key;
    ``hooks`` are the words of its deploy hooks.  ``refusing`` are owners, perhaps its own, whose
    published records senders would refuse its live key by.  ``names`` are those of its certificate.
    ``unanswered`` are those of whose TLSA records nobody knows, in words; ``doors`` are the
    directories above its ``combo``.
    """

    name: str
    combo: str
    managed: bool = False
    watched: tuple[DnsName, ...] = ()
    exempt: bool = False
    published: tuple[DnsName, ...] = ()
    serving: tuple[DnsName, ...] = ()
    readers: tuple[Reads, ...] = ()
    hooks: tuple[str, ...] = ()
    refusing: tuple[DnsName, ...] = ()
    cached: Refusal | None = None
    names: frozenset[DnsName] = frozenset()
    unanswered: str = ""
    doors: tuple[FileStat, ...] = ()

    @property
    def bare(self) -> bool:
        """Whether it has no record to watch."""
        return not (self.watched or self.exempt or self.published)


class SetupFacts(NamedTuple):
    """What is here: the host, lineages, and mail services whether or not they read a lineage's.

    ``rivals`` run certbot beside danebot; ``daily`` are the commands with which this installation
    has ``danebot renew`` run daily, () where nobody knows any; ``unfit`` is why they wouldn't do.
    ``ways`` is None where they couldn't be looked at.  ``issue`` is how certbot may get a first
    certificate here, without the names.  ``groups`` are those of services that read ``combo.pem``
    as their own users.
    """

    host: HostFacts
    candidates: tuple[Candidate, ...]
    mail: tuple[str, ...] = ()
    rivals: tuple[Rival, ...] = ()
    daily: tuple[tuple[str, ...], ...] = ()
    unfit: str = ""
    ways: MailWays | None = MailWays()
    issue: tuple[str, ...] = ("certbot", "certonly", "--standalone")
    groups: Mapping[str, ComboGroup] = MappingProxyType({})

    @property
    def unread(self) -> tuple[str, ...]:
        """The mail services that read no lineage's files."""
        reading = {reader.service for one in self.candidates for reader in one.readers}
        return tuple(service for service in self.mail if service not in reading)


class Wanted(NamedTuple):
    """What the operator said: lineages, owners of the only one to watch, hooks (None: find them).

    ``timers`` and ``renew`` say whether these are to be touched, and run.
    """

    lineages: tuple[str, ...] = ()
    owners: tuple[DnsName, ...] = ()
    hooks: tuple[str, ...] | None = None
    timers: bool = True
    renew: bool = True


class Way(enum.Enum):
    """How a step is taken."""

    DANEBOT = "a verb of danebot"
    SHOW = "by the operator, as a verb of danebot prints it"
    SYSTEM = "programs of the system"
    BY_HAND = "by the operator"


class SetupStep(NamedTuple):
    """One step: ``why`` in words, and its commands, after ``hooks`` are written into the settings.

    It is left out where a step that ``gives`` one of its ``needs`` wasn't taken, and where none was
    that gives ``one_of`` these.
    """

    way: Way
    why: str
    commands: tuple[tuple[str, ...], ...] = ()
    gives: str = ""
    needs: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()


class SetupPlan(NamedTuple):
    """The steps; ``others`` are lineages of which nothing shows that they serve mail.

    ``blocked`` if nothing can be begun before what is to be done by hand, or before one of
    ``others`` is named.
    """

    steps: tuple[SetupStep, ...]
    others: tuple[str, ...] = ()
    blocked: bool = False


def plan_setup(facts: SetupFacts, wanted: Wanted, now: datetime) -> SetupPlan:
    """What is to be done; no step for a host on which all is done."""
    missing = foundations(facts.host, now)
    if missing:
        found = (_missing(one, facts) for one in missing)
        return SetupPlan(tuple(found), blocked=True)
    chosen = [one for one in facts.candidates if _is_chosen(one, facts, wanted)]
    others = [one.name for one in facts.candidates if one not in chosen and not wanted.lineages]
    if others and not chosen:
        return SetupPlan(tuple(_senders(facts, (), wanted)), tuple(others), blocked=True)
    care = (step for one in chosen for step in _care(one, wanted))
    timers = (*_daily(facts), *_rivals(facts)) if wanted.timers else ()
    taken = () if any(one.managed for one in chosen) else tuple(one.name for one in chosen)
    steps = (*care, *(step._replace(one_of=taken) for step in timers))
    refused = tuple(step for one in chosen for step in _mismatch(one, wanted))
    rest = refused or (
        *_hooks(chosen, wanted),
        *_renewal(facts.host, chosen, wanted),
        *_services(facts, chosen),
        *(step for one in chosen for step in _first_record(one, wanted)),
    )
    return SetupPlan((*steps, *rest, *_senders(facts, chosen, wanted)), tuple(others))


def _missing(finding: Finding, facts: SetupFacts) -> SetupStep:
    """The step that mends it; for a host without a certificate certbot's very command."""
    if finding.code is not HostCode.NO_LINEAGES or facts.host.no_tree:
        return SetupStep(Way.BY_HAND, str(finding))
    hosts, which = first_hosts(facts.ways)
    words = [word for host in hosts or ("HOST",) for word in ("-d", str(host))]
    return SetupStep(Way.BY_HAND, f"get the first certificate, {which}", ((*facts.issue, *words),))


def _senders(facts: SetupFacts, chosen: Sequence[Candidate], wanted: Wanted) -> Iterator[SetupStep]:
    """Where mail isn't protected when all else is done; what isn't known is not passed over."""
    shown = [one.name for one in chosen if [*_mismatch(one, wanted), *_first_record(one, wanted)]]
    held = {one.name: one.names for one in chosen}
    others = {one.name: one.names for one in facts.candidates if one.name not in held}
    found = tuple(lacks(facts.ways, held, others, shown))
    for lack in found:
        yield SetupStep(Way.BY_HAND, lack.why, (lack.command,))
    for one in chosen if not found else ():
        domains = unled(facts.ways, one.names) if one.bare else ()
        if domains:
            near = comma_separated(map(str, domains))
            why = (
                f"have an MX record lead to {one.name}: none of {near} does, so no sender looks "
                "for its TLSA records"
            )
            verify = ("danebot", "verify", str(domains[-1]))
            yield SetupStep(Way.BY_HAND, why, (verify,))


def foundations(host: HostFacts, now: datetime) -> tuple[Finding, ...]:
    """What is to be mended before a lineage can be taken on: certbot, a lineage, a resolver."""
    found = assess_host(host, now)
    resolvers = [one for one in found if one.code in _RESOLVERS]
    believed = len(resolvers) < len(host.asked)
    return (
        *(one for one in found if one.code in _FOUNDATIONS),
        *(() if believed else resolvers),
    )


def _is_chosen(one: Candidate, facts: SetupFacts, wanted: Wanted) -> bool:
    """Whether a lineage is meant: it is named, alone, or has to do with mail."""
    if wanted.lineages:
        return one.name in wanted.lineages
    led = facts.ways is not None and facts.ways.leads_to(one.names)
    shows = led or one.managed or one.published or one.serving or _mail_readers(one)
    return bool(shows) or len(facts.candidates) == 1


def _mail_readers(one: Candidate) -> tuple[Reads, ...]:
    return tuple(reader for reader in one.readers if reader.service in MAIL_SERVICES)


def _hooks(chosen: Sequence[Candidate], wanted: Wanted) -> Iterator[SetupStep]:
    """Whatever reads a certificate is told of new ones, unless a hook speaks of it already.

    The hooks are tried at once: who stops in between would not be asked again.
    """
    told: set[str] = set()
    for one in chosen:
        needed = dict.fromkeys(hook for hook in _lacking(one, wanted) if hook not in told)
        told |= needed.keys()
        if needed:
            words = comma_separated(needed)
            why = f"have services read each new certificate, and try that: {words}"
            run = (("deploy", one.name),)
            yield SetupStep(Way.DANEBOT, why, run, needs=(one.name,), hooks=tuple(needed))


def _lacking(one: Candidate, wanted: Wanted) -> list[str]:
    if wanted.hooks is not None:
        return [hook for hook in wanted.hooks if hook not in one.hooks]
    return [
        f"@{reader.service}"
        for reader in one.readers
        if reader.there
        and reader.service in SERVICES.values()
        and not any(reader.service in words for words in one.hooks)
    ]


def _daily(facts: SetupFacts) -> tuple[SetupStep, ...]:
    """What merely looks like a daily run is one more that danebot may have beside its own."""
    jobs = [job for job in facts.host.jobs if job.certain]
    if jobs and all(job.runs for job in jobs):
        return ()
    lacking = [one for one in facts.daily if not jobs or one[0] == "ln"]
    why = "have danebot renew run daily"
    if not facts.host.scheduler:
        return (SetupStep(Way.BY_HAND, f"{why}: {NO_SCHEDULER}", (CRON,), gives=DAILY),)
    if lacking and not facts.unfit:
        return (SetupStep(Way.SYSTEM, why, tuple(lacking), gives=DAILY),)
    words = facts.unfit or "danebot files tells where its timer and its cron file are"
    return (SetupStep(Way.BY_HAND, f"{why}: {words}", gives=DAILY),)


def _rivals(facts: SetupFacts) -> Iterator[SetupStep]:
    """Nobody stops certbot's timer before danebot has one."""
    for rival in facts.rivals:
        if rival.stop:
            why = f"stop {rival.place}, since danebot renews in certbot's place"
            yield SetupStep(Way.SYSTEM, why, (rival.stop,), needs=(DAILY,))
        else:
            yield SetupStep(Way.BY_HAND, str(rival), needs=(DAILY,))


def _care(one: Candidate, wanted: Wanted) -> Iterator[SetupStep]:
    """A lineage taken on, and its owners watched."""
    name = one.name
    if not one.managed or one.published:
        found = f"; its TLSA records are watched: {by_host(one.published)}" if one.published else ""
        why = f"put {name} under danebot's care" if not one.managed else f"look again at {name}"
        if one.unanswered:
            doubt = f"no answer, so nobody knows whether it has TLSA records: {one.unanswered}"
            run = ("danebot", "init", "--although-unanswered", name)
            why = f"{why}: {doubt}; see that the resolver answers, or go on without"
            yield SetupStep(Way.BY_HAND, why, (run,), gives=name)
        else:
            yield SetupStep(Way.DANEBOT, f"{why}{found}", (("init", name),), gives=name)
    owners = _unwatched(one, wanted)
    if owners:
        words = ("watch", name, *map(str, owners))
        yield SetupStep(
            Way.DANEBOT, f"have {name} watch {by_host(owners)}", (words,), needs=(name,)
        )


def _unwatched(one: Candidate, wanted: Wanted) -> list[DnsName]:
    return [owner for owner in wanted.owners if owner not in one.watched]


def _mismatch(one: Candidate, wanted: Wanted) -> Iterator[SetupStep]:
    """The record of a key that senders would refuse: before any service is reloaded onto it."""
    own = {*one.watched, *one.published, *wanted.owners}
    owners = [owner for owner in one.refusing if not own or owner in own]
    until = one.cached.until if one.cached is not None else None
    if owners and until is not None:
        why = (
            f"wait until {when(until)}: caches may have TLSA records of {by_host(owners)} by which "
            f"senders refuse the key of {one.name}, so no service is to begin with it before; "
            "unseen_ttl in danebot.toml says how long what was there before is reckoned with"
        )
        yield SetupStep(Way.BY_HAND, why, (("danebot", "setup"),), needs=(one.name,))
    elif owners:
        why = (
            f"publish the TLSA record of {one.name} beside what is there, before any service has "
            f"its key: senders refuse it by what {by_host(owners)} has; go on when it is at every "
            "server and the TTL of the records without it has passed"
        )
        yield SetupStep(Way.SHOW, why, (("tlsa", one.name),), needs=(one.name,))


def _first_record(one: Candidate, wanted: Wanted) -> Iterator[SetupStep]:
    """What is to be published; after the services, which have to serve its key by then."""
    if one.bare or _unwatched(one, wanted):
        why = f"publish the TLSA record of {one.name} in its zone"
        yield SetupStep(Way.SHOW, why, (("tlsa", one.name),), needs=(one.name,))


def _renewal(host: HostFacts, chosen: list[Candidate], wanted: Wanted) -> Iterator[SetupStep]:
    """The first daily run, or one after that which found trouble; not before there is a record."""
    last = host.last_run
    due = last is None or last.exit_status
    bare = any(one.bare for one in chosen) or wanted.owners
    if wanted.renew and host.run_told and due and chosen and not bare:
        needs = tuple(one.name for one in chosen)
        yield SetupStep(
            Way.DANEBOT, "see that the daily run finds all well", (("renew",),), "", needs
        )


def _services(facts: SetupFacts, chosen: Sequence[Candidate]) -> Iterator[SetupStep]:
    """What is to be written into services' configurations so that they read ``combo.pem``.

    A service for mail that reads a lineage's files is told of no other lineage.
    """
    reading = [reader.service for one in chosen for reader in one.readers]
    unread = [one for one in chosen if not one.readers]
    for service in dict.fromkeys((*reading, *facts.unread)):
        places = {
            one: [r.place for r in one.readers if r.service == service and not r.combo]
            for one in chosen
        }
        changed = [one for one, where in places.items() if where]
        if changed and service == "postfix" and _all_alone(facts, chosen):
            every = [one for one in chosen if any(r.service == service for r in one.readers)]
            shown = dict.fromkeys(place for one in changed for place in places[one])
            yield _reading(facts, service, every, f" ({comma_separated(shown)})")
        elif changed and service == "postfix":
            where = "; ".join(
                f"in {place}, {one.combo} in place of the files beside it"
                for one in changed
                for place in places[one]
            )
            needs = tuple(one.name for one in changed)
            yield SetupStep(Way.BY_HAND, f"have postfix read: {where}", needs=needs)
        elif changed:
            for one in changed:
                yield _reading(facts, service, [one], f" ({comma_separated(places[one])})")
        elif unread and service in facts.unread:
            yield _reading(facts, service, unread)


def _all_alone(facts: SetupFacts, chosen: Sequence[Candidate]) -> bool:
    """Whether all of Postfix's chains can be written at once, and none is lost."""
    return all(
        reader.alone and one in chosen
        for one in facts.candidates
        for reader in one.readers
        if reader.service == "postfix"
    )


def _reading(
    facts: SetupFacts, service: str, lineages: Sequence[Candidate], shown: str = ""
) -> SetupStep:
    combos = ", ".join(one.combo for one in lineages)
    why = f"have {service}{shown} read {combos}, for both the key and the chain"
    if service in _SETTINGS:
        why = f"{why}: {_SETTINGS[service].format(combo=lineages[0].combo)}"
    many = len(lineages) > 1 and not shown  # for several kinds of key, or several names
    commands = _POSTFIX if service == "postfix" and not many else ()
    filled = tuple(tuple(word.format(combos=combos) for word in line) for line in commands)
    group = facts.groups.get(service)
    if group is not None:
        why += _OWN_USER.format(group=group.name)
        filled += group.ways(group.barred(dict.fromkeys(d for one in lineages for d in one.doors)))
    return SetupStep(Way.BY_HAND, why, filled, needs=tuple(one.name for one in lineages))
