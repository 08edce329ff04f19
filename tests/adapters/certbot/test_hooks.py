from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from danebot.adapters.certbot.hooks import (
    CertbotHooks,
    Hook,
    HookKind,
    deploy_hooks,
    run_hook,
)
from danebot.adapters.certbot.renewal_conf import RenewalConf
from danebot.adapters.process import Ending
from danebot.config import LineageSettings, Settings
from danebot.errors import HookError, TreeError
from lab.lab import Lab

LINEAGE = "mail.example.test"
LONG = timedelta(seconds=60)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "renewal").mkdir()
    (tmp_path / "renewal-hooks/deploy").mkdir(parents=True)
    conf(tmp_path)
    return tmp_path


def conf(tree: Path, *lines: str) -> None:
    text = "\n".join(["version = 5.8.0", "[renewalparams]", "account = x", *lines, ""])
    (tree / f"renewal/{LINEAGE}.conf").write_text(text, encoding="utf-8")


def script(tree: Path, name: str, mode: int = 0o755, text: str = "#!/bin/sh\n") -> str:
    path = tree / "renewal-hooks/deploy" / name
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return str(path)


def configured(*hooks: str, certbots: bool = True) -> Settings:
    return Settings(run_certbot_hooks=certbots, common=LineageSettings(hooks=hooks))


def commands(tree: Path, settings: Settings | None = None) -> list[tuple[HookKind, str]]:
    found = deploy_hooks(tree, LINEAGE, settings or configured())
    return [(hook.kind, hook.command) for hook in found]


# ---- which, and in what order ---------------------------------------------------------------


def test_directory_then_saved_then_configured(tree: Path) -> None:
    second, first = script(tree, "b b"), script(tree, "a")
    conf(tree, "renew_hook = systemctl reload dovecot")

    assert commands(tree, configured("one", "two")) == [
        (HookKind.DIRECTORY, first),
        (HookKind.DIRECTORY, second),
        (HookKind.SAVED, "systemctl reload dovecot"),
        (HookKind.CONFIGURED, "one"),
        (HookKind.CONFIGURED, "two"),
    ]


def test_what_certbot_passes_over_in_its_directory_is_passed_over(tree: Path) -> None:
    script(tree, "backup~")
    script(tree, "README", mode=0o644)
    (tree / "renewal-hooks/deploy/directory").mkdir()
    (tree / "renewal-hooks/deploy/dangling").symlink_to("nowhere")

    assert commands(tree) == []


def test_a_command_that_is_there_more_than_once_runs_once_in_its_first_place(tree: Path) -> None:
    path = script(tree, "a")
    conf(tree, f"renew_hook = {path}")

    assert commands(tree, configured("x", path)) == [
        (HookKind.DIRECTORY, path),
        (HookKind.CONFIGURED, "x"),
    ]


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("renew_hook = a b", "a b"),
        ("deploy_hook = a b", "a b"),
        ("""renew_hook = 'echo "a, b"'""", 'echo "a, b"'),
        ("""renew_hook = \"echo 'a, b'\"""", "echo 'a, b'"),
        ("""renew_hook = '''echo "a" 'b, c'\'\'\'""", """echo "a" 'b, c'"""),
    ],
)
def test_a_saved_hook_is_read_in_each_way_that_certbot_writes_it(
    tree: Path, line: str, command: str
) -> None:
    conf(tree, line)

    assert commands(tree) == [(HookKind.SAVED, command)]


def test_certbots_hooks_can_be_turned_off(tree: Path) -> None:
    script(tree, "a")
    conf(tree, "renew_hook = b")

    assert commands(tree, configured("c", certbots=False)) == [(HookKind.CONFIGURED, "c")]


@pytest.mark.parametrize(
    ("line", "run"),
    [
        ("no-directory-hooks = true", False),
        ("no-directory-hooks", False),
        ("no-directory-hooks = no", True),
    ],
)
def test_directories_that_are_turned_off_in_cli_ini_are_left_alone(
    tree: Path,
    line: str,
    run: bool,  # noqa: FBT001
) -> None:
    """What certbot doesn't run is not danebot's either; what a lineage has saved is."""
    path = script(tree, "a")
    (tree / "renewal-hooks/post").mkdir()
    script(tree, "../post/b")
    conf(tree, "renew_hook = saved")
    (tree / "cli.ini").write_text(f"{line}\n")

    found = {command for _, command in commands(tree)}
    assert ({path, str(tree / "renewal-hooks/post/b")} <= found) is run
    assert "saved" in found
    read = RenewalConf.read(tree / f"renewal/{LINEAGE}.conf")
    certbots = CertbotHooks.read(tree, configured(certbots=False))
    assert bool(certbots.post_hooks(certbots.posted(tree), read)) is run


def test_a_tree_without_hooks_has_none(tree: Path) -> None:
    (tree / "renewal-hooks/deploy").rmdir()

    assert commands(tree) == []


