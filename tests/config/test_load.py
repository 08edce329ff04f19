from __future__ import annotations

import grp
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from danebot.config import (
    EndpointSetting,
    Method,
    PublishSettings,
    ServerAddress,
    SocketAddress,
    load,
)
from danebot.config.values import parse_duration
from danebot.domain.addresses import parse_socket_address
from danebot.domain.lineage.key_types import KeyType
from danebot.domain.names import DnsName, Hostname, Protocol
from danebot.domain.rollover.evidence.policy import Policy
from danebot.errors import ConfigError

DAY = timedelta(days=1)
MX = Hostname("mx.example.org")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host's file system with the directories that settings are looked for in."""
    for directory in ("etc/danebot", "etc/default", "etc/defaults", "usr/local/etc"):
        (tmp_path / directory).mkdir(parents=True)
    return tmp_path


def config(root: Path, text: str) -> Path:
    path = root / "etc/danebot/danebot.toml"
    path.write_text(text, encoding="utf-8")
    return path


def defaults(root: Path, text: str, directory: str = "etc/default") -> Path:
    path = root / directory / "danebot"
    path.write_text(text, encoding="utf-8", newline="")
    return path


def problems(root: Path, text: str) -> list[str]:
    """The lines of the error, without the file's name."""
    path = config(root, text)
    with pytest.raises(ConfigError) as caught:
        load(root=root)
    lines = str(caught.value).split("\n")
    assert all(line.startswith(f"{path}:") for line in lines)
    return [line.removeprefix(f"{path}:") for line in lines]


# ---- where settings come from ---------------------------------------------------------------


def test_without_any_file_the_defaults_hold(root: Path) -> None:
    found = load(root=root)

    assert found.tree == root / "etc/letsencrypt"
    assert found.policy("any") == Policy()
    assert found.combo_access.mode == 0o600
    assert found.combo_access.group is None
    assert found.resolvers is None
    assert found.notices == ()
    assert {e.source for e in found.effective} == {"default"}


