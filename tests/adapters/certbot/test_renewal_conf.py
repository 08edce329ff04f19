"""certbot's configuration is edited by line, and nothing of it is ever lost."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import settings as settings_of
from hypothesis import strategies as st

from amounts import amount
from danebot.adapters.certbot.renewal_conf import PARAMETERS, PATH_SETTINGS, RenewalConf
from danebot.errors import TreeError

_CERTBOT_PYTHON = Path(__file__).parents[3] / "build/certbot-venv/bin/python"
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


def test_an_editors_mark_before_the_text_is_none_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    path.write_text(REAL, encoding="utf-8-sig")
    assert RenewalConf.read(path).text == REAL


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
    assert conf.text == "version = 5\n[renewalparams]\nreuse_key = True\nkey_type = rsa\n"
    assert conf.parameter("reuse_key") == "True"


def test_what_stands_behind_a_value_is_no_part_of_it_and_stays() -> None:
    conf = parse("archive_dir = /mnt/raid/x  # on the raid\n")
    assert conf.top("archive_dir") == "/mnt/raid/x"
    edited = conf.edited(top={"archive_dir": "/mnt/y"})
    assert edited.text == "archive_dir = /mnt/y  # on the raid\n"


def test_lines_within_three_quotes_are_no_settings() -> None:
    text = "[renewalparams]\nrenew_hook = '''a\nreuse_key = True\n[other]'''\nkey_type = rsa\n"
    conf = parse(text)
    assert conf.parameter("renew_hook") == "a\nreuse_key = True\n[other]"
    assert conf.parameter("reuse_key") == ""
    assert conf.parameter("key_type") == "rsa"
    assert "\nreuse_key = True\n[other]'''\n" in conf.edited(parameters={"key_type": "ec"}).text


def test_lists_and_quoted_names() -> None:
    top = "[renewalparams]\n'webroot_path' = /a, '/b c',\nserver = ,\n"
    conf = parse(f'{top}[[webroot_map]]\n"x" = /a\n')
    assert conf.parameter("webroot_path") == "/a,/b c"
    assert conf.parameter("server") == ""
    assert [(e.section, e.name) for e in conf.entries][-1] == ((PARAMETERS, "webroot_map"), "x")


def test_a_value_is_written_so_that_it_is_read_as_it_is() -> None:
    for value in ("/a, b", "/a # b", " a", "it's", 'say "a"'):
        assert parse("").edited(top={"cert": value}).top("cert") == value
    with pytest.raises(TreeError, match="quotes of both kinds"):
        parse("").edited(top={"cert": "'\""})


def test_carriage_returns_stay() -> None:
    conf = parse("cert = 1\r\nchain = 2\r\n")
    assert conf.top("cert") == "1"
    assert conf.edited(top={"cert": "3"}).text == "cert = 3\nchain = 2\r\n"


@pytest.mark.parametrize("word", ["False", "no", "Off", "0"])
def test_words_by_which_certbot_says_no(word: str) -> None:
    assert parse(f"[renewalparams]\nautorenew = {word}\n").disabled("autorenew")
    assert not parse(f"[renewalparams]\nreuse_key = {word}\n").enabled("reuse_key")


def test_words_by_which_certbot_says_yes() -> None:
    assert not parse("[renewalparams]\nautorenew = on\n").disabled("autorenew")
    assert not parse("").disabled("autorenew")
    assert parse("[renewalparams]\nreuse_key = true\n").enabled("reuse_key")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("cert = 1\ncert = 2\n", "line 2 gives cert once more"),
        ("cert\n", "line 1 is neither a section nor NAME = VALUE"),
        ("a = '1\n", "line 1 has a value with quotes or commas that lead nowhere"),
        ("a = /b, ,\n", "line 1 has a value with quotes or commas that lead nowhere"),
        ("\n[a\n", "line 2 is neither"),
        ("[[a]]\n", "line 1 is a section in none"),
        ("[[a]\n", "line 1 has other brackets"),
        ("a = '''1\n", "line 1 opens ''' that nothing closes"),
        ("a = '''1\n2''' 3\n", "line 2 goes on after '''"),
    ],
)
def test_what_certbot_cannot_read_is_told_with_its_line_and_the_way_out(
    text: str, line: str
) -> None:
    with pytest.raises(TreeError) as caught:
        parse(text)
    said = str(caught.value)
    assert said.startswith(f"{PATH}: {line}")
    assert said.endswith("run: certbot delete --cert-name mail.example.test")


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
    [
        (None, "is absent: is that a certbot lineage"),
        (b"\xff\xfe", r"x\.conf: is no text \(UTF-8\); .*: certbot delete --cert-name x"),
        (b"# nothing\n", r"x\.conf: is empty; .*: certbot delete --cert-name x"),
    ],
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


# ---- certbot's own reader is the judge --------------------------------------------------------

_JUDGE = """
import io, json, sys
from configobj import ConfigObj, ConfigObjError

def flat(section, path=()):
    for name in section.scalars:
        yield [*path, name], dict.__getitem__(section, name)
    for name in section.sections:
        yield from flat(section[name], (*path, name))

