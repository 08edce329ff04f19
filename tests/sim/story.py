"""A history in words: what happens in its world, and what each run came to."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from danebot.domain.rollover.steps.phases import Plan
from sim.judge import Stale
from sim.outcome import Outcome
from sim.world import DAY, FOREVER, HORIZON, HOUR, MINUTE, SpanT, World

Tell = Callable[[str], None]


def when(now: int) -> str:
    """A time as days and hours after the key was made."""
    if now >= FOREVER:
        return "for good"
    if now <= -HORIZON:
        return "from the start"
    sign, now = ("-" if now < 0 else "+"), abs(now)
    hours, minutes, seconds = now % DAY // HOUR, now % HOUR // MINUTE, now % MINUTE
    return f"{sign}{now // DAY}d {hours:02}:{minutes:02}:{seconds:02}"


def describe(world: World, tell: Tell) -> None:
    """Tell what the world will be: a row of spans for each thing that can be cached."""
    for owner, aliases in enumerate(world.aliases):
        _row(f"owner {owner} leads to", aliases, tell, lambda span: f"name {span.target}")
    for source, delegations in world.delegations.items():
        _row(f"servers by the {source.value}", delegations, tell, lambda span: f"{span.servers}")
    for (source, server), spans in sorted(world.addresses.items(), key=lambda row: row[0][1]):
        _row(
            f"server {server} by the {source.value} at", spans, tell, lambda span: f"{span.address}"
        )
    for address, (start, end) in world.silences.items():
        tell(f"address {address} silent: {when(start)} to {when(end)}")
    for (owner, address), aliases in world.alias_rows.items():
        title = f"owner {owner} at address {address} leads to"
        _row(title, aliases, tell, lambda span: f"name {span.target}")
    for (zone, address), (start, end) in world.expired.items():
        tell(f"{zone.value} expired at address {address}: {when(start)} to {when(end)}")
    for address, (start, end) in world.unheard.items():
        tell(f"address {address} unheard by danebot: {when(start)} to {when(end)}")
    if world.all_unheard[1]:
        tell(f"nobody heard: {when(world.all_unheard[0])} to {when(world.all_unheard[1])}")
    for (target, address), answers in world.rrsets.items():
        _row(
            f"name {target} at address {address}",
            answers,
            tell,
            lambda answer: (
                f"{answer.content.value}" + (f" (denial {answer.denial}s)" if answer.denial else "")
            ),
        )


def _row(title: str, spans: Iterable[SpanT], tell: Tell, words: Callable[[SpanT], str]) -> None:
    tell(f"{title}: " + "; ".join(f"{when(s.start)} {words(s)} TTL {s.ttl}s" for s in spans))


def brief(plan: Plan) -> str:
    """What a run came to, in one line."""
    words = [plan.phase.value]
    if plan.step is not None:
        words.append(f"next: {plan.step.value}")
    if plan.hold is not None:
        words.append(f"held: {plan.hold.value}")
    if plan.safe is not None:
        words.append(f"safe at {plan.safe.at:%Y-%m-%d %H:%M:%S} ({plan.safe.baseline.value})")
    gaps = {f"{gap.obstacle.value} {gap.where}".strip() for one in plan.awaited for gap in one.gaps}
    words += sorted(gaps)
    if plan.refusal is not None:
        words.append(str(plan.refusal))
    return "; ".join(words)


def conclude(outcome: Outcome, tell: Tell) -> None:
    """Tell how it ended, and what broke a promise."""
    contained = sorted(feature.value for feature in outcome.features)
    branch = f" branch {outcome.branch}" if outcome.branch else ""
    tell(f"history {outcome.seed}{branch}, {outcome.looks} looks: {'; '.join(contained)}")
    deployed = outcome.deployed
    tell("never deployed" if deployed is None else f"deployed at {when(deployed)}")
    if outcome.spoiled:
        tell(f"P1 broken: by what is published on advice, senders refuse {outcome.spoiled}")
    if outcome.kept_back:
        tell("P4 broken: the renewal was held near the end of the certificate by what nobody saw")
    told = dict.fromkeys(_told(found) for found in outcome.stale)  # by several ways each
    for words in told:
        tell(words)


def _told(found: Stale) -> str:
    answer = found.answer
    return (
        f"P1 broken: of owner {found.owner}, a cache may hold until {when(found.until)} what "
        f"server {found.server} at address {found.address} had for name {found.target} from "
        f"{when(answer.start)} to {when(answer.end)}: {answer.content.value}"
    )