def test_a_file_that_is_named_must_be_there(root: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load(root / "other.toml", root=root)


def test_the_tree_is_found_as_the_shell_program_finds_it(root: Path) -> None:
    (root / "usr/local/etc/letsencrypt").mkdir()
    assert load(root=root).tree == root / "usr/local/etc/letsencrypt"

    config(root, 'config_dir = "/srv/le"')
    assert load(root=root).tree == Path("/srv/le")

    found = load(config_dir=Path("/other"), root=root)
    assert found.tree == Path("/other")
    assert str(found.effective[0]) == 'config_dir = "/other"  (--config-dir)'


def test_every_setting_can_be_set(root: Path) -> None:
    group = grp.getgrgid(os.getgid())
    path = config(
        root,
        f"""
        config_dir = "/srv/le"
        certbot = "/opt/certbot/bin/certbot"
        certbot_timeout = "20m"
        lock_wait = "90s"
        snapshot = "/run/danebot/status.json"
        textfile = "/run/danebot/danebot.prom"
        resolver = ["127.0.0.1", "[::1]:5353"]
        trust_resolver = true
        ca_file = "/etc/ssl/own.pem"
        combo_mode = "0640"
        combo_group = "{group.gr_name}"
        run_certbot_hooks = false
        hook_timeout = "1m"
        hooks = ["systemctl reload postfix"]
        probe = false
        key_type = "p384"
        min_wait = "3d"
        margin = "2h"
        unseen_ttl = "1w"
        backoff_first = "30m"
        backoff_max = "12h"
        staged_warning = "1w 3d"
        expiry_warning = 0.5
        expiry_critical = 0.25
        """,
    )

    found = load(root=root)

    assert found.tree == Path("/srv/le")
    assert found.certbot == Path("/opt/certbot/bin/certbot")
    assert found.certbot_timeout == timedelta(minutes=20)
    assert found.lock_wait == timedelta(seconds=90)
    assert found.snapshot == Path("/run/danebot/status.json")
    assert found.textfile == Path("/run/danebot/danebot.prom")
    assert found.state_directory == Path("/run/danebot")
    assert found.resolvers == (SocketAddress("127.0.0.1"), SocketAddress("::1", 5353))
    assert found.trust_resolver
    assert found.ca_file == Path("/etc/ssl/own.pem")
    assert found.combo_access.mode == 0o640
    assert found.combo_access.group == group.gr_gid
    assert not found.run_certbot_hooks
    assert found.hook_timeout == timedelta(minutes=1)
    assert found.hooks("any") == ("systemctl reload postfix",)
    assert not found.probe("any")
    assert found.policy("any") == Policy(
        min_wait=3 * DAY,
        margin=timedelta(hours=2),
        unseen_ttl=7 * DAY,
        key_type=KeyType.P384,
        backoff_first=timedelta(minutes=30),
        backoff_max=timedelta(hours=12),
        staged_warning=10 * DAY,
        expiry_warning=0.5,
        expiry_critical=0.25,
    )
    shown = {e.name: (e.value, e.source) for e in found.effective}
    assert shown["lock_wait"] == ('"90s"', f"{path}:5")
    assert shown["expiry_critical"] == ("0.25", f"{path}:25")


def test_a_lineage_overrides_what_holds_for_all_and_adds_hooks(root: Path) -> None:
    path = config(
        root,
        """
        min_wait = "3d"
        hooks = ["reload-all", "both"]
        [endpoints]
        "mx.example.org:25" = "192.0.2.1"
        [lineage."mail.example.org"]
        key_type = "rsa3072"
        hooks = ["both", "reload-one"]
        probe = false
        endpoints."MX.example.org:25" = ["192.0.2.2", "[2001:db8::1]:2525"]
        endpoints."mx.example.org:26" = { protocol = "smtp" }
        """,
    )

    found = load(root=root)
    mail, other = found.lineage("mail.example.org"), found.lineage("other")

    assert mail.policy == Policy(min_wait=3 * DAY, key_type=KeyType.RSA_3072)
    assert other.policy == Policy(min_wait=3 * DAY)
    assert mail.hooks == ("reload-all", "both", "reload-one")
    assert other.hooks == ("reload-all", "both")
    assert (mail.probe, other.probe) == (False, True)
    assert mail.endpoints == (
        EndpointSetting(MX, 25, (SocketAddress("192.0.2.2"), SocketAddress("2001:db8::1", 2525))),
        EndpointSetting(MX, 26, (), Protocol.SMTP),
    )
    assert found.endpoint("other", MX, 25) == EndpointSetting(MX, 25, (SocketAddress("192.0.2.1"),))
    assert found.endpoint("other", MX, 26) is None
    assert [str(e) for e in found.effective if e.name.endswith("key_type")] == [
        "key_type = unset  (default)",
        f'lineage."mail.example.org".key_type = "rsa3072"  ({path}:7)',
    ]


# ---- what is wrong, and where ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("min_wait = 2", '1: min_wait must say its unit: "2d" for days'),
        ('min_wait = "2"', "1: min_wait must be a duration"),
        ('min_wait = "-2d"', "1: min_wait must be a duration"),
        ('min_wait = "99999999d"', "1: min_wait must be a duration"),
        ('min_wait = "13w"', "1: min_wait must not be longer than 90 days"),
        ('margin = "91d"', "1: margin must not be longer than 90 days"),
        ("min_wait = true", "1: min_wait must be a duration"),
        ('certbot_timeout = "0s"', "1: certbot_timeout must be longer than zero"),
        ("expiry_warning = 20", "1: expiry_warning must be the fraction"),
        ("expiry_warning = nan", "1: expiry_warning must be the fraction"),
        ("expiry_critical = 0.3", "1: expiry_critical must not be more than expiry_warning"),
        ('backoff_max = "1m"', "1: backoff_max must not be shorter than backoff_first"),
        ("combo_mode = 0o640", "1: combo_mode must be octal digits in quotes"),
        ('combo_mode = "0660"', "1: combo_mode must be octal digits in quotes"),
        ('combo_mode = "0700"', "1: combo_mode must be octal digits in quotes"),
        ('combo_mode = "rw"', "1: combo_mode must be octal digits in quotes"),
        ('combo_group = "no such"', "1: combo_group must be the name of a group"),
        ('config_dir = "relative"', "1: config_dir must be an absolute path"),
        ('probe = "no"', '1: probe must be true or false, without quotes; found "no"'),
        ('hooks = "reload"', '1: hooks must be a list, ["reload"]; found "reload"'),
        ('hooks = [\n"a",\n""]', "3: hooks item 2 must not be empty"),
        ('resolver = "localhost"', "1: resolver must be an address"),
        ("resolver = []", "1: resolver must have an address"),
        ('resolver = "127.0.0.1:66000"', "1: resolver must be an address"),
        ('key_type = "rsa"', '1: key_type must be one of "current", "rsa2048"'),
        ("lineage = 1", "1: lineage must be a table, [lineage]; found the number 1"),
        ("[lineage]\nx = 1", "2: lineage.x must be a table"),
        ('endpoints."mx" = "::1"', "1: endpoints.mx must be named by host and port"),
        ('endpoints."mx:0" = "::1"', '1: endpoints."mx:0" must be named by host and port'),
        ('endpoints."mx:25" = []', '1: endpoints."mx:25" must have an address; to ask nobody'),
        ('[endpoints]\n"mx:25" = "::1"\n"MX:25" = "::1"', '3: endpoints."MX:25" is there twice'),
        ('endpoints."mx:25".protocol = "http"', '1: endpoints."mx:25".protocol must be one of'),
        ("mim_wait = 1", "1: mim_wait is not a setting of danebot; did you mean min_wait?"),
        ("TTL = 2", "1: TTL is not a setting of danebot; did you mean min_wait?"),
        ("zzz = 2", "1: zzz is not a setting of danebot; known here are: hooks, min_wait"),
        ("[lineage.x]\ncertbot = 1", "2: lineage.x.certbot is not a setting of danebot; it b"),
        ("a = 1\nb = \n", "2: not TOML: Invalid value"),
        ("a = 1\nb = [1,\n", "3: not TOML: Invalid value"),
        ("combo_mode = 0640", "1: not TOML: "),
        ("a = " + "[" * 5000, "1: not read, since it is nested too deeply"),
        ("a = 1\nb = " + "9" * 5000, "2: not read, since a number has too many digits"),
        (f"certificates_per_week = 0x{'f' * 5000}", "1: certificates_per_week must be a whole n"),
        (f"expiry_warning = 0x{'f' * 5000}", "1: expiry_warning must be the fraction"),
        ("a." * 3000 + "b = 1", "1: a is not a setting of danebot"),
        ('"\\u001b[31m" = 1', '1: "\\x1b[31m" is not a setting'),
    ],
)  # fmt: skip
def test_a_problem_is_named_with_its_line(root: Path, text: str, expected: str) -> None:
    (line,) = problems(root, text)

    assert line.startswith(expected)
    assert line.isprintable()


