"""What `danebot setup` looks at before it plans; nothing is changed."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.adapters.inspection import changeable, group_of, group_of_user
from danebot.adapters.process import search_path
from danebot.domain.doctor.assess import exposure
from danebot.domain.doctor.senders import MailWays, climb, first_hosts
from danebot.domain.doctor.setup import MAIL_SERVICES, SERVICES, Candidate, Reads, SetupFacts
from danebot.domain.lineage.state import Management
from danebot.domain.names import TlsaOwner, printable
from danebot.domain.rollover.records.adoption import (
    Intake,
    Service,
    first_owners,
    intake,
    refusing,
)
from danebot.domain.rollover.steps.remember import remember
from danebot.domain.rollover.steps.unasked import refused_reload, to_be_asked
from danebot.domain.text import quoted
from danebot.errors import DanebotError, UnreadableError
from danebot.jobs.host_facts import Looker, asked_facts, cheap_facts, doors, tree_facts
from danebot.jobs.observing import observe_dns, remembered

if TYPE_CHECKING:
    from danebot.adapters.certbot.timers import RunBasis
    from danebot.adapters.ports import TlsaObserver
    from danebot.config import Settings
    from danebot.domain.dns.tlsa import Required
    from danebot.domain.doctor.facts import ComboGroup, Job
    from danebot.domain.lineage.state import LineageState
    from danebot.domain.names import DnsName
    from danebot.domain.rollover.steps.refusals import Refusal
    from danebot.jobs.adopt import Search
    from danebot.jobs.context import Context

_ROOT = Path("/")
_COMMENT = re.compile(r"(^|\s)#.*", re.MULTILINE)
_KINDS = ("combo", "fullchain", "cert", "privkey")
_CONFIGURED = {
    "postfix": ("postfix/main.cf",),
    "dovecot": ("dovecot/dovecot.conf",),
    "exim": ("exim4", "exim"),
    "opensmtpd": ("smtpd.conf",),
    "cyrus": ("imapd.conf",),
}
_USERS = {"exim": ("Debian-exim", "exim", "exim4"), "cyrus": ("cyrus",)}
_WEB = {"nginx": ("etc/nginx",), "apache": ("etc/apache2", "etc/httpd")}
_PLUGINS = ("lib/python3*/*-packages", "lib64/python3*/*-packages")  # beside certbot's program
_SNAPS = "snap/certbot/current/lib/python3*/site-packages"
_FOLDED = re.compile(r"\n(#.*\n)*[ \t]+")
_CHAINS = re.compile(
    r"^smtpd_tls_(?:chain_files|(?:ec)?cert_file|(?:ec)?key_file)[ \t]*=[ \t]*(.*\S)", re.MULTILINE
)


def setup_facts(
    context: Context, daily: tuple[tuple[str, ...], ...], host: Path = _ROOT
) -> SetupFacts:
    """Look at the host below ``host``, its lineages, and DNS.

    ``daily`` are the commands that have this installation run daily.  What can't be looked at is
    left out here, and told by the doctor.
    """
    from danebot.adapters.certbot.timers import competing_jobs
    from danebot.adapters.services import is_installed
    from danebot.jobs.watch import readable

    looker = Looker()
    names = context.tree.names()
    context.progress("looking at this host")
    facts = tree_facts(context, looker, names, host)
    read = [looker.at("its files", name, readable, context, name) for name in names]
    states = [state for state in read if state is not None]
    asked = dict.fromkeys(owner for state in states for owner in _an_owner(state))
    facts = asked_facts(facts, context.settings, tuple(asked), looker)
    facts = facts._replace(jobs=looker.at("timers and cron", "", daily_jobs, context, host) or ())
    unfit = looker.at("the daily run", "", _unfit, context, daily, host)
    context.progress("looking at the lineages, at DNS, and at what services serve")
    return SetupFacts(
        facts,
        tuple(_candidates(context, states, looker, host)),
        tuple(name for name in MAIL_SERVICES if _is_configured(name, host) and is_installed(name)),
        competing_jobs(context.tree.root, host),
        daily,
        unfit if unfit is not None else "what it would run can't be looked at",
        looker.at("MX records", "", _ways, context.observer, states),
        groups=_groups(context.settings),
    )


def _groups(settings: Settings) -> dict[str, ComboGroup]:
    """Who is to read ``combo.pem``, by service: the settings' group, else that of its user."""
    held = settings.combo_access.group
    return {
        service: group_of(held) if held is not None else group_of_user(*users)
        for service, users in _USERS.items()
    }


