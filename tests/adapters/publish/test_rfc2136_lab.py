"""DNS UPDATE against the real primary, with other people at work on the same RRset."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.update
import pytest

from adapters.relay import interposed
from danebot.adapters.dns.resolvconf import load_resolv_conf
from danebot.adapters.publish.rfc2136 import Updater
from danebot.config import ServerAddress
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.change_outcomes import ChangeOutcome
from danebot.domain.rollover.records.changes import Change
from lab.lab import Lab

pytestmark = pytest.mark.lab
NAME = DnsName("_25._tcp.mail.example.test")
OWNER = f"{NAME}."
ZONE = DnsName("example.test")
LIVE, OLD, NEW = (TlsaRecord(3, 1, 1, bytes((n,)) * 32) for n in (1, 2, 3))
OTHERS = [TlsaRecord(3, 1, 1, bytes((n,)) * 32) for n in range(0x80, 0x86)]
LONG = timedelta(seconds=30)


def change(*, add: tuple[TlsaRecord, ...] = (), remove: tuple[TlsaRecord, ...] = ()) -> Change:
    return Change("mail", (NAME,), NAME, ZONE, add=add, remove=remove, needs=(LIVE,))


@pytest.fixture
def key_file(lab: Lab, tmp_path: Path) -> Path:
    lab.reset()
    path = tmp_path / "tsig.key"
    path.touch(0o600)
    path.write_text(
        f'key "{lab.tsig_name}" {{ algorithm {lab.tsig_algorithm}; secret "{lab.tsig_secret}"; }};'
    )
    return path


@pytest.fixture
def updater(lab: Lab, key_file: Path) -> Updater:
    return Updater(load_resolv_conf(lab.resolv_conf), key_file, LONG)


def there(lab: Lab) -> set[str]:
    return lab.tlsa_at(lab.ns1, OWNER)


def texts(*records: TlsaRecord) -> set[str]:
    return set(map(str, records))


# ---- somebody else at work --------------------------------------------------------------------


class Outsider:
    """Another program with the right to update, that asks nobody."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._key = dns.tsigkeyring.from_text(
            {lab.tsig_name: (lab.tsig_algorithm, lab.tsig_secret)}
        )

    def __call__(
        self, *, add: tuple[TlsaRecord, ...] = (), delete: tuple[TlsaRecord, ...] = ()
    ) -> None:
        update = dns.update.UpdateMessage("example.test.", keyring=self._key)
        for record in delete:
            update.delete(OWNER.removesuffix(".example.test."), "TLSA", str(record))
        for record in add:
            update.add(OWNER.removesuffix(".example.test."), 5, "TLSA", str(record))
        reply = dns.query.tcp(update, self._lab.ns1, timeout=120)
        assert reply.rcode() == dns.rcode.NOERROR


def through(updater: Updater, server: ServerAddress) -> Updater:
    return Updater(updater.config, updater.key_file, LONG, server)


def once(action: Callable[[], None]) -> Callable[[], None]:
    """Only the first time."""
    left = [action]
    return lambda: left.pop()() if left else None


def test_a_record_that_somebody_adds_meanwhile_stays(lab: Lab, updater: Updater) -> None:
    lab.tlsa_set(OWNER, str(LIVE), str(OLD))
    outside = Outsider(lab)
    with interposed(lab, once(lambda: outside(add=(OTHERS[0],)))) as server:
        done = through(updater, server).publish(change(add=(NEW,), remove=(OLD,)))
    assert done.outcome is ChangeOutcome.DONE
    assert there(lab) == texts(LIVE, NEW, OTHERS[0])


def test_the_last_record_is_not_removed_when_somebody_removes_the_other_meanwhile(
    lab: Lab, updater: Updater
) -> None:
    """Each of the two removals is right alone; together they would leave a wrong record alone."""
    lab.tlsa_set(OWNER, str(LIVE), str(OLD), str(OTHERS[0]))
    outside = Outsider(lab)
    with interposed(lab, once(lambda: outside(delete=(LIVE,)))) as server:
        done = through(updater, server).publish(change(remove=(OLD,)))
    assert done.outcome is ChangeOutcome.UNSAFE
    assert "nothing was removed" in done.text
    assert there(lab) == texts(OLD, OTHERS[0])


