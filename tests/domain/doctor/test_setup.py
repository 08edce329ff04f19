"""The steps of `danebot setup`, by what is there and what was said."""

from __future__ import annotations

import pytest

from danebot.config.settings import READY_MADE
from danebot.domain.doctor.facts import HostFacts, LastRun, Rival
from danebot.domain.doctor.setup import (
    SERVICES,
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
from domain.setup_world import (
    BARE,
    COMBO,
    DONE,
    ENABLE,
    HOST,
    JOB,
    LINK,
    MAIL,
    NEW_HOST,
    NOTHING,
    NOW,
    POSTFIX,
    RESOLVER,
    SMTP,
    TIMER,
    commands,
    planned,
)


def test_nothing_is_to_be_done_where_all_is_done() -> None:
    assert planned(DONE) == SetupPlan(())
    none_wanted = DONE._replace(watched=(), exempt=True)
    assert planned(none_wanted) == SetupPlan(())


def test_all_of_the_first_hour_in_order() -> None:
    found = planned(BARE, host=NEW_HOST, mail=("postfix",), rivals=(TIMER,), daily=(LINK, ENABLE))
    assert commands(found) == [
        f"DANEBOT init {MAIL}",
        "SYSTEM ln -s /opt/danebot/bin/danebot /usr/local/bin/",
        "SYSTEM systemctl enable --now danebot.timer",
        "SYSTEM systemctl disable --now certbot.timer",
        *[f"[have postfix read {COMBO}, for both the key and the chain]"] * 3,
        f"SHOW tlsa {MAIL}",
    ]
    assert {step.one_of for step in found.steps if step.way is Way.SYSTEM} == {(MAIL,)}
    by_hand = [step for step in found.steps if step.way is Way.BY_HAND]
    assert by_hand[0].commands[0] == ("postconf", "-e", f"smtpd_tls_chain_files={COMBO}")


def test_a_record_that_is_published_is_watched_and_the_daily_run_tried() -> None:
    found = planned(DONE._replace(watched=(), published=(SMTP,)), host=HOST._replace(last_run=None))
    assert commands(found) == [f"DANEBOT init {MAIL}", "DANEBOT renew"]
    assert str(SMTP) in found.steps[0].why


@pytest.mark.parametrize(
    ("last", "told", "runs"),
    [
        (None, True, True),
        (LastRun(NOW, 1), True, True),
        (LastRun(NOW, 0), True, False),
        (None, False, False),
    ],
)
def test_the_daily_run_is_tried_where_it_never_was_or_found_trouble(
    last: LastRun | None, *, told: bool, runs: bool
) -> None:
    found = planned(DONE, host=HOST._replace(last_run=last, run_told=told))
    assert commands(found) == ["DANEBOT renew"] * runs
    assert planned(host=HOST._replace(last_run=last)).steps == ()


def test_it_is_not_tried_before_there_is_a_record() -> None:
    host = HOST._replace(last_run=None)
    assert commands(planned(DONE._replace(watched=()), host=host)) == [f"SHOW tlsa {MAIL}"]
    watching = Wanted(owners=(DnsName.parse(f"_465._tcp.{MAIL}"),))
    assert commands(planned(DONE, host=host, wanted=watching)) == [
        f"DANEBOT watch {MAIL} _465._tcp.{MAIL}",
        f"SHOW tlsa {MAIL}",
    ]


def test_an_owner_that_is_watched_already_is_nothing_to_do() -> None:
    assert planned(DONE, wanted=Wanted(owners=(SMTP,))) == SetupPlan(())


# ---- what comes before all else -------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (HOST._replace(certbot="certbot is not there; apt install certbot"), "apt install certbot"),
        (HOST._replace(lineages=0), "get the first certificate"),
        (HOST._replace(asked=(RESOLVER._replace(authentic=False),)), "apt install unbound"),
        (HOST._replace(asked=(RESOLVER._replace(trouble="refused"),)), "apt install unbound"),
        (HOST._replace(asked=(RESOLVER._replace(loopback=False),)), "apt install unbound"),
    ],
)
def test_nothing_is_begun_on_sand(host: HostFacts, words: str) -> None:
    found = planned(BARE, host=host, daily=(ENABLE,), rivals=(TIMER,))
    assert found.blocked
    (step,) = found.steps
    assert step.way is Way.BY_HAND
    assert words in step.why


