"""Whether the resolver beside a worker validates, before its word counts."""

from __future__ import annotations

import socket
import time

from danebot.adapters.dns.exchange import resolve
from danebot.adapters.dns.queries import together
from danebot.adapters.dns.rdata import AAAA, A
from danebot.adapters.dns.resolver import Resolver
from danebot.domain.dns.answers import Answer, Presence, Security
from danebot.survey.dataset import SurveyError
from danebot.survey.plan import SurveyPlan

_FRESH = 60.0  # seconds for which a test holds
_TRIES = 3
_last: dict[SurveyPlan, float] = {}


def require_sound(plan: SurveyPlan) -> None:
    """Raise `SurveyError` unless the resolver tells secure, insecure and bogus names apart.

    What was found out a minute ago will do.
    """
    if time.monotonic() - _last.get(plan, -_FRESH) >= _FRESH:
        require_sound_now(plan)


def require_sound_now(plan: SurveyPlan) -> None:
    """The same, whatever was found out before."""
    trouble = ""
    for attempt in range(_TRIES):
        trouble = _trouble(plan)
        if not trouble:
            _last[plan] = time.monotonic()
            return
        time.sleep(0.2 * attempt)
    servers = ", ".join(map(str, plan.resolver.nameservers))
    raise SurveyError(
        f"the resolver of {socket.gethostname()} ({servers}) can't be relied on: {trouble}; "
        "mend it, or name another with --resolver and other names with --test-names"
    )


def _trouble(plan: SurveyPlan) -> str:
    resolver, names = Resolver(plan.resolver), plan.tests
    wanted = (
        (names.secure, Security.SECURE),
        (names.insecure, Security.INSECURE),
        (names.bogus, Security.BOGUS),
    )
    kinds = (A, AAAA)
    questions = [resolver.lookup(kind, name) for name, _ in wanted for kind in kinds]
    answers: list[Answer[str]] = resolve(together(questions))
    for number, (name, security) in enumerate(wanted):
        found = answers[2 * number : 2 * number + 2]
        there = security is Security.BOGUS or any(one.presence is Presence.PRESENT for one in found)
        said = [one for one in found if one.security is not security]
        if said or not there:
            what = (said or found)[0]
            detail = f" ({what.detail})" if what.detail else ""
            words = f"{what.security.value}, {what.presence.value}{detail}"
            return f"{name} ought to be {security.value}, and is {words}"
    return ""