def test_every_item_of_a_list_is_told_with_its_line(root: Path) -> None:
    told = problems(root, 'hooks = [\n"",\n"a",\n1\n]')
    assert [line.split(";")[0] for line in told] == [
        "2: hooks item 1 must not be empty, nor have a NUL in it",
        "4: hooks item 3 must be a string, found the number 1",
    ]


def test_a_name_without_quotes_is_told_how_to_be_written(root: Path) -> None:
    (line,) = problems(root, "[lineage.mail.example.org]\nprobe = true")

    assert line == (
        "1: lineage.mail.example is not a setting of danebot; "
        'names with dots need quotes: [lineage."mail.example.org"]'
    )


def test_all_problems_are_told_at_once_in_the_order_of_the_file(root: Path) -> None:
    found = problems(root, "probe = 1\n\nmim_wait = 2\n[lineage.x]\nmargin = 3\n")

    assert [line.split(":")[0] for line in found] == ["1", "3", "5"]


def replace_by(path: Path, create: Callable[[Path], None]) -> None:
    path.unlink()
    create(path)


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda path: path.write_bytes(b"a = 1\nb = '\xff'\n"), ":2: not UTF-8 text"),
        (lambda path: path.write_bytes(b"#" * 2_000_000), "larger than any settings"),
        (lambda path: path.chmod(0o666), "anyone may write to it"),
        (lambda path: replace_by(path, Path.mkdir), "not a regular file"),
        (lambda path: replace_by(path, os.mkfifo), "not a regular file"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error(
    root: Path, damage: Callable[[Path], object], expected: str
) -> None:
    path = config(root, "")
    damage(path)

    with pytest.raises(ConfigError, match=expected) as caught:
        load(root=root)
    assert str(path) in str(caught.value)


# ---- the shell program's defaults file ------------------------------------------------------


def test_the_defaults_file_is_read_and_danebot_toml_wins(root: Path) -> None:
    path = defaults(
        root,
        "# settings\r\n"
        "KEYALG=ec\r\n"
        "KEYOPTS=(ec_paramgen_curve:P-384\r\n  ec_param_enc:named_curve)\r\n"
        "KEYMODE=0640\r\n"
        "TTL=3\r\n"
        "NS='127.0.0.1 ::1'\r\n"
        "export SSL_CERT_FILE=/etc/ssl/own.pem\r\n",
    )

    found = load(root=root)

    assert found.policy("any") == Policy(min_wait=3 * DAY, key_type=KeyType.P384)
    assert found.combo_access.mode == 0o640
    assert found.resolvers == (SocketAddress("127.0.0.1"), SocketAddress("::1"))
    assert found.ca_file == Path("/etc/ssl/own.pem")
    assert found.environment == {"SSL_CERT_FILE": "/etc/ssl/own.pem"}
    assert found.notices == ()
    assert {str(e) for e in found.effective} >= {
        f'min_wait = "3d"  ({path}:6)',
        f'combo_mode = "0640"  ({path}:5)',
        f'resolver = ["127.0.0.1", "::1"]  ({path}:7)',
    }

    toml = config(root, 'min_wait = "5d"\nkey_type = "current"\nresolver = "127.0.0.53"')
    found = load(root=root)

    assert found.policy("any") == Policy(min_wait=5 * DAY)
    assert found.resolvers == (SocketAddress("127.0.0.53"),)
    assert f'min_wait = "5d"  ({toml}:1)' in {str(e) for e in found.effective}


def test_later_defaults_files_override_earlier_ones(root: Path) -> None:
    defaults(root, "TTL=3\nKEYMODE=0640\n")
    defaults(root, "TTL=4\n", "usr/local/etc")
    defaults(root, "TTL=5\n", "etc/defaults")

    found = load(root=root)

    assert found.policy("any").min_wait == 4 * DAY
    assert found.combo_access.mode == 0o640


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("KEYALG=rsa\nKEYOPTS=(rsa_keygen_bits:2048)\n", KeyType.RSA_2048),
        ('KEYALG="RSA"\n', KeyType.RSA_2048),
        ("KEYOPTS=(rsa_keygen_bits:3072)\n", KeyType.RSA_3072),
        ("KEYALG=rsa KEYOPTS='rsa_keygen_bits:4096'\n", KeyType.RSA_4096),
        ("KEYALG=ec\n", KeyType.P256),
        ("KEYALG=EC\nKEYOPTS=(ec_paramgen_curve:prime256v1)\n", KeyType.P256),
        ("KEYALG=ec\nKEYOPTS=(ec_paramgen_curve:secp384r1)\n", KeyType.P384),
        ("", None),
        ("TTL=2\n", None),
    ],
)
def test_the_key_type_follows_from_algorithm_and_options(
    root: Path, text: str, expected: KeyType | None
) -> None:
    defaults(root, text)

    found = load(root=root)

    assert found.policy("any").key_type is expected
    assert found.notices == ()


