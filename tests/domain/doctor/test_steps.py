"""What `danebot setup` says of its steps, and what depends on what."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from danebot.domain.delivery.routes import Dane
from danebot.domain.doctor.facts import CRON, ComboGroup, FileStat, Role
from danebot.domain.doctor.senders import MailWays
from danebot.domain.doctor.setup import (
    Candidate,
    Reads,
    SetupFacts,
    SetupPlan,
    SetupStep,
    Wanted,
    Way,
    plan_setup,
)
from danebot.domain.names import DnsName
from danebot.domain.rollover.steps.refusals import Refusal
from domain.mail_world import failed, host, route
from domain.setup_world import (
    BARE,
    COMBO,
    DONE,
    ENABLE,
    HOST,
    JOB,
    MAIL,
    NOTHING,
    NOW,
    SMTP,
    TIMER,
    planned,
)

ORG = "example.org"
IMAP = DnsName.parse(f"_993._tcp.{MAIL}")
NAMES = frozenset({DnsName(MAIL)})
WEB = BARE._replace(name="www.example.org", combo="/live/www/combo.pem")
VERIFY = ("danebot", "verify", ORG)


def steps(facts: SetupFacts, wanted: Wanted = NOTHING) -> tuple[SetupStep, ...]:
    return plan_setup(facts, wanted, NOW).steps


# ---- care -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (BARE, f"put {MAIL} under danebot's care"),
        (
            BARE._replace(published=(SMTP,)),
            f"put {MAIL} under danebot's care; its TLSA records are watched: {SMTP}",
        ),
        (
            DONE._replace(published=(IMAP,)),
            f"look again at {MAIL}; its TLSA records are watched: {IMAP}",
        ),
    ],
)
def test_a_lineage_is_taken_on(one: Candidate, why: str) -> None:
    assert planned(one).steps[0] == SetupStep(Way.DANEBOT, why, (("init", MAIL),), gives=MAIL)


def test_an_owner_is_watched_once_the_lineage_is_cared_for() -> None:
    found = planned(DONE, wanted=Wanted(owners=(IMAP,))).steps[0]
    why = f"have {MAIL} watch {IMAP}"
    assert found == SetupStep(Way.DANEBOT, why, (("watch", MAIL, str(IMAP)),), needs=(MAIL,))


@pytest.mark.parametrize(
    ("one", "beginning"),
    [
        (BARE, f"put {MAIL} under danebot's care"),
        (DONE._replace(published=(IMAP,)), f"look again at {MAIL}"),
    ],
)
def test_what_gave_no_answer_is_told(one: Candidate, beginning: str) -> None:
    found = planned(one._replace(unanswered="_25._tcp.x (timeout)")).steps[0]
    assert found.why == (
        f"{beginning}: no answer, so nobody knows whether it has TLSA records: _25._tcp.x "
        "(timeout); see that the resolver answers, or go on without"
    )


def test_hooks_are_named() -> None:
    found = planned(DONE, wanted=Wanted(hooks=("/x", "/y"))).steps[0]
    assert found.why == "have services read each new certificate, and try that: /x, /y"


def test_timers_follow_lineages_that_are_taken_on_unless_one_is_cared_for() -> None:
    host_without = HOST._replace(jobs=())
    other = BARE._replace(name="z", serving=(SMTP,))
    for candidates, one_of in (
        ((BARE,), (MAIL,)),
        ((DONE,), ()),
        ((DONE, other), ()),
        ((BARE._replace(serving=(SMTP,)), other), (MAIL, "z")),
    ):
        found = planned(*candidates, host=host_without, daily=(ENABLE,), rivals=(TIMER,)).steps
        timers = [step for step in found if step.way is Way.SYSTEM]
        assert [step.one_of for step in timers] == [one_of] * 2


# ---- the daily run --------------------------------------------------------------------------


def test_a_host_without_systemd_and_cron_gets_cron_first() -> None:
    found = planned(DONE, host=HOST._replace(jobs=(), scheduler=False), daily=(ENABLE,)).steps
    why = "have danebot renew run daily: neither systemd nor cron is here"
    assert found == (SetupStep(Way.BY_HAND, why, (CRON,), gives="the daily run"),)


def test_of_two_daily_runs_both_are_to_be_in_order() -> None:
    broken = JOB._replace(place="/etc/crontab", runs=False)
    assert planned(DONE, host=HOST._replace(jobs=(JOB, broken))).steps != ()
    assert planned(DONE, host=HOST._replace(jobs=(JOB, JOB))).steps == ()


def test_the_daily_run_is_not_tried_while_one_lineage_has_no_record() -> None:
    new = HOST._replace(last_run=None)
    bare = DONE._replace(name="z", watched=())
    assert [one.commands for one in planned(DONE, bare, host=new).steps] == [(("tlsa", "z"),)]


# ---- which lineages -------------------------------------------------------------------------


def test_without_lineages_there_is_nothing_to_do() -> None:
    assert planned() == SetupPlan(())
    assert planned(DONE, wanted=Wanted(("absent",))) == SetupPlan(())


def test_a_lineage_that_is_meant_is_begun_beside_others() -> None:
    found = planned(WEB, DONE)
    assert (found.steps, found.others, found.blocked) == ((), (WEB.name,), False)


def test_a_lineage_that_mx_records_lead_to_is_meant() -> None:
    one = BARE._replace(names=NAMES)
    led = MailWays((route(ORG, host(MAIL)),))
    assert plan_setup(SetupFacts(HOST, (WEB, one), ways=led), NOTHING, NOW).others == (WEB.name,)
    unknown = plan_setup(SetupFacts(HOST, (WEB, one), ways=None), NOTHING, NOW)
    assert unknown.blocked
    assert unknown.others == (WEB.name, MAIL)


# ---- the first certificate ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ways", "names"),
    [
        (MailWays(), ("-d", "HOST")),
        (MailWays((route(ORG, host(MAIL), host("b.test")),)), ("-d", MAIL, "-d", "b.test")),
    ],
)
def test_the_first_certificate(ways: MailWays, names: tuple[str, ...]) -> None:
    found = plan_setup(SetupFacts(HOST._replace(lineages=0), (), ways=ways), NOTHING, NOW)
    assert [one.commands for one in found.steps] == [
        (("certbot", "certonly", "--standalone", *names),)
    ]


def test_without_certbot_s_tree_what_is_wrong_with_it_is_told() -> None:
    found = planned(host=HOST._replace(no_tree="/le isn't there; see config_dir"))
    step = SetupStep(Way.BY_HAND, "/le isn't there; see config_dir")
    assert found == SetupPlan((step,), blocked=True)


# ---- records that refuse a key --------------------------------------------------------------


def test_what_caches_may_still_have_is_waited_for() -> None:
    until = datetime(2026, 12, 2, 8, tzinfo=UTC)
    one = DONE._replace(refusing=(SMTP,), cached=Refusal(SMTP, "x", until=until))
    why = (
        f"wait until 2026-12-02 08:00 UTC: caches may have TLSA records of {SMTP} by which "
        f"senders refuse the key of {MAIL}, so no service is to begin with it before; unseen_ttl "
        "in danebot.toml says how long what was there before is reckoned with"
    )
    wait = SetupStep(Way.BY_HAND, why, (("danebot", "setup"),), needs=(MAIL,))
    assert planned(one).steps == (wait,)
    assert planned(one._replace(refusing=())).steps == ()


def test_a_record_beside_those_that_refuse_a_key_is_shown_once_there_is_a_key() -> None:
    (_, shown) = planned(BARE._replace(refusing=(SMTP,))).steps
    why = (
        f"publish the TLSA record of {MAIL} beside what is there, before any service has its key: "
        f"senders refuse it by what {SMTP} has; go on when it is at every server and the TTL of "
        "the records without it has passed"
    )
    assert shown == SetupStep(Way.SHOW, why, (("tlsa", MAIL),), needs=(MAIL,))


# ---- senders --------------------------------------------------------------------------------


def test_where_senders_are_not_protected_that_is_the_last_step() -> None:
    facts = SetupFacts(HOST, (DONE._replace(names=NAMES),), ways=MailWays((failed(ORG),)))
    why = f"whether senders to {ORG} are protected is unknown: MX records: timeout {{}}"
    assert steps(facts) == (SetupStep(Way.BY_HAND, why, (VERIFY,)),)


def test_a_first_record_is_asked_for_once() -> None:
    ways = MailWays((route(ORG, host(MAIL, Dane.ABSENT)),))
    bare = DONE._replace(names=NAMES, watched=())
    assert [one.way for one in steps(SetupFacts(HOST, (bare,), ways=ways))] == [Way.SHOW]
    refused = bare._replace(watched=(SMTP,), refusing=(SMTP,))
    assert [one.way for one in steps(SetupFacts(HOST, (refused,), ways=ways))] == [Way.SHOW]
    found = steps(SetupFacts(HOST, (DONE._replace(names=NAMES),), ways=ways))
    assert [one.commands for one in found] == [
        (("danebot", "setup", "--owner", f"_25._tcp.{MAIL}", MAIL),)
    ]


def test_a_lineage_that_no_mx_leads_to_is_told_so() -> None:
    seen = MailWays((route(MAIL), route(ORG)))
    bare = DONE._replace(names=NAMES, watched=())
    why = (
        f"have an MX record lead to {MAIL}: none of {MAIL}, {ORG} does, so no sender looks for "
        "its TLSA records"
    )
    assert steps(SetupFacts(HOST, (bare,), ways=seen))[1:] == (
        SetupStep(Way.BY_HAND, why, (VERIFY,)),
    )
    assert steps(SetupFacts(HOST, (DONE._replace(names=NAMES),), ways=seen)) == ()
    unsaid = seen._replace(undeclared="x")
    assert [one.commands for one in steps(SetupFacts(HOST, (bare,), ways=unsaid))[1:]] == [
        (("postconf", "-n"),)
    ]
    led = MailWays((route(MAIL), route(ORG, host(MAIL))))
    assert len(steps(SetupFacts(HOST, (bare,), ways=led))) == 1


# ---- services -------------------------------------------------------------------------------


def reads(service: str, place: str, *, alone: bool = False) -> Reads:
    return Reads(service, place, combo=False, alone=alone)


def test_each_lineage_is_read_where_it_was() -> None:
    first = DONE._replace(readers=(reads("dovecot", "a:1"),), hooks=("@dovecot",))
    second = first._replace(name="z", combo="/z", readers=(reads("dovecot", "b:2"),))
    found = planned(first, second).steps
    assert [one.needs for one in found] == [(MAIL,), ("z",)]
    assert [one.why[: one.why.index(" read ")] for one in found] == [
        "have dovecot (a:1)",
        "have dovecot (b:2)",
    ]


def test_postfix_is_given_the_chains_that_it_reads() -> None:
    first = DONE._replace(readers=(reads("postfix", "main.cf:1", alone=True),))
    second = DONE._replace(name="z", combo="/z", readers=(Reads("nginx", "x", combo=True),))
    (found,) = planned(first, second._replace(hooks=("@nginx",))).steps
    assert found.why == f"have postfix (main.cf:1) read {COMBO}, for both the key and the chain"
    assert found.needs == (MAIL,)


def test_a_map_of_postfix_s_is_changed_once_the_lineage_is_cared_for() -> None:
    one = DONE._replace(readers=(reads("postfix", "sni:1"),))
    why = f"have postfix read: in sni:1, {COMBO} in place of the files beside it"
    assert planned(one).steps == (SetupStep(Way.BY_HAND, why, needs=(MAIL,)),)


def test_a_mail_service_gets_what_nobody_reads_yet() -> None:
    web = DONE._replace(
        name="z", combo="/z", readers=(Reads("nginx", "x", combo=True),), hooks=("@nginx",)
    )
    (found,) = planned(web, DONE._replace(readers=()), mail=("exim",)).steps
    assert found.needs == (MAIL,)


def test_a_service_of_its_own_user_is_let_through() -> None:
    shut = FileStat("/live", Role.TREE, 0, 0o700)
    one = DONE._replace(readers=(reads("exim", "conf:1"),), hooks=("@exim",), doors=(shut,))
    (found,) = steps(SetupFacts(HOST, (one,), groups={"exim": ComboGroup("Debian-exim", 8)}))
    assert found.why == (
        f"have exim (conf:1) read {COMBO}, for both the key and the chain: tls_certificate = "
        f"{COMBO} and tls_privatekey = {COMBO}; its own user reads that: set combo_group = "
        '"Debian-exim" and combo_mode = "0640" in danebot.toml, have the next run set that, and '
        "let the group through the directories"
    )
    assert found.commands == (("chgrp", "Debian-exim", "/live"), ("chmod", "g+x", "/live"))
    (plain,) = steps(SetupFacts(HOST, (one,)))
    assert (plain.why, plain.commands) == (found.why.partition("; its own")[0], ())
