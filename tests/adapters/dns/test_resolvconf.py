"""resolv.conf as data."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from danebot.adapters.dns.resolvconf import (
    AdTrust,
    Nameserver,
    ResolverConfig,
    load_resolv_conf,
    parse_resolv_conf,
)


def test_nothing_configured_means_the_local_resolver(tmp_path: Path) -> None:
    assert load_resolv_conf(tmp_path / "absent") == ResolverConfig()
    assert parse_resolv_conf("# nothing\n") == ResolverConfig()
    assert ResolverConfig().nameservers == (Nameserver("127.0.0.1"),)


def test_everything_that_counts_is_read(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text(
        "; made by hand\n"
        "search example.test\n"
        "nameserver 192.0.2.1\n"
        "nameserver\tfe80::1%eth0\r\n"
        "options edns0 trust-ad\n"
        "options timeout:3 attempts:4\n"
    )
    assert load_resolv_conf(path) == ResolverConfig(
        nameservers=(Nameserver("192.0.2.1"), Nameserver("fe80::1%eth0")),
        trust=AdTrust.DECLARED,
        timeout=timedelta(seconds=3),
        attempts=4,
    )


def test_what_the_c_library_ignores_is_ignored() -> None:
    text = (
        "nameserver ns1.example.test\n#nameserver 192.0.2.7\n nameserver 192.0.2.1\nnameserver\n"
        + "".join(f"nameserver 192.0.2.{n}\n" for n in range(2, 9))
    )
    assert [n.address for n in parse_resolv_conf(text).nameservers] == [
        "192.0.2.1",
        "192.0.2.2",
        "192.0.2.3",
    ]


@pytest.mark.parametrize(
    ("options", "timeout", "attempts"),
    [
        ("timeout:0 attempts:0", 1, 1),
        ("timeout:999 attempts:99", 30, 5),
        ("timeout:x attempts:-1", 5, 2),
        ("timeout:7 timeout:8", 8, 2),
        (f"timeout:{'9' * 5000}", 30, 2),
        ("timeout:٣", 5, 2),
    ],
)
def test_limits_are_the_c_librarys(options: str, timeout: int, attempts: int) -> None:
    config = parse_resolv_conf(f"options {options}\n")
    assert (config.timeout, config.attempts) == (timedelta(seconds=timeout), attempts)


def test_a_file_of_anything_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_bytes(bytes(range(256)))
    assert load_resolv_conf(path) == ResolverConfig()
    assert load_resolv_conf(tmp_path) == ResolverConfig()


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.53", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::1%lo", True),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - only looked at
        ("fe80::1%lo", False),
    ],
)
def test_loopback_is_known(address: str, *, loopback: bool) -> None:
    assert Nameserver(address).is_loopback is loopback