@pytest.mark.parametrize("ttl", ["36h", "'1d12h'", "2160m", "129600s", '"1d 12h"'])
def test_the_wait_takes_the_units_of_find(root: Path, ttl: str) -> None:
    defaults(root, f"TTL={ttl}\n")

    assert load(root=root).policy("any").min_wait == timedelta(hours=36)


def test_the_wait_is_no_longer_than_danebot_remembers(root: Path) -> None:
    """The shell program took any; not to read it would shorten the wait to two days."""
    defaults(root, "TTL=120\n")
    assert load(root=root).policy("any").min_wait == timedelta(days=90)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("KEYALG=ed25519\n", ":1: not read: KEYALG=ed25519 KEYOPTS=() (not one of rsa2048"),
        (
            "KEYALG=ec\nKEYOPTS=(rsa_keygen_bits:2048)\n",
            ":1: not read: KEYALG=ec KEYOPTS=(rsa_keygen_bits:2048) (not one of",
        ),
        ("KEYOPTS=(ec_paramgen_curve:P-521)\n", ":1: not read: KEYALG=rsa"),
        ("KEYMODE=u=rw\n", ":1: not read: KEYMODE=u=rw (want octal digits"),
        ("TTL=soon\n", ":1: not read: TTL=soon (want days"),
        ("TTL=2.5\n", ":1: not read: TTL=2.5 (want days"),
        ("NS=ns.example.org\n", ":1: not read: NS=ns.example.org (want addresses"),
        ("SSL_CERT_FILE=/x\n", ":1: not read: SSL_CERT_FILE=/x (without export"),
        ("export SSL_CERT_FILE=x\n", ":1: not read: SSL_CERT_FILE=x (want an absolute path"),
        ("\nOTHER=1\n", ":2: not read: OTHER (not a setting of danebot)"),
        ("TTL+=1\n", ":1: not read: TTL (its value is unset, or would"),
        ("\n\nTTL=$(cat /etc/passwd)\n", ":3: not read: TTL (its value is unset, or would"),
        ("if true; then\n  TTL=5\nfi\n", ":1: not read: if true; then (it would have to be run)"),
        ("exit\nTTL=5\n", ":1: not read: exit (it would have to be run, and so would all"),
        ("KEYMODE=0644\n", ":1: every user of this host may read the private keys"),
        ("\x1b[31m\n", ":1: not read: \\x1b[31m (it would"),
    ],
)
def test_what_is_not_read_is_told_and_stops_nothing(root: Path, text: str, expected: str) -> None:
    path = defaults(root, text)

    found = load(root=root)

    (notice,) = found.notices
    assert notice.startswith(f"{path}{expected}")
    assert notice.isprintable()
    assert found.policy("any") == Policy()