def first_facts(settings: Settings, host: Path = _ROOT) -> SetupFacts:
    """The same of a host on which certbot has no lineage, or was never run."""
    from danebot.adapters.dns.routes import SMTP_PORT
    from danebot.adapters.wiring import observer

    looker = Looker()
    ways = looker.at("MX records", "", _ways, observer(settings), ())
    owners = tuple(TlsaOwner(name, SMTP_PORT).name for name in first_hosts(ways)[0])
    facts = cheap_facts(settings, settings.tree, looker)
    facts = asked_facts(facts, settings, owners, looker)._replace(lineages=0)
    return SetupFacts(facts, (), ways=ways, issue=_issue(settings, host))


def _is_configured(service: str, host: Path) -> bool:
    return any((host / "etc" / file).exists() for file in _CONFIGURED[service])


def _ways(observer: TlsaObserver, states: Sequence[LineageState]) -> MailWays:
    """Where mail for the domains goes that lineages and the mail server name; else this host."""
    from danebot.adapters.inspection import has_address, is_translated, source_address
    from danebot.adapters.services import mail_domains, mail_host
    from danebot.adapters.wiring import own_name

    own, undeclared = own_name(), ""
    try:
        declared = mail_domains()
    except UnreadableError as exc:
        declared, undeclared = (), str(exc)
    names = sorted({name for state in states for name in _live_names(state)})
    above = (domain for name in names or (own,) for domain in climb(name))
    domains = tuple(dict.fromkeys((*above, *declared)))
    routes = tuple(observer.lookup_mail(domains).values()) if domains else ()
    found = sorted({one for route in routes for host in route.hosts for one in host.addresses})
    local = tuple(filter(has_address, found))
    translated = (one for one in found if is_translated(one, source_address(one)))
    return MailWays(routes, declared, own, local, undeclared, mail_host(), tuple(translated))


def _live_names(state: LineageState) -> frozenset[DnsName]:
    return state.serving.chain.names if state.serving is not None else frozenset()


def _issue(settings: Settings, host: Path) -> tuple[str, ...]:
    """The command by which certbot gets a first certificate, but for its names."""
    from danebot.adapters.certbot.timers import is_default
    from danebot.adapters.inspection import listens
    from danebot.adapters.services import is_installed

    certbot = str(settings.certbot or "certbot")
    place = () if is_default(settings.tree) else ("--config-dir", str(settings.tree))
    web = next(
        (
            name
            for name, directories in _WEB.items()
            if is_installed(name) and any((host / one).exists() for one in directories)
        ),
        "",
    )
    if not listens(80, host):
        return (certbot, "certonly", "--standalone", *place)
    if web and _has_plugin(certbot, web, host):
        return (certbot, "certonly", f"--{web}", *place)
    return (certbot, "certonly", "--webroot", "-w", "/var/www/html", *place)


def _has_plugin(certbot: str, web: str, host: Path) -> bool:
    """Whether certbot brings its plugin for a web server: modules beside its program."""
    program = Path(os.path.realpath(shutil.which(certbot, path=search_path()) or certbot))
    places = [program.parent.parent.glob(f"{one}/certbot_{web}") for one in _PLUGINS]
    return any(map(any, (*places, host.glob(f"{_SNAPS}/certbot_{web}"))))


def daily_jobs(context: Context, host: Path = _ROOT) -> tuple[Job, ...]:
    """What runs danebot on the tree, certain where it does so daily with these settings."""
    from danebot.adapters.certbot.timers import own_jobs

    return own_jobs(context.tree.root, host, _basis(context, host))