def test_one_resolver_that_is_believed_is_enough() -> None:
    dead = RESOLVER._replace(name="127.0.0.2", trouble="refused")
    assert planned(DONE, host=HOST._replace(asked=(dead, RESOLVER))) == SetupPlan(())
    public = RESOLVER._replace(loopback=False, trusted=True, public=True)
    assert planned(DONE, host=HOST._replace(asked=(public,))) == SetupPlan(())
    assert planned(DONE, host=HOST._replace(asked=())) == SetupPlan(())


# ---- which lineages -------------------------------------------------------------------------


def test_of_several_lineages_those_for_mail_are_meant() -> None:
    web = Candidate("www.example.org", "/combo.pem", readers=(Reads("nginx", "x", combo=False),))
    for shows in (
        BARE._replace(serving=(SMTP,)),
        BARE._replace(published=(SMTP,)),
        BARE._replace(readers=(POSTFIX,)),
        BARE._replace(managed=True),
    ):
        found = planned(web, shows)
        assert found.others == (web.name,)
        assert not [step for step in found.steps if web.name in step.why]
    found = planned(web, BARE, host=NEW_HOST, daily=(ENABLE,), rivals=(TIMER,))
    assert found == SetupPlan((), (web.name, MAIL), blocked=True)  # timers are left alone
    found = planned(web, BARE, wanted=Wanted(lineages=(web.name,)))
    assert commands(found)[:2] == [f"DANEBOT init {web.name}", f"DANEBOT deploy {web.name}"]
    assert [step.hooks for step in found.steps[:2]] == [(), ("@nginx",)]
    assert found.others == ()


# ---- hooks and services ---------------------------------------------------------------------


def test_every_ready_made_hook_may_be_found() -> None:
    assert set(SERVICES.values()) == set(READY_MADE)


@pytest.mark.parametrize(
    ("readers", "hooks", "mail", "needed"),
    [
        (("postfix",), (), (), ("@postfix",)),
        (("postfix", "dovecot", "postfix"), (), (), ("@postfix", "@dovecot")),
        (("postfix", "dovecot"), ("@postfix /etc/postfix-out",), (), ("@dovecot",)),
        (("postfix",), ("/etc/hooks/x", "#!/bin/sh\nsystemctl reload postfix\n"), (), ()),
        (("unheard-of",), (), (), ()),
        ((), (), ("exim",), ()),
        (("nginx",), (), ("exim",), ("@nginx",)),
    ],
)
def test_a_service_that_no_hook_speaks_of_gets_one(
    readers: tuple[str, ...],
    hooks: tuple[str, ...],
    mail: tuple[str, ...],
    needed: tuple[str, ...],
) -> None:
    one = DONE._replace(readers=tuple(Reads(r, "/x:1", combo=True) for r in readers), hooks=hooks)
    steps = planned(one, mail=mail).steps
    found = [(step.commands, step.needs, step.hooks) for step in steps if step.hooks]
    assert found == ([((("deploy", MAIL),), (MAIL,), needed)] if needed else [])


def test_a_service_whose_program_is_gone_gets_no_hook() -> None:
    gone = Reads("dovecot", "/etc/dovecot/dovecot.conf:7", combo=True, there=False)
    found = planned(DONE._replace(readers=(POSTFIX, gone), hooks=()))
    assert [step.hooks for step in found.steps] == [("@postfix",)]


def test_a_lineage_of_which_somebody_gave_no_answer_is_the_operators() -> None:
    found = planned(
        BARE._replace(unanswered="_25._tcp.x (timeout)"),
        host=NEW_HOST,
        daily=(ENABLE,),
        wanted=Wanted(hooks=()),
    )
    care, timer, *rest = found.steps
    assert (care.way, care.gives) == (Way.BY_HAND, MAIL)
    assert care.commands == (("danebot", "init", "--although-unanswered", MAIL),)
    assert (timer.way, timer.one_of) == (Way.SYSTEM, (MAIL,))
    assert all(step.needs == (MAIL,) for step in rest)


def test_hooks_that_are_named_stand_in_for_those_found() -> None:
    bare = DONE._replace(hooks=())
    assert planned(bare, wanted=Wanted(hooks=())) == SetupPlan(())
    found = planned(bare, wanted=Wanted(hooks=("@postfix", "/opt/push now")))
    assert found.steps[0].hooks == ("@postfix", "/opt/push now")
    assert planned(DONE, wanted=Wanted(hooks=("@postfix",))) == SetupPlan(())


