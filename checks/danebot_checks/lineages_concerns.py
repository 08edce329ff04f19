"""The four concerns: what each of them makes of the status document."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from danebot.domain.codes import Code, code_of
from danebot.domain.finding import severity_of
from danebot.domain.kinds import Basis
from danebot_checks.plugin import STATES, State, counted, performance

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from danebot.domain.thresholds import Range
    from danebot_checks.lineages_document import Entry

LEVELS = (State.OK, State.UNKNOWN, State.WARNING, State.CRITICAL)
"""In rising order: what can't be told never hides what is known to be wrong."""

LOOKED_AT = frozenset({"current", "anchor"})
"""Roles of the records by which senders find the live chain."""
SKEW = timedelta(minutes=5)  # between the clocks of two hosts, should the file be carried over
DAY = timedelta(days=1)
_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


class Note(NamedTuple):
    """One thing to say; ``looked_up`` if another look at DNS replaces it, ``timed`` a clock's."""

    state: State
    lineage: str
    text: str
    remedy: str
    looked_up: bool = False
    timed: bool = False

    def __str__(self) -> str:
        return f"{self.lineage}: {self.text}" if self.lineage else self.text


class Judged(NamedTuple):
    """What a concern has to say beside the findings; ``good`` if all is well."""

    notes: list[Note]
    good: str
    performance: list[str]


def span(length: timedelta) -> str:
    """A duration for people, as `danebot.domain.rollover.findings` writes it."""
    seconds = int(length.total_seconds())
    parts = []
    for unit, size in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


# ---- findings -------------------------------------------------------------------------------


def findings(
    document: Entry, chosen: Sequence[Entry], options: argparse.Namespace
) -> Iterator[Note]:
    """The findings of one concern: those of the run, and each lineage's own."""
    names = {entry.text("name") for entry in chosen} | set(options.lineage)
    every = [
        *(one for one in document.entries("findings") if _wanted(one, names, options)),
        *(one for entry in chosen for one in entry.entries("findings")),
    ]
    for one in every:
        code = code_of(one.text("code"))
        if code.concern.value == options.concern and not _replaced(code, options):
            yield Note(
                STATES[severity_of(one.text("severity"))],
                one.text("lineage"),
                one.text("text"),
                one.text("remedy"),
                looked_up=code.basis is Basis.DNS,
                timed=code.basis is Basis.CLOCK,
            )


def _wanted(one: Entry, names: set[str], options: argparse.Namespace) -> bool:
    """A finding of the whole run concerns every lineage; one of an unreadable lineage counts."""
    return not options.lineage or one.text("lineage") in {"", *names}


def _replaced(code: Code, options: argparse.Namespace) -> bool:
    """Whether the options give a range of their own for it."""
    if code is Code.EXPIRES_SOON:
        return (options.warning, options.critical) != (None, None)
    return code is Code.NEXT_KEY_STUCK and options.staged is not None


# ---- renewal --------------------------------------------------------------------------------


def renewal(
    document: Entry, chosen: Sequence[Entry], options: argparse.Namespace, now: datetime
) -> Judged:
    """The age of the last success, and the last error."""
    from danebot_checks.plugin import parse_range

    warning = options.warning or parse_range("~:2.25")
    critical = options.critical or parse_range("~:7")
    last, success = document.entry("last_renew"), document.moment("last_success")
    if last is None:
        words = "danebot renew has not run yet"
        return Judged([Note(State.WARNING, "", words, "run it, or enable its timer")], "", [])
    ended = last.needed("ended")
    notes: list[Note] = []
    numbers: list[str] = []
    if now - ended > DAY * options.max_age:
        words = f"danebot renew ran {span(now - ended)} ago"
        notes.append(Note(State.CRITICAL, "", words, "systemctl status danebot.timer"))
    if success is None:
        if last.number("exit_status"):
            notes.append(_failing("danebot renew has never succeeded", chosen, State.WARNING))
    elif success > max(now, _written(document)) + SKEW:
        words = f"the last success of danebot renew is {span(success - now)} in the future"
        notes.append(_failing(words, chosen, State.WARNING))
    else:
        days = (now - success) / DAY
        state = outside(days, warning, critical)
        if state is not State.OK:
            words = f"danebot renew last succeeded {span(now - success)} ago"
            notes.append(_failing(words, chosen, state))
        numbers = [performance("success_days", days, warning=warning, critical=critical)]
    found = ""
    if last.number("exit_status"):
        found = ", and found what other checks tell"
    return Judged(notes, f"danebot renew ran {span(now - ended)} ago{found}", numbers)


def _written(document: Entry) -> datetime:
    run = document.entry("run")
    return run.needed("ended") if run is not None else datetime.min.replace(tzinfo=UTC)


def _failing(words: str, chosen: Sequence[Entry], state: State) -> Note:
    """With the last error, if one is known."""
    for entry in chosen:
        failure = entry.entry("last_failure")
        if failure is not None:
            name, message = entry.text("name"), failure.text("message")
            return Note(state, "", f"{words}; {name}: {message}", "see: danebot -v renew")
    return Note(state, "", words, "see: danebot -v renew")


def outside(value: float, warning: Range | None, critical: Range | None) -> State:
    """How bad ``value`` is."""
    if critical is not None and not critical.match(value):
        return State.CRITICAL
    if warning is not None and not warning.match(value):
        return State.WARNING
    return State.OK


# ---- tlsa -----------------------------------------------------------------------------------


