"""Names that come and go, and what danebot's own two files say afterwards."""

from __future__ import annotations

import ipaddress

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from danebot.domain.dns.tlsa import MatchingType, Required
from danebot.domain.lineage.pem import other_names
from danebot.domain.lineage.renaming import Wish, parse_name, renaming
from danebot.domain.names import DnsName, covers
from danebot.errors import NameChangeError, NameSyntaxError
from domain.pki import issue


def name(text: str) -> DnsName:
    return DnsName.parse(text)


def every(*texts: str) -> frozenset[DnsName]:
    return frozenset(map(name, texts))


def line(owner: str) -> Required:
    return Required(MatchingType.SHA2_256, name(owner))


NOW = every("a.example", "b.example", "*.c.example")


def test_added_removed_and_set() -> None:
    change = renaming(NOW, Wish((name("d.example"),), (name("b.example"),)))
    assert change.after == every("a.example", "d.example", "*.c.example")
    assert (change.added, change.removed) == ((name("d.example"),), (name("b.example"),))
    assert renaming(NOW, Wish(exactly=(name("d.example"),))).after == every("d.example")


def test_a_wish_is_for_anything_at_all() -> None:
    one = (name("a.example"),)
    assert all((Wish(add=one), Wish(remove=one), Wish(exactly=one)))
    assert not Wish()


def test_the_rest_goes_where_all_names_are_given() -> None:
    change = renaming(NOW, Wish(exactly=(name("a.example"), name("d.example"))))
    assert change.added == (name("a.example"), name("d.example"))
    assert change.removed == (name("*.c.example"), name("b.example"))
    assert change.new_names([name("d.example")]) == (name("a.example"),)


def test_lines_go_with_the_name_that_covered_them() -> None:
    change = renaming(NOW, Wish(remove=(name("b.example"), name("*.c.example"))))
    gone = [line("_25._tcp.b.example"), line("_465._tcp.mx.c.example")]
    kept = [line("_25._tcp.a.example"), line("_25._tcp.elsewhere"), line("odd.b.example")]
    assert change.dropped_owners([*gone, *kept]) == tuple(gone)
    wanted = [name("a.example"), name("b.example"), name("never.there")]
    assert change.dropped_names(wanted) == (name("b.example"),)


def test_lines_stay_where_a_wildcard_still_covers_the_name() -> None:
    now = every("mx.c.example", "*.c.example")
    change = renaming(now, Wish(remove=(name("mx.c.example"),)))
    assert change.dropped_owners([line("_25._tcp.mx.c.example")]) == ()
    assert change.dropped_names([name("mx.c.example")]) == ()


def test_what_an_interrupted_change_left_is_completed() -> None:
    """The certificate has changed, but the files haven't."""
    after = every("a.example", "d.example")
    wish = Wish((name("d.example"),), (name("b.example"),))
    change = renaming(after, wish)
    assert change.before == change.after
    assert change.removed == (name("b.example"),)
    assert change.new_names([name("a.example")]) == (name("d.example"),)
    assert change.dropped_owners([line("_25._tcp.b.example")]) == (line("_25._tcp.b.example"),)


def test_what_is_as_wished_already_changes_nothing() -> None:
    present = name("a.example")
    for wish in (Wish(add=(present,)), Wish(remove=(name("x.example"),)), Wish(exactly=tuple(NOW))):
        change = renaming(NOW, wish)
        assert change.before == change.after == NOW
        assert change.dropped_owners([line(f"_25._tcp.{present}")]) == ()


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (Wish(remove=tuple(NOW)), "the last one can't be removed"),
        (Wish((name("x.example"),), (name("x.example"),)), "is to be added and removed"),
    ],
)
def test_a_change_that_cannot_be_meant(wish: Wish, words: str) -> None:
    with pytest.raises(NameChangeError, match=words):
        renaming(NOW, wish)


@pytest.mark.parametrize("text", ["", "a b.example", "_x.example", "a.*.example", "host", "::1"])
def test_what_no_certificate_has(text: str) -> None:
    with pytest.raises(NameSyntaxError):
        parse_name(text)


def test_names_are_normalised() -> None:
    assert parse_name("*.MX.Example.") == name("*.mx.example")
    assert parse_name("bücher.example").text == "xn--bcher-kva.example"


def test_names_that_certonly_would_lose() -> None:
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("192.0.2.1"))])
    assert other_names(issue("mail.example", extra=[(address, False)]).der)
    assert not other_names(issue("mail.example", names=["mail.example"]).der)
    assert not other_names(issue("mail.example").der)


_names = st.frozensets(
    st.sampled_from(["a.x", "b.x", "*.x", "a.b.x", "*.b.x", "c.y"]).map(DnsName), min_size=1
)


@given(before=_names, after=_names, lines=_names)
def test_no_line_is_lost_for_a_host_that_the_certificate_still_covers(
    before: frozenset[DnsName], after: frozenset[DnsName], lines: frozenset[DnsName]
) -> None:
    change = renaming(before, Wish(exactly=tuple(after)))
    dropped = set(change.dropped_names(lines))
    assert dropped == {one for one in lines if covers(before, one) and not covers(after, one)}
