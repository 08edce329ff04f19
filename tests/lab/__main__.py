"""A lab by hand (with ``tests`` on PYTHONPATH).

python -m lab up [--ttl SECONDS]         start one, print its directory and how to use it
python -m lab in ROOT COMMAND ...        run a command as seen from the lab
python -m lab tlsa ROOT add OWNER 3 1 1 HEX
python -m lab tlsa ROOT del OWNER 3 1 1 HEX
python -m lab down ROOT                  end it
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

from lab import client, reaper
from lab.lab import Lab, missing

USE = """\
A lab is up in {root}

  . {root}/env        # its addresses; certbot and danebot on PATH
  certbot certonly --cert-name mail.example.test -d mail.example.test
  danebot init mail.example.test
  danebot tlsa mail.example.test                      # prints the record to publish
  {root}/lab tlsa add _25._tcp.mail.example.test. 3 1 1 HEX
  danebot init mail.example.test                      # finds it
  {root}/lab in posttls-finger -c -l dane-only example.test
  danebot newkey mail.example.test                    # a rollover: publish what it prints,
  danebot renew; danebot status mail.example.test     # and run these until it is done
  {root}/lab down
"""

SCRIPT = """\
#!/bin/sh
verb=$1
shift
PYTHONPATH={tests} exec {python} -m lab "$verb" {root} "$@"
"""

DANEBOT = """\
#!/bin/sh
exec {python} -m danebot --config {config} "$@"
"""


def up(ttl: int) -> None:
    reason = missing()
    if reason:
        sys.exit(reason)
    lab = Lab(ttl=ttl, keep=True)
    names = {
        "LAB_ROOT": lab.root,
        "LAB_NS1": lab.ns1,
        "LAB_NS2": lab.ns2,
        "LAB_PARENT": lab.parent,
        "LAB_RESOLVER": lab.resolver,
        "LAB_ACME": lab.acme_url,
        "LAB_MAIL": lab.mail,
        "LAB_TREE": lab.tree,
        "LAB_TSIG_FILE": lab.tsig_file,
        "MAIL_CONFIG": lab.env["MAIL_CONFIG"],
        "SSL_CERT_FILE": lab.issuer_root,
    }
    (lab.root / "env.json").write_text(json.dumps({k: str(v) for k, v in names.items()}))
    lines = [f"export {name}={shlex.quote(str(value))}" for name, value in names.items()]
    lines.append(f"export PATH={lab.certbot_wrapper().parent}:$PATH:/usr/sbin:/sbin")
    (lab.root / "env").write_text("\n".join(lines) + "\n")
    script = lab.root / "lab"
    tests = Path(__file__).resolve().parents[1]
    script.write_text(SCRIPT.format(tests=tests, python=sys.executable, root=lab.root))
    script.chmod(0o755)
    danebot = lab.certbot_wrapper().with_name("danebot")
    danebot.write_text(DANEBOT.format(python=sys.executable, config=lab.danebot_toml()))
    danebot.chmod(0o755)
    print(USE.format(root=lab.root))


def inside(root: Path, command: list[str]) -> int:
    values = json.loads((root / "env.json").read_text())
    env = os.environ | values
    env.pop("PYTHONPATH", None)
    env["PATH"] = f"{root}/pypi:{env.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    argv = client.in_namespace(command, root / "resolv.conf", Path(values["LAB_TREE"]))
    return subprocess.run(argv, env=env, check=False).returncode


def tlsa(root: Path, verb: str, owner: str, record: list[str]) -> int:
    values = json.loads((root / "env.json").read_text())
    key = Path(values["LAB_TSIG_FILE"]).read_text(encoding="ascii").strip()
    words = {"add": f"add {owner} 5", "del": f"delete {owner}"}[verb]
    text = f"server {values['LAB_NS1']}\nzone example.test.\nupdate {words} TLSA {' '.join(record)}"
    argv = ["knsupdate", "-y", key]
    done = subprocess.run(argv, input=f"{text}\nsend\n", text=True, check=False)
    if done.returncode == 0:
        refreshes: tuple[list[str | Path], ...] = (
            ["knotc", "-b", "-s", root / "secondary/ctl.sock", "zone-refresh", "example.test."],
            ["unbound-control", "-c", root / "resolver/unbound.conf", "flush_zone", "example.test"],
        )
        for refresh in refreshes:
            subprocess.run(refresh, check=True, stdout=subprocess.DEVNULL)
    return done.returncode


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="lab", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("up").add_argument("--ttl", type=int, default=5)
    verbs.add_parser("down").add_argument("root", type=Path)
    within = verbs.add_parser("in")
    within.add_argument("root", type=Path)
    within.add_argument("command", nargs=argparse.REMAINDER)
    record = verbs.add_parser("tlsa")
    record.add_argument("root", type=Path)
    record.add_argument("operation", choices=("add", "del"))
    record.add_argument("owner")
    record.add_argument("record", nargs="*")
    args = parser.parse_args()
    if args.verb == "up":
        up(args.ttl)
    elif args.verb == "in":
        sys.exit(inside(args.root, args.command))
    elif args.verb == "tlsa":
        sys.exit(tlsa(args.root, args.operation, args.owner, args.record))
    elif left := reaper.down(args.root):
        sys.exit(f"still running: {left}")


if __name__ == "__main__":
    main()