def test_an_rrset_that_appears_meanwhile_keeps_its_ttl(lab: Lab, updater: Updater) -> None:
    outside = Outsider(lab)
    lab._owners.add(("example.test.", OWNER))
    with interposed(lab, once(lambda: outside(add=(OTHERS[0],)))) as server:
        done = through(updater, server).publish(change(add=(NEW,)))
    assert done.outcome is ChangeOutcome.DONE
    assert there(lab) == texts(NEW, OTHERS[0])
    reply = dns.query.tcp(dns.message.make_query(OWNER, "TLSA"), lab.ns1, timeout=120)
    assert reply.answer[0].ttl == 5


def test_somebody_who_never_stops_is_given_up_on(lab: Lab, updater: Updater) -> None:
    lab.tlsa_set(OWNER, str(LIVE))
    outside = Outsider(lab)
    flips = [0]

    def flip() -> None:
        flips[0] += 1
        which = {"add": (OTHERS[0],)} if flips[0] % 2 else {"delete": (OTHERS[0],)}
        outside(**which)

    with interposed(lab, flip) as server:
        done = through(updater, server).publish(change(add=(NEW,)))
    assert done.outcome is ChangeOutcome.CONFLICT
    assert 5 <= flips[0] <= 20
    assert str(NEW) not in there(lab)
    assert "somebody else changed the RRset at each attempt" in done.text


def test_many_rounds_of_somebody_elses_changes_in_between(lab: Lab, updater: Updater) -> None:
    """Whatever is done between the look and the update: both sides' records are as each wants."""
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    outside = Outsider(lab)
    lab.tlsa_set(OWNER, str(LIVE))
    theirs: set[TlsaRecord] = set()
    ours = {LIVE}
    acts: list[Callable[[], None]] = []

    def act() -> None:
        if acts:
            acts.pop()()

    def plan() -> Callable[[], None]:
        add = {r for r in OTHERS if chance.random() < 0.3}
        delete = {r for r in OTHERS if chance.random() < 0.3} - add
        theirs.update(add)
        theirs.difference_update(delete)
        return lambda: outside(add=tuple(add), delete=tuple(delete))

    with interposed(lab, act) as server:
        publisher = through(updater, server)
        for _ in range(60):
            planned = [plan() for _ in range(chance.randrange(3))]
            acts.extend(reversed(planned))
            wanted = {r for r in (OLD, NEW) if chance.random() < 0.5}
            add = tuple(wanted - ours)
            remove = tuple({OLD, NEW} & ours - wanted)
            done = publisher.publish(change(add=add, remove=remove))
            while acts:  # those that no update came after
                acts.pop()()
            expected = ChangeOutcome.DONE if add or remove else ChangeOutcome.UNCHANGED
            assert done.outcome is expected, seed
            ours = {LIVE, *wanted}
            assert there(lab) == texts(*ours, *theirs), seed


Turn = Callable[[bool], bool]
"""Has a record published (True) or removed; whether that was done."""


def danebot(updater: Updater, record: TlsaRecord) -> Turn:
    def turn(wanted: bool) -> bool:  # noqa: FBT001 - a test's own
        mine = change(add=(record,)) if wanted else change(remove=(record,))
        done = updater.publish(mine)
        assert done.outcome in {ChangeOutcome.DONE, ChangeOutcome.CONFLICT}, done
        return done.outcome is ChangeOutcome.DONE

    return turn


def other(outside: Outsider, record: TlsaRecord) -> Turn:
    def turn(wanted: bool) -> bool:  # noqa: FBT001 - a test's own
        outside(**{"add" if wanted else "delete": (record,)})
        time.sleep(0.08)
        return True

    return turn


@dataclass
class Worker:
    """Publishes and removes one record, and sees each time that it is so.

    Goes on until all have done their turns.
    """

    lab: Lab
    record: TlsaRecord
    turn: Turn
    turns: int
    present: bool = False
    done: int = 0
    error: str = ""

    def run(self, workers: Sequence[Worker]) -> None:
        try:
            while any(one.done < one.turns and not one.error for one in workers):
                if self.turn(not self.present):
                    self.present = not self.present
                    self.done += 1
                seen = there(self.lab)
                assert (str(self.record) in seen) is self.present, self
                assert str(LIVE) in seen
        except BaseException as exc:  # noqa: BLE001 - shown by the main thread
            self.error = repr(exc)