for line in sys.stdin:
    lines = io.BytesIO(json.loads(line).encode()).readlines()
    try:
        found = sorted(flat(ConfigObj(lines, encoding="utf-8", interpolation=False)))
    except ConfigObjError:
        found = None
    print(json.dumps(found), flush=True)
"""


class Judge:
    """certbot's configobj, in a process of its own."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [_CERTBOT_PYTHON, "-c", _JUDGE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def __call__(self, text: str) -> object:
        """Its settings with their sections, sorted; None where it refuses the text."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{json.dumps(text)}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    """One for all texts."""
    one = Judge()
    yield one
    one.process.kill()
    one.process.communicate()


def settings(conf: RenewalConf) -> list[list[object]]:
    """What a configuration holds, as the judge says it."""
    return sorted(
        [[*e.section, e.name], list(e.value) if isinstance(e.value, tuple) else e.value]
        for e in conf.entries
    )


def own(text: str) -> list[list[object]] | None:
    try:
        return settings(parse(text))
    except TreeError:
        return None


_lines = (
    "[sec]\n",
    "[[sub]]\n",
    "a = b\n",
    "c = 1 # d\n",
    "l = a, b,\n",
    "cert = /x\n",
    "\n",
    "\n",
)
_marks = (*"ab=== \t,'\"#[]\r\\%", "'''", '"""', "key", "/x/y", "é", "\v", "\u2028")
_pieces = st.sampled_from(_lines + _marks)
_texts = st.lists(_pieces, max_size=25).map("".join)
_setting = st.text(st.characters(min_codepoint=32, max_codepoint=126)).filter(
    lambda text: not ("'" in text and '"' in text)
)
_edits = st.dictionaries(st.sampled_from([*PATH_SETTINGS, "new"]), _setting, max_size=3)
_parameters = st.dictionaries(st.sampled_from(["reuse_key", "key_type"]), _setting, max_size=2)


@pytest.mark.timeout(amount(300, 1800))
@settings_of(max_examples=amount(600, 15_000))
@example("pref_challs = dns-01, ,http-01\n")  # an item of white space alone
@example("webroot_path = /a, ,\n")
@example("l = a, \x1c, = ,\n")
@example('l = a, "b ,=,\n')  # quotes that nothing closes, behind an item
@example("l = a, ,'''#\n")
@given(text=_texts)
def test_everything_is_read_as_certbot_reads_it(judge: Judge, text: str) -> None:
    assert own(text) == judge(text)


@given(text=_texts, top=_edits, parameters=_parameters)
def test_certbot_finds_every_edit_and_nothing_else_changed(
    judge: Judge, text: str, top: dict[str, str], parameters: dict[str, str]
) -> None:
    if own(text) is None:
        text = REAL
    before = parse(text)
    after = before.edited(top=top, parameters=parameters)
    wanted: dict[tuple[str, ...], object] = {(name,): value for name, value in top.items()}
    wanted |= {(PARAMETERS, name): value for name, value in parameters.items()}
    expected = {(*e.section, e.name): e.value for e in before.entries} | wanted
    assert {(*e.section, e.name): e.value for e in after.entries} == expected
    assert settings(after) == judge(after.text)
    kept = [
        line
        for e in before.entries
        if (*e.section, e.name) not in wanted
        for line in text.split("\n")[e.first : e.last + 1]
    ]
    rest = iter(after.text.split("\n"))
    assert all(line in rest for line in kept)  # all of them, in the same order
    assert after.edited(top=top, parameters=parameters).text == after.text


# ---- a deploy hook that is held back ----------------------------------------------------------


@pytest.mark.parametrize("line", ["renew_hook = a b", "deploy_hook = '''a\n\"b\"'''  # c"])
def test_a_deploy_hook_is_held_back_and_given_back_as_it_is_written(line: str) -> None:
    text = f"cert = 1\n[renewalparams]\n{line}\nserver = x\n[[webroot_map]]\na = /b\n"
    conf = parse(text)
    held = conf.with_hook_held()
    assert held.text.endswith(f"[danebot]\n{line}\n")
    assert held.parameter("renew_hook") == held.parameter("deploy_hook") == ""
    assert held.deploy_hook == conf.deploy_hook != ""
    assert held.with_hook_held() is held
    assert held.with_hook_given_back().text == text
    assert conf.with_hook_given_back() is conf


def test_a_hook_that_certbot_saved_since_takes_the_place_of_the_former() -> None:
    held = parse("[renewalparams]\nrenew_hook = new\n[danebot]\nrenew_hook = old\n")
    assert held.deploy_hook == "new"
    assert held.with_hook_held().text == "[renewalparams]\n[danebot]\nrenew_hook = new\n"


def test_an_empty_hook_is_that_of_a_call_and_replaces_none() -> None:
    held = parse('[renewalparams]\nrenew_hook = ""\n[danebot]\nrenew_hook = old\n')
    assert held.with_hook_held().text == "[renewalparams]\n[danebot]\nrenew_hook = old\n"
