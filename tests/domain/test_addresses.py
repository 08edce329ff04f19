"""How far an address leads."""

from __future__ import annotations

import pytest

from danebot.domain.addresses import Reach, translated


@pytest.mark.parametrize(
    ("address", "reach"),
    [
        ("9.9.9.9", Reach.PUBLIC),
        ("2620:fe::fe", Reach.PUBLIC),
        ("10.1.2.3", Reach.PRIVATE),
        ("172.16.0.1", Reach.PRIVATE),
        ("192.168.0.1", Reach.PRIVATE),
        ("100.64.0.1", Reach.PRIVATE),
        ("192.0.0.192", Reach.PRIVATE),  # a cloud's metadata service, once
        ("::ffff:192.0.0.8", Reach.PRIVATE),
        ("3fff::1", Reach.PRIVATE),
        ("fd00::1", Reach.PRIVATE),
        ("fec0::1", Reach.PRIVATE),
        ("127.0.0.1", Reach.ANY),
        ("127.255.0.9", Reach.ANY),
        ("0.0.0.0", Reach.ANY),  # noqa: S104 - the kernel takes it for loopback
        ("169.254.169.254", Reach.ANY),
        ("224.0.0.1", Reach.ANY),
        ("255.255.255.255", Reach.ANY),
        ("::", Reach.ANY),
        ("::1", Reach.ANY),
        ("fe80::1", Reach.ANY),
        ("ff02::1", Reach.ANY),
        ("::ffff:127.0.0.1", Reach.ANY),
        ("::ffff:10.0.0.1", Reach.PRIVATE),
        ("::127.0.0.1", Reach.ANY),
        ("64:ff9b::7f00:1", Reach.ANY),
        ("64:ff9b::909:909", Reach.PUBLIC),
        ("2002:7f00:1::1", Reach.ANY),
        ("2002:a00:1::1", Reach.PRIVATE),
    ],
)
def test_reach(address: str, reach: Reach) -> None:
    order = [Reach.NONE, Reach.PUBLIC, Reach.PRIVATE, Reach.ANY]
    expected = [order.index(one) >= order.index(reach) for one in order]
    assert [one.includes(address) for one in order] == expected


@pytest.mark.parametrize(
    ("address", "stands_for"),
    [
        ("64:ff9b::909:909", "9.9.9.9"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2002:7f00:1::1", "127.0.0.1"),
        ("2620:FE:0::fe", "2620:fe::fe"),
        ("9.9.9.9", "9.9.9.9"),
    ],
)
def test_which_address_another_stands_for(address: str, stands_for: str) -> None:
    assert translated(address) == stands_for