def test_several_at_once_and_nothing_is_lost(lab: Lab, updater: Updater) -> None:
    """Two danebots and two others on one RRset, as fast as they can, until each had its turns."""
    lab.tlsa_set(OWNER, str(LIVE))
    mine = [Worker(lab, record, danebot(updater, record), 5) for record in (OLD, NEW)]
    theirs = [Worker(lab, record, other(Outsider(lab), record), 15) for record in OTHERS[:2]]
    workers = (*mine, *theirs)
    threads = [threading.Thread(target=one.run, args=(workers,)) for one in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    assert [one.error for one in workers] == [""] * 4
    assert there(lab) == texts(LIVE, *(one.record for one in workers if one.present))
    assert all(one.done >= one.turns for one in workers)


# ---- where it goes, and why it may not --------------------------------------------------------


def test_server_and_zone_come_from_the_soa_record(lab: Lab, updater: Updater) -> None:
    lab._owners.add(("example.test.", OWNER))
    blank = replace(change(add=(NEW,)), zone=None)
    done = updater.publish(blank)
    assert (done.outcome, done.server) == (ChangeOutcome.DONE, "ns1.example.test")
    assert there(lab) == texts(NEW)
    assert updater.publish(blank).outcome is ChangeOutcome.UNCHANGED


def test_a_ttl_is_kept_or_set(lab: Lab, updater: Updater) -> None:
    def ttl() -> int:
        query = dns.message.make_query(OWNER, "TLSA")
        return dns.query.tcp(query, lab.ns1, timeout=120).answer[0].ttl

    lab.tlsa_set(OWNER, str(LIVE), ttl=77)
    assert updater.publish(change(add=(NEW,))).outcome is ChangeOutcome.DONE
    assert ttl() == 77
    lower = replace(change(add=(OLD,)), ttl=timedelta(seconds=30))
    assert updater.publish(lower).outcome is ChangeOutcome.DONE
    assert ttl() == 30
    lab.tlsa_del(OWNER)
    assert updater.publish(change(add=(NEW,))).outcome is ChangeOutcome.DONE
    assert ttl() == 3600


def keyed(updater: Updater, name: str, secret: str) -> Updater:
    path = updater.key_file.with_name("other.key")
    path.touch(0o600)
    path.write_text(f'key "{name}" {{ algorithm hmac-sha256; secret "{secret}"; }};')
    return replace(updater, key_file=path)


def refused(updater: Updater) -> tuple[ChangeOutcome, str]:
    done = updater.publish(change(add=(NEW,)))
    return done.outcome, done.text


def test_wrong_keys(lab: Lab, updater: Updater, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong_name = keyed(updater, "nobody.", lab.tsig_secret)
    outcome, text = refused(wrong_name)  # Knot 3.4 says NOTAUTH alone, without a TSIG record
    assert outcome in {ChangeOutcome.BAD_KEY, ChangeOutcome.BAD_SIGNATURE}
    assert "accept" in text
    wrong_secret = keyed(updater, lab.tsig_name, "d3Jvbmcgd3Jvbmcgd3Jvbmc=")
    outcome, text = refused(wrong_secret)
    assert outcome is ChangeOutcome.BAD_KEY
    assert "doesn't accept the TSIG key" in text
    clock = time.time
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: clock() - 4000)  # TSIG's own; nothing else counts
        outcome, text = refused(updater)
    assert outcome is ChangeOutcome.BAD_TIME
    assert "clocks" in text
    assert there(lab) == set()


def test_wrong_places(lab: Lab, updater: Updater) -> None:
    assert refused(replace(updater, zone=DnsName("nosuch.test")))[0] is ChangeOutcome.NO_ZONE
    primary = ServerAddress(lab.ns1)
    there_not = replace(updater, zone=DnsName("nosuch.test"), server=primary)
    outcome, text = refused(there_not)
    assert outcome is ChangeOutcome.NOT_AUTHORITATIVE
    assert "NOTAUTH" in text
    other_zone = replace(updater, zone=DnsName("insecure.test"), server=primary)
    assert refused(other_zone)[0] is ChangeOutcome.NOT_AUTHORITATIVE
    nobody = replace(updater, server=ServerAddress("nobody.example.test"))
    outcome, text = refused(nobody)
    assert outcome is ChangeOutcome.NO_SERVER
    assert "nobody.example.test has no address" in text


def test_a_primary_that_is_down_or_hangs(lab: Lab, updater: Updater) -> None:
    lab.stop("primary")
    outcome, text = refused(updater)
    assert outcome is ChangeOutcome.UNREACHABLE
    assert "Connection refused" in text
    lab.start("primary")
    lab.pause("primary")
    began = time.monotonic()
    outcome, text = refused(replace(updater, timeout=timedelta(seconds=1)))
    assert outcome is ChangeOutcome.UNREACHABLE
    assert "timed out" in text
    assert time.monotonic() - began < 30
    lab.resume("primary")
    assert updater.publish(change(add=(NEW,))).outcome is ChangeOutcome.DONE
    lab._owners.add(("example.test.", OWNER))