def test_a_service_that_reads_certbots_files_is_the_operators() -> None:
    one = DONE._replace(
        readers=(
            Reads("postfix", "main.cf:1", combo=False, alone=True),
            Reads("postfix", "main.cf:2", combo=False, alone=True),
            Reads("dovecot", "dovecot.conf:7", combo=False),
            Reads("nginx", "mail.conf:3", combo=True),
        ),
        hooks=("@postfix", "@dovecot", "@nginx"),
    )
    postfix, dovecot = planned(one).steps
    assert postfix.why.startswith(f"have postfix (main.cf:1, main.cf:2) read {COMBO}")
    assert ("postfix", "reload") in postfix.commands
    assert f"ssl_server_key_file = {COMBO}" in dovecot.why
    assert dovecot.commands == ()


# ---- timers ---------------------------------------------------------------------------------


def steps_of(found: SetupPlan, *needs: str) -> list[SetupStep]:
    return [step for step in found.steps if step.needs == needs]


def test_certbots_timer_stops_once_danebots_runs() -> None:
    cron = Rival("/etc/cron.d/certbot")
    found = planned(DONE, host=HOST._replace(jobs=()), daily=(ENABLE,), rivals=(TIMER, cron))
    assert commands(found) == [
        "SYSTEM systemctl enable --now danebot.timer",
        "SYSTEM systemctl disable --now certbot.timer",
        "[/etc/cron.d/certbot runs certbot renew: take that line out]",
    ]
    assert found.steps[0].gives == "the daily run"
    assert len(steps_of(found, "the daily run")) == 2


def test_a_program_that_is_not_where_the_timer_looks_is_linked() -> None:
    host = HOST._replace(jobs=(JOB._replace(runs=False),))
    assert commands(planned(DONE, host=host, daily=(LINK, ENABLE))) == [f"SYSTEM {' '.join(LINK)}"]


def test_where_nothing_was_brought_for_a_timer_that_is_said() -> None:
    found = planned(DONE, host=HOST._replace(jobs=()))
    (step,) = found.steps
    assert (step.way, step.gives) == (Way.BY_HAND, "the daily run")
    assert "danebot files" in step.why


def test_what_only_looks_like_a_daily_run_is_none() -> None:
    host = HOST._replace(jobs=(JOB._replace(certain=False),))
    assert commands(planned(DONE, host=host, daily=(ENABLE,))) == [f"SYSTEM {' '.join(ENABLE)}"]


def test_a_timer_that_would_not_do_is_the_operators() -> None:
    facts = SetupFacts(HOST._replace(jobs=()), (DONE,), (), (TIMER,), (ENABLE,), "it is another's")
    first, _ = plan_setup(facts, NOTHING, NOW).steps
    assert (first.way, first.gives) == (Way.BY_HAND, "the daily run")
    assert first.why == "have danebot renew run daily: it is another's"


def test_timers_and_the_run_are_left_alone_on_request() -> None:
    wanted = Wanted(timers=False, renew=False)
    host = HOST._replace(jobs=(), last_run=None)
    assert planned(DONE, host=host, daily=(ENABLE,), rivals=(TIMER,), wanted=wanted) == SetupPlan(
        ()
    )


# ---- keys that published records refuse -----------------------------------------------------

UNSERVED = Reads("dovecot", "/etc/dovecot/dovecot.conf:3", combo=False)


@pytest.mark.parametrize(
    "one",
    [
        BARE._replace(published=(SMTP,), refusing=(SMTP,), readers=(UNSERVED,)),  # its own, former
        BARE._replace(refusing=(SMTP,)),  # another key's, or nobody knows whose
        DONE._replace(refusing=(SMTP,), hooks=(), readers=(UNSERVED,)),
    ],
)
def test_a_record_comes_before_a_service_that_would_be_refused(one: Candidate) -> None:
    """RFC 7671 section 8.1: published first, served when no cache lacks it."""
    found = planned(one, host=HOST._replace(last_run=None), mail=("postfix",))
    init = [f"DANEBOT init {MAIL}"] * (not one.managed)
    assert commands(found) == [*init, f"SHOW tlsa {MAIL}"]
    assert f"before any service has its key: senders refuse it by what {SMTP} has" in (
        found.steps[-1].why
    )