def _basis(context: Context, host: Path) -> RunBasis:
    from danebot.adapters.certbot.timers import RunBasis
    from danebot.config import load
    from danebot.config.load import CONFIG_FILE

    file, usual = context.settings.file, host / CONFIG_FILE
    return RunBasis(file or usual, load(file).tree, usual)


def _unfit(context: Context, daily: tuple[tuple[str, ...], ...], host: Path) -> str:
    """Why commands wouldn't have a run of root's daily that is this one's; "" if they would."""
    from danebot.adapters.certbot.timers import brought_job

    basis = _basis(context, host)
    job = brought_job(context.tree.root, basis, host)
    if not job.certain:
        return _with_options(context.tree.root, basis, daily, host)
    linked = [word for words in daily if words[0] == "ln" for word in words[2:3]]
    if not (job.runs or linked):
        link = f'ln -s "$(command -v danebot)" {job.program}'
        return f"{job.program} isn't there or can't be run: {link}"
    units = [word for words in daily if words[:2] == ("systemctl", "link") for word in words[2:]]
    entry = changeable(map(Path, (*linked, *units)), os.geteuid())
    found = exposure(entry, os.geteuid()) if entry is not None else None
    return f"{found.text}: {found.remedy}" if found is not None else ""


def _with_options(
    tree: Path, basis: RunBasis, daily: tuple[tuple[str, ...], ...], host: Path
) -> str:
    """What is to be written where for a daily run with other settings, or on another tree."""
    from danebot.adapters.certbot.timers import PROGRAM, has_systemd

    options = [f"--config={basis.settings.absolute()}"] * (basis.settings != basis.usual)
    options += [f"--config-dir={tree}"] * (tree != basis.tree)
    run = quoted(PROGRAM, *options, "renew")
    first = [quoted(*words) for words in daily if words[0] == "ln" or words[1] == "link"]
    if has_systemd(host):
        first.append("systemctl edit danebot.service")
        told = f"and write there, a line each: [Service], ExecStart=, ExecStart={run}"
    else:
        told = f"write into /etc/cron.d/danebot: 17 4 * * * root {run}"
    own = "what danebot brings runs with other settings, or on another tree"
    return f"{own}: {', '.join(('; '.join(first), told)) if first else told}"


def _an_owner(state: LineageState) -> tuple[DnsName, ...]:
    """A TLSA owner to ask resolvers for: one that is watched, or that might be."""
    live = state.serving
    return (state.owners or (first_owners(live.chain.names) if live is not None else ()))[:1]


def _candidates(
    context: Context, states: Sequence[LineageState], looker: Looker, host: Path
) -> Iterator[Candidate]:
    from danebot.jobs.adopt import search_owners

    searches = looker.at("TLSA records", "", search_owners, context, states) or {}
    names = [state.name for state in states]
    reading = looker.at("services", "", _reading, context, names, host) or {}
    for state in states:
        name, search = state.name, searches.get(state.name)
        found = intake(state, search.found) if search is not None else None
        asked = search is not None and not state.owners and len(states) > 1
        refused = _refusing(state, search)
        cached = _cached(context, state, found) if not refused else None
        yield Candidate(
            name,
            str(context.tree.paths(name).live / "combo.pem"),
            managed=state.management is Management.STAGED,
            watched=state.owners,
            exempt=state.exempt,
            published=tuple(dict.fromkeys(line.owner for line in found.add)) if found else (),
            serving=_serving(context, state, search) if asked and search is not None else (),
            readers=tuple(reading.get(name, ())),
            hooks=tuple(_hook_words(context, name, looker)),
            refusing=refused or ((cached.owner,) if cached is not None else ()),
            cached=cached,
            names=_live_names(state),
            unanswered=_unanswered(found, search),
            doors=doors(context, looker, (name,)),
        )


def _unanswered(found: Intake | None, search: Search | None) -> str:
    """Who has to answer before `danebot init` takes a lineage on."""
    if found is None or search is None or not (found.unanswered or search.leads.unanswered):
        return ""
    return search.unanswered