def test_hooks_that_cannot_be_known_are_an_error_not_silence(tree: Path) -> None:
    (tree / f"renewal/{LINEAGE}.conf").unlink()
    with pytest.raises(TreeError):
        commands(tree)

    conf(tree)
    (tree / "renewal-hooks/deploy").rmdir()
    (tree / "renewal-hooks/deploy").touch()
    with pytest.raises(HookError, match="cannot list"):
        commands(tree)


def test_the_id_is_printable_and_tells_long_commands_apart(tree: Path) -> None:
    long = "x" * 1000
    hooks = deploy_hooks(tree, LINEAGE, configured(long + "a", long + "b", "e\033\n"))

    assert len({hook.id for hook in hooks}) == 3
    assert all(hook.id.isprintable() for hook in hooks)


# ---- running --------------------------------------------------------------------------------


def run(command: str, kind: HookKind = HookKind.CONFIGURED, timeout: timedelta = LONG) -> list[str]:
    ended = run_hook(Hook(kind, command), Path("/le/live/x"), ["a.test", "b.test"], timeout)
    return [ended.error, *ended.output]


def test_a_hook_finds_what_certbot_tells_it_and_which_of_the_two_calls_it_is() -> None:
    line = 'echo "$RENEWED_LINEAGE|$RENEWED_DOMAINS|$DANEBOT_EVENT" | cat'

    assert run(line) == ["", "/le/live/x|a.test b.test|deployed"]


def test_a_hook_gets_the_environment_of_the_defaults_file() -> None:
    hook = Hook(HookKind.CONFIGURED, "echo $SSL_CERT_FILE")

    ended = run_hook(hook, Path("/x"), [], LONG, {"SSL_CERT_FILE": "/ca.pem"})

    assert ended.output == ("/ca.pem",)


def test_a_script_runs_whatever_its_name_and_with_or_without_an_interpreter(tree: Path) -> None:
    for name, text in (("a b'c", "#!/bin/sh\necho 1\n"), ("$(d)", "echo 2\n")):
        path = script(tree, name, text=text)
        assert run(path, HookKind.DIRECTORY)[0] == ""
        assert run(path, HookKind.DIRECTORY)[1] in {"1", "2"}


def test_failures_say_how_and_the_last_words() -> None:
    assert run("echo one; echo two >&2; exit 7")[0] == "exit status 7: two"
    assert run("exit 7") == ["exit status 7"]
    assert run("/nonexistent/hook")[0].startswith("exit status 127: ")
    assert run("kill -9 $$") == ["exit status -9"]
    assert run("a\0b") == ["could not be started: embedded null byte", "embedded null byte"]


def test_foreign_words_are_printable_and_few() -> None:
    error, *output = run(r"seq 100; printf '\033[2J%01000d\n' 7; exit 1")

    assert error.isprintable()
    assert len(error) <= 200
    assert len(output) == 20


def test_out_of_time_is_a_failure_even_if_the_hook_ends_well() -> None:
    hook = Hook(HookKind.CONFIGURED, "trap 'exit 0' TERM; while :; do sleep 0.05; done")

    ended = run_hook(hook, Path("/x"), [], timedelta(milliseconds=200))

    assert (ended.ending, ended.error) == (Ending.TIMED_OUT, "ran out of time")


@pytest.mark.lab
def test_the_hooks_are_those_that_certbot_runs_in_the_same_order(
    lab: Lab, fresh_tree: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    lab.issued_tree(LINEAGE, extra=("--deploy-hook", f'echo "it\'s, saved" >> {log}'))
    log.unlink(missing_ok=True)
    (fresh_tree / "renewal-hooks/deploy").mkdir(parents=True, exist_ok=True)
    for name in ("b", "a", "c~"):
        script(fresh_tree, name, text=f"#!/bin/sh\necho {name} >> {log}\n")
    lab.certbot("renew", "--force-renewal", "--cert-name", LINEAGE)
    by_certbot = log.read_text().splitlines()
    log.unlink()

    for hook in deploy_hooks(fresh_tree, LINEAGE, configured()):
        assert run_hook(hook, fresh_tree / "live" / LINEAGE, [LINEAGE], LONG).error == ""

    assert by_certbot == ["a", "b", "it's, saved"]
    assert log.read_text().splitlines() == by_certbot


def test_a_hook_in_cli_ini_goes_over_the_lineages(tree: Path) -> None:
    conf(tree, "renew_hook = saved", "post_hook = saved after")
    (tree / "cli.ini").write_text("deploy-hook = all\npost-hook = all after\n")

    assert commands(tree) == [(HookKind.SAVED, "all"), (HookKind.POST_SAVED, "all after")]
    read = RenewalConf.read(tree / f"renewal/{LINEAGE}.conf")
    certbots = CertbotHooks.read(tree, configured())
    assert certbots.post_hooks(certbots.posted(tree), read) == ("all after",)