def test_nothing_is_reloaded_beside_a_lineage_that_would_be_refused() -> None:
    """One service may read both."""
    other = DONE._replace(name="other", readers=(UNSERVED,), hooks=())
    found = planned(other, DONE._replace(refusing=(SMTP,)))
    assert commands(found) == [f"SHOW tlsa {MAIL}"]


def test_another_host_s_records_stop_nobody_who_has_his_own() -> None:
    theirs = DnsName.parse("_25._tcp.theirs.example.org")
    assert planned(DONE._replace(refusing=(theirs,))) == SetupPlan(())
    found = planned(BARE._replace(refusing=(theirs,)), wanted=Wanted(owners=(SMTP,), hooks=()))
    assert commands(found) == [
        f"DANEBOT init {MAIL}",
        f"DANEBOT watch {MAIL} {SMTP}",
        f"SHOW tlsa {MAIL}",
    ]


# ---- several lineages, one service ----------------------------------------------------------

WEB = Candidate("www.example.org", "/live/www/combo.pem", managed=True, watched=(SMTP,), hooks=())


def test_the_hooks_are_tried_for_the_lineages_that_are_meant() -> None:
    web = WEB._replace(readers=(Reads("nginx", "x", combo=True),), hooks=())
    found = planned(DONE._replace(hooks=()), web, BARE._replace(name="z"), wanted=Wanted((MAIL,)))
    assert commands(found) == [f"DANEBOT deploy {MAIL}"]
    found = planned(DONE._replace(hooks=()), web)
    assert [(step.hooks, step.needs) for step in found.steps] == [
        (("@postfix",), (MAIL,)),
        (("@nginx",), (web.name,)),
    ]
    found = planned(DONE._replace(hooks=()), DONE._replace(name="z", hooks=()))
    assert commands(found) == [f"DANEBOT deploy {MAIL}"]


def test_a_mail_service_that_reads_a_lineage_is_not_told_to_read_another() -> None:
    assert planned(DONE, WEB, mail=("postfix",)) == SetupPlan(())
    named = planned(DONE, WEB, mail=("postfix",), wanted=Wanted((WEB.name,)))
    assert named == SetupPlan(())


def settings_of(found: SetupPlan) -> list[tuple[str, ...]]:
    return [words for step in found.steps for words in step.commands if words[:1] == ("postconf",)]


def postfix(at: str, *, alone: bool = True) -> Reads:
    return Reads("postfix", at, combo=False, alone=alone)


def test_what_one_setting_names_is_written_at_once() -> None:
    rsa = DONE._replace(readers=(postfix("/etc/postfix/main.cf:9"),))
    ecdsa = WEB._replace(readers=(postfix("/etc/postfix/main.cf:9"),), hooks=("@postfix",))
    found = planned(rsa, ecdsa)
    (step,) = found.steps
    assert step.needs == (MAIL, WEB.name)
    assert settings_of(found)[0][2] == f"smtpd_tls_chain_files={COMBO}, {WEB.combo}"
    left = planned(rsa, ecdsa._replace(managed=False), wanted=Wanted((MAIL,)))
    assert settings_of(left) == []  # the other's would be lost
    one_done = planned(DONE._replace(readers=(POSTFIX._replace(alone=True),)), ecdsa)
    assert settings_of(one_done)[0][2] == f"smtpd_tls_chain_files={COMBO}, {WEB.combo}"


@pytest.mark.parametrize("place", ["/etc/postfix/sni:1", "/etc/postfix/master.cf:40"])
def test_a_map_or_a_list_with_others_is_changed_by_hand_where_it_is(place: str) -> None:
    web = WEB._replace(readers=(postfix(place, alone=False),), hooks=("@postfix",))
    found = planned(DONE, web)
    (step,) = found.steps
    assert (step.way, step.commands) == (Way.BY_HAND, ())
    assert f"in {place}, {WEB.combo} in place of" in step.why


def test_of_two_that_nobody_reads_yet_the_last_does_not_win() -> None:
    two = [DONE._replace(readers=()), DONE._replace(name="z", combo="/z", readers=())]
    found = planned(*two, mail=("postfix",))
    assert settings_of(found) == []
    (step,) = found.steps
    assert f"read {COMBO}, /z" in step.why