def _refusing(state: LineageState, search: Search | None) -> tuple[DnsName, ...]:
    """Where the live chain is refused by what is published."""
    if search is None:
        return ()
    own = (*first_owners(search.names, search.leads.found), *state.owners)
    return refusing((one for one in search.found if not one.unsigned), own)


def _cached(context: Context, state: LineageState, found: Intake | None) -> Refusal | None:
    """Why services must not begin to serve what is live yet, though its records are published.

    Owners that are to be watched are looked at and judged as they will be after `init`.
    """
    live, name, add = state.serving, state.name, found.add if found is not None else ()
    if live is None or not (add or state.management is Management.STAGED):
        return None
    memory, policy, now = remembered(context, name), context.settings.policy(name), context.clock()

    def refusal(lines: Iterable[Required]) -> Refusal | None:
        every = tuple(dict.fromkeys((*(state.required or ()), *lines)))
        after = state._replace(required=every, management=Management.STAGED)
        if not lines:
            return refused_reload(after, {}, memory, policy=policy, now=now)
        seen = observe_dns(context, [after])
        known = remember(memory, after, seen, now)
        if context.settings.probe(name):
            known = to_be_asked(known, after, seen, policy=policy, now=now)
        return refused_reload(after, seen, known, policy=policy, now=now)

    cached = refusal(add)
    if cached is not None and add:
        from danebot.jobs.adopt import services_at

        served = services_at(context, name, live, dict.fromkeys(line.owner for line in add))
        cached = refusal([x for x in add if served.get(x.owner) is not Service.LIVE])
    return None if cached is None or cached.unknown else cached


def _serving(context: Context, state: LineageState, search: Search) -> tuple[DnsName, ...]:
    """Where a service for mail serves the lineage's key, or a former one."""
    from danebot.jobs.adopt import services_at

    live = state.serving
    if live is None:
        return ()
    owners = first_owners(search.names, search.leads.found)
    found = services_at(context, state.name, live, owners)
    return tuple(one for one, whose in found.items() if whose in (Service.LIVE, Service.FORMER))


def _reading(context: Context, names: Sequence[str], host: Path) -> dict[str, list[Reads]]:
    """Services that read certificates of lineages, by lineage."""
    from danebot.adapters.services import is_installed, readers_of_each

    lives = {name: context.tree.paths(name).live for name in names}
    files = {lives[name] / f"{kind}.pem": name for name in names for kind in _KINDS}
    found, _ = readers_of_each(files, host)
    reading: dict[str, list[Reads]] = {}
    for file, readers in found.items():
        for reader in readers:
            service = SERVICES.get(reader.service, printable(reader.service))
            combo = file.name == "combo.pem"
            alone, there = _alone(reader.place, files), is_installed(service)
            reads = Reads(service, printable(reader.place), combo, alone, there)
            reading.setdefault(files[file], []).append(reads)
    return reading


def _alone(place: str, files: Collection[Path]) -> bool:
    """Whether a place is in Postfix's main.cf, all of whose chains are of these files."""
    from danebot.adapters.files import read_bytes

    file = Path(place.rpartition(":")[0])
    if file.name != "main.cf":
        return False
    try:
        text = _FOLDED.sub(" ", read_bytes(file).decode("utf-8", "replace"))
    except DanebotError:
        return False
    named = (Path(word) for words in _CHAINS.findall(text) for word in re.split(r"[\s,]+", words))
    return all(word in files for word in named)


def _hook_words(context: Context, name: str, looker: Looker) -> Iterator[str]:
    """The command lines of a lineage's hooks, and what those in files say."""
    from danebot.adapters.certbot.hooks import HookKind, deploy_hooks
    from danebot.adapters.files import read_bytes

    root, settings = context.tree.root, context.settings
    for hook in looker.at("its hooks", name, deploy_hooks, root, name, settings) or ():
        yield hook.command
        if hook.kind is HookKind.DIRECTORY:
            said = looker.at(hook.id, name, read_bytes, Path(hook.command)) or b""
            yield _COMMENT.sub("", said.decode("utf-8", "replace"))
