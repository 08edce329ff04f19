"""certbot's configuration is edited by line, and nothing of it is ever lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from danebot.adapters.certbot.renewal_conf import PARAMETERS, PATH_SETTINGS, RenewalConf
from danebot.errors import TreeError

PATH = Path("/etc/letsencrypt/renewal/mail.example.test.conf")
REAL = """\
# renew_before_expiry = 30 days
version = 5.8.0
archive_dir = /etc/letsencrypt/archive/mail.example.test
cert = /etc/letsencrypt/live/mail.example.test/cert.pem
privkey = "/etc/letsencrypt/live/mail.example.test/privkey.pem"
chain = '/etc/letsencrypt/live/mail.example.test/chain.pem'
fullchain = /etc/letsencrypt/live/mail.example.test/fullchain.pem

# Options used in the renewal process
[renewalparams]
account = 00112233445566778899aabbccddeeff
key_type = ecdsa
server = https://acme-v02.api.letsencrypt.org/directory
authenticator = webroot
webroot_path = /var/www,
[[webroot_map]]
mail.example.test = /var/www
key_type = not this one
[acme_renewal_info]
ari_retry_after = 2026-01-01T00:00:00
"""


def parse(text: str) -> RenewalConf:
    return RenewalConf.parse(PATH, text)


def test_settings_by_section() -> None:
    conf = parse(REAL)
    assert conf.top("version") == "5.8.0"
    assert conf.top("privkey") == "/etc/letsencrypt/live/mail.example.test/privkey.pem"
    assert conf.top("chain") == "/etc/letsencrypt/live/mail.example.test/chain.pem"
    assert conf.top("renew_before_expiry") == ""
    assert conf.parameter("key_type") == "ecdsa"
    assert conf.parameter("version") == ""
    assert conf.parameter("ari_retry_after") == ""


def test_only_what_is_named_changes() -> None:
    conf = parse(REAL).edited(top={"cert": "/new"}, parameters={"key_type": "rsa"})
    changed = {
        a: b for a, b in zip(REAL.splitlines(), conf.text.splitlines(), strict=True) if a != b
    }
    assert changed == {
        "cert = /etc/letsencrypt/live/mail.example.test/cert.pem": "cert = /new",
        "key_type = ecdsa": "key_type = rsa",
    }
    assert conf.parameter("key_type") == "rsa"


def test_a_setting_that_lacks_is_put_into_its_section() -> None:
    conf = parse(REAL).edited(top={"first": "1"}, parameters={"reuse_key": "True"})
    lines = conf.text.splitlines()
    assert lines[0] == "first = 1"
    assert lines[lines.index("[renewalparams]") + 1] == "reuse_key = True"
    assert conf.parameter("reuse_key") == "True"


def test_a_section_that_lacks_is_added() -> None:
    conf = parse("version = 5\n").edited(parameters={"reuse_key": "True", "key_type": "rsa"})
    assert conf.text == "version = 5\n[renewalparams]\nkey_type = rsa\nreuse_key = True\n"
    assert conf.parameter("reuse_key") == "True"


def test_a_setting_given_twice_is_left_once() -> None:
    conf = parse("cert = 1\ncert = 2\n").edited(top={"cert": "3"})
    assert conf.text == "cert = 3\n"


def test_parameters_that_got_lost_come_back_as_they_were() -> None:
    former = parse("a = 1\n[renewalparams]\nb = 2\nc = 'x, y'\n# d = 4\n[[map]]\ne = 5\n")
    new = parse("a = 0\n[renewalparams]\nb = 3\n")
    assert new.with_parameters_of(former).text == "a = 0\n[renewalparams]\nc = 'x, y'\nb = 3\n"
    assert former.with_parameters_of(new) is former


def test_a_comment_is_no_setting() -> None:
    conf = parse("#cert = 1\n  # cert = 2\n").edited(top={"cert": "3"})
    assert conf.text == "cert = 3\n#cert = 1\n  # cert = 2\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "is absent: is that a certbot lineage"), (b"\xff\xfe", "cannot read")],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "x.conf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TreeError, match=words):
        RenewalConf.read(path)


def test_a_directory_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(TreeError, match="cannot read"):
        RenewalConf.read(tmp_path)


# ---- properties -----------------------------------------------------------------------------

_word = st.text("abcdefgh_", min_size=1, max_size=6)
_value = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20)
_line = st.one_of(
    st.builds("{} = {}".format, st.sampled_from([*PATH_SETTINGS, "reuse_key", "x"]), _value),
    st.builds("[{}]".format, st.sampled_from([PARAMETERS, "acme_renewal_info", "other"])),
    st.builds("[[{}]]".format, _word),
    st.builds("# {}".format, _value),
    _value,
)
_setting = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1).filter(
    lambda text: text[0] not in "\"'#"
)
_edits = st.dictionaries(st.sampled_from([*PATH_SETTINGS, "new"]), _setting, max_size=3)
_parameters = st.dictionaries(st.sampled_from(["reuse_key", "key_type"]), _setting, max_size=2)


@given(st.lists(_line, max_size=20), _edits, _parameters)
def test_no_other_line_is_lost_and_every_edit_is_there(
    lines: list[str], top: dict[str, str], parameters: dict[str, str]
) -> None:
    before = parse("\n".join(lines))
    after = before.edited(top=top, parameters=parameters)
    for name, value in top.items():
        assert after.top(name) == value
    for name, value in parameters.items():
        assert after.parameter(name) == value
    wanted = {("", name) for name in top} | {(PARAMETERS, name) for name in parameters}
    untouched = {k: v for k, v in before.settings.items() if k not in wanted}
    assert untouched.items() <= after.settings.items()
    edited = {name for _, name in wanted}
    kept = [line for line in before.text.split("\n") if _name(line) not in edited]
    rest = iter(after.text.split("\n"))
    assert all(line in rest for line in kept)  # all of them, in the same order
    assert after.edited(top=top, parameters=parameters).text == after.text


def _name(line: str) -> str:
    return line.partition("=")[0].strip()