def tlsa(
    document: Entry, chosen: Sequence[Entry], options: argparse.Namespace, now: datetime
) -> Judged:
    """Positive evidence for each current record; files that disagree about the key."""
    del document, options, now
    notes: list[Note] = []
    records = seen = 0
    for entry in chosen:
        name = entry.text("name")
        notes += _keys(entry, name)
        told = {code_of(one.text("code")).basis for one in entry.entries("findings")}
        for record in entry.entries("records"):
            if record.text("role") not in LOOKED_AT:
                continue
            records += 1
            if record.text("seen") == "seen everywhere":
                seen += 1
                continue
            state = State.WARNING if record.text("seen") == "missing" else State.UNKNOWN
            if state is State.WARNING and Basis.DNS in told:
                continue  # the finding says it better
            where = ", ".join(record.texts("missing_at")) or record.text("seen")
            words = f"{record.text('owner')} TLSA {record.text('record')}: {where}"
            notes.append(Note(state, name, words, f"danebot status {name}", looked_up=True))
    good = f"{counted(records, 'record')} of {counted(len(chosen), 'lineage')} seen everywhere"
    if not records:
        good = f"no record is watched for {counted(len(chosen), 'lineage')}"
    return Judged(notes, good, seen_numbers(records, seen))


def seen_numbers(records: int, seen: int) -> list[str]:
    """Performance data of ``tlsa``."""
    return [performance("records", records, least=0), performance("seen", seen, least=0)]


def _keys(entry: Entry, name: str) -> Iterator[Note]:
    """Staging holds the live key, or the one on its way."""
    digests = {
        role: key.text("digest")
        for role in ("current", "next", "ready")
        if (key := entry.entry(role)) is not None
    }
    for role in ("live", "staged"):
        chain = entry.entry(role)
        key = chain.entry("key") if chain is not None else None
        if key is not None and key.text("digest") not in digests.values():
            words = f"{role} files hold the key {key.text('digest')}, which nobody serves or awaits"
            yield Note(State.WARNING, name, words, "run: danebot renew")
    if entry.text("management") == "staged" and "current" not in digests:
        yield Note(State.CRITICAL, name, "no usable key is live", f"see: danebot status {name}")


# ---- rollover -------------------------------------------------------------------------------


def rollover(
    document: Entry, chosen: Sequence[Entry], options: argparse.Namespace, now: datetime
) -> Judged:
    """What takes longer than it should."""
    del document
    notes: list[Note] = []
    rolling = hooks = 0
    oldest = None
    for entry in chosen:
        notes += _waits(entry, options, now)
        notes += _afterwards(entry, options, now)
        under_way = entry.entry("next") is not None or entry.entry("ready") is not None
        rolling += under_way and entry.text("phase") != "standby"
        hooks += sum(1 for _ in entry.entries("pending_hooks"))
        since = entry.moment("key_since")
        if since is not None and (oldest is None or since < oldest):
            oldest = since
    numbers = [performance("rolling", rolling, least=0), performance("hooks", hooks, least=0)]
    if oldest is not None:
        days = (now - oldest) / DAY
        numbers.append(performance("key_days", days, warning=options.key_age))
    good = f"{counted(rolling, 'rollover')} on the way" if rolling else "none on the way"
    return Judged(notes, f"{good}, {counted(len(chosen), 'lineage')}", numbers)


def _waits(entry: Entry, options: argparse.Namespace, now: datetime) -> Iterator[Note]:
    name, phase = entry.text("name"), entry.text("phase")
    since = entry.moment("awaiting_since")
    if phase == "staged" and since is not None and _late(now - since, options.staged):
        words = f"the next key waits for its TLSA records since {span(now - since)}"
        yield Note(State.WARNING, name, words, f"danebot tlsa {name} prints them")
    safe = entry.moment("safe_at") if phase == "cooling" else None
    due = entry.moment("phase_since") if phase == "due" else safe
    if due is not None and _late(now - due, options.due):
        words = f"the ready key is due for promotion since {span(now - due)}"
        yield Note(State.WARNING, name, words, "see: danebot -v renew")
    since = entry.moment("key_since")
    if since is not None and _late(now - since, options.key_age):
        words = f"the current key is {span(now - since)} old"
        yield Note(State.WARNING, name, words, f"danebot newkey {name} begins a rollover")


def _afterwards(entry: Entry, options: argparse.Namespace, now: datetime) -> Iterator[Note]:
    name = entry.text("name")
    deployed, confirmed = entry.moment("deployed_at"), entry.moment("confirmed_at")
    hooks = [hook.text("hook") for hook in entry.entries("pending_hooks")]
    if deployed is not None and confirmed is None and _late(now - deployed, options.unconfirmed):
        why = f"; hooks to run: {', '.join(hooks)}" if hooks else ""
        words = f"the chain live since {span(now - deployed)} is not confirmed on the wire{why}"
        yield Note(State.WARNING, name, words, "see: danebot -v renew")
    publication = entry.entry("publication")
    remove = publication.texts("remove") if publication is not None else []
    if remove:
        since = entry.moment("cleared_at") or confirmed
        late = since is not None and _late(now - since, options.removal)
        state = State.WARNING if late else State.OK
        words = f"{counted(len(remove), 'old record')} to remove: {remove[0]}"
        yield Note(state, name, words, f"danebot tlsa {name} lists them")


def _late(age: timedelta, allowed: Range | None) -> bool:
    return allowed is not None and not allowed.match(age / DAY)
