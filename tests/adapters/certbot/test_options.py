"""What is saved of a lineage, said on certbot's command line."""

from __future__ import annotations

import json
from pathlib import Path

from danebot.adapters.certbot.options import saved_options
from danebot.adapters.certbot.renewal_conf import RenewalConf


def options(*lines: str) -> tuple[str, ...]:
    text = "\n".join(
        ["version = 5.8.0", "renew_before_expiry = 30 days", "[renewalparams]", *lines]
    )
    return saved_options(
        RenewalConf.parse(Path("x.conf"), text), ["a.example", "b.example", "new.example"]
    )


def test_ca_account_challenge_and_hooks_are_said() -> None:
    assert options(
        "account = 0123",
        "server = https://ca.example/directory",
        "authenticator = dns-rfc2136",
        "dns_rfc2136_credentials = /etc/keys.ini",
        "pref_challs = dns-01,",
        "http01_port = 8080",
        "pre_hook = systemctl stop nginx",
        "renew_hook = '--odd'",
        "must_staple = True",
    ) == (
        "--account=0123",
        "--server=https://ca.example/directory",
        "--authenticator=dns-rfc2136",
        "--dns-rfc2136-credentials=/etc/keys.ini",
        "--preferred-challenges=dns-01",
        "--http-01-port=8080",
        "--pre-hook=systemctl stop nginx",
        "--deploy-hook=--odd",
        "--must-staple",
    )


def test_what_is_off_or_said_otherwise_is_not() -> None:
    assert (
        options(
            "installer = None",
            "must_staple = False",
            "key_type = rsa",
            "rsa_key_size = 2048",
            "elliptic_curve = secp256r1",
            "reuse_key = True",
            "config_dir = /etc/letsencrypt",
            "allow_subset_of_names = True",
            "manual_public_ip_logging_ok = True",
            "autorenew = False",
            "#server = https://old.example",
        )
        == ()
    )


def test_each_name_keeps_its_webroot_and_new_ones_get_the_last() -> None:
    found = options(
        "authenticator = webroot",
        "webroot_path = /srv/one, '/srv/t w o',",
        "[[webroot_map]]",
        "a.example = /srv/one",
        "b.example = '/srv/t w o'",
        "gone.example = /srv/one",
    )
    assert found[0] == "--authenticator=webroot"
    name, _, value = found[1].partition("=")
    assert name == "--webroot-map"
    assert json.loads(value) == {"a.example": "/srv/one", "b.example": "/srv/t w o"}
    assert found[2:] == ("--webroot-path=/srv/t w o",)