def test_a_value_that_cannot_be_told_takes_back_the_one_before(root: Path) -> None:
    defaults(root, "TTL=5\nKEYALG=ec\n")
    defaults(root, "TTL=$SOMETHING\nunset KEYALG\n", "etc/defaults")

    found = load(root=root)

    assert found.policy("any") == Policy()
    assert len(found.notices) == 2


def test_an_unreadable_defaults_file_is_told_and_stops_nothing(root: Path) -> None:
    (root / "etc/default/danebot").write_bytes(b"TTL=5\nX=\xff\n")
    (root / "etc/defaults/danebot").mkdir()

    found = load(root=root)

    assert [notice.split(": ")[1] for notice in found.notices] == [
        "not UTF-8 text; save the file as UTF-8",
        "not read, since it is not a regular file",
    ]


_spying: list[str] | None = None


def _spy(event: str, args: object) -> None:  # noqa: ARG001 - the interpreter's signature
    if _spying is not None and event.startswith(
        ("subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "compile", "exec")
    ):
        _spying.append(event)


@contextmanager
def watch_for_execution() -> Iterator[list[str]]:
    """Collect every attempt of this process to run anything."""
    global _spying  # noqa: PLW0603 - an audit hook can't be taken off
    if _spying is None:
        sys.addaudithook(_spy)
    found: list[str] = []
    _spying = found
    yield found
    _spying = []


HOSTILE = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.sampled_from(
            ["TTL=", "KEYALG=", "KEYOPTS=(", ")", "$(touch x)", "`touch x`", "'", '"', "\n", " ",
            "NS=", "KEYMODE=", "export ", "SSL_CERT_FILE=/", "9", "d", "::1", ";", "rsa", "\\",
            "ec_paramgen_curve:", "P-256", "rsa_keygen_bits:", "1" * 400, "\r\n", "\0", "٣"]
        ),
        max_size=12,
    ).map("".join),
)  # fmt: skip


@given(text=HOSTILE)
def test_no_defaults_file_is_an_error_or_is_run(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.getbasetemp() / "hostile"
    (root / "etc/default").mkdir(parents=True, exist_ok=True)
    (root / "etc/default/danebot").write_bytes(text.encode("utf-8", "surrogatepass"))
    load(root=root)  # imports are done

    with watch_for_execution() as executed:
        found = load(root=root)

    assert executed == []
    assert all(notice.isprintable() for notice in found.notices)


# ---- values ---------------------------------------------------------------------------------


@given(st.integers(min_value=0, max_value=3650 * 86400))
def test_a_duration_is_the_sum_of_its_parts(seconds: int) -> None:
    minutes, rest = divmod(seconds, 60)

    assert parse_duration(f"{minutes}m{rest}s") == timedelta(seconds=seconds)


@given(st.ip_addresses(), st.integers(min_value=1, max_value=65535))
def test_addresses_are_read_back_as_they_are_shown(address: object, port: int) -> None:
    for expected in (SocketAddress(str(address)), SocketAddress(str(address), port)):
        assert parse_socket_address(str(expected)) == expected


@pytest.mark.parametrize("text", ["", "a", "[::1", "[::1]x", "1.2.3.4:", "1.2.3.4:x", "::1:g"])
def test_what_is_no_address_is_not_taken_for_one(text: str) -> None:
    assert parse_socket_address(text) is None


def test_a_new_key_of_another_type_than_the_current_one_is_explained(root: Path) -> None:
    path = defaults(root, "KEYALG=rsa\nKEYOPTS=(rsa_keygen_bits:2048)\n")
    found = load(root=root)

    notice = found.key_type_notice("mail.example.org", KeyType.P256)

    assert f"the new key is rsa2048, as {path}:1 says; the current key is p256" in notice
    assert found.key_type_notice("mail.example.org", KeyType.RSA_2048) == ""
    assert load(root=root / "nowhere").key_type_notice("mail.example.org", None) == ""


# ---- publication ------------------------------------------------------------------------------


def test_publication_is_by_hand_unless_told(root: Path) -> None:
    found = load(root=root).publish("any")
    assert found == PublishSettings()
    assert not found.in_renew


def test_how_records_are_published(root: Path) -> None:
    config(
        root,
        """
        [publish]
        method = "rfc2136"
        key_file = "/etc/danebot/tsig.key"
        server = "NS1.Example.Org:5353"
        ttl = "10m"
        [lineage."a.example.org".publish]
        server = "[2001:db8::53]"
        zone = "example.org."
        automatic = false
        [lineage."b.example.org".publish]
        method = "exec"
        command = "publish-at-provider"
        timeout = "5m"
        wait = "0s"
        [lineage."c.example.org".publish]
        method = "manual"
        """,
    )
    settings = load(root=root)

    common = settings.publish("any")
    assert common.method is Method.RFC2136
    assert common.server == ServerAddress("ns1.example.org", 5353)
    assert common.ttl == timedelta(minutes=10)
    assert common.in_renew
    first = settings.publish("a.example.org")
    assert first == common._replace(
        server=ServerAddress("2001:db8::53"), zone=DnsName("example.org"), automatic=False
    )
    assert not first.in_renew
    second = settings.publish("b.example.org")
    assert (second.method, second.command) == (Method.EXEC, "publish-at-provider")
    assert (second.timeout, second.wait) == (timedelta(minutes=5), timedelta(0))
    assert not settings.publish("c.example.org").in_renew
    assert str(ServerAddress("2001:db8::53", 5353)) == "[2001:db8::53]:5353"
    assert str(ServerAddress("ns1.example.org")) == "ns1.example.org"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('method = "rfc2136"', '2: publish.method is "rfc2136", which needs key_file'),
        ('method = "exec"', '2: publish.method is "exec", which needs command'),
        ('method = "axfr"', '2: publish.method must be one of "manual", "rfc2136", "exec"'),
        ('server = "ns1.example.org:x"', "2: publish.server must be a server's address or name"),
        ("server = 53", "2: publish.server must be a server's address or name"),
        ('zone = "a..b"', "2: publish.zone must be a DNS name"),
        ('ttl = "0s"', "2: publish.ttl must be at least a second"),
        ('timeout = "0s"', "2: publish.timeout must be longer than zero"),
        ('key_file = "tsig.key"', "2: publish.key_file must be an absolute path"),
        ("automatic = 1", "2: publish.automatic must be true or false"),
        (
            'keyfile = "/k"',
            "2: publish.keyfile is not a setting of danebot; did you mean key_file?",
        ),
    ],
)
def test_mistakes_in_publication(root: Path, text: str, problem: str) -> None:
    (line,) = problems(root, f"[publish]\n{text}\n")
    assert line.startswith(problem)


def test_a_lineage_without_the_key_that_its_method_needs(root: Path) -> None:
    text = '[publish]\n[lineage."a.example.org".publish]\nmethod = "rfc2136"\n'
    (line,) = problems(root, text)
    assert line.startswith('3: lineage."a.example.org".publish.method is "rfc2136"')
