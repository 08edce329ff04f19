"""One running lab: what tests hold in their hands."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import dns.rdata
import dns.rdatatype

from lab import client, nameservers, net
from lab.acme import Acme, Flavour
from lab.mail import Mail
from lab.nameservers import NameServers, World
from lab.net import LabError
from lab.processes import Processes, Service

PROGRAMS = (
    *("knotd", "knotc", "keymgr", "knsupdate", "unbound", "unbound-control", "pebble"),
    *("postconf", "posttls-finger", "unshare"),
)
DEFAULT_LINEAGE = "mail.example.test"


def missing() -> str | None:
    """Say why no lab can be started here; None if it can."""
    if os.geteuid() != 0:
        return "the lab needs root: ports 25, 53 and 80 on loopback"
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    absent = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    absent += [str(f.program) for f in Flavour if not f.program.exists()]
    return f"not installed (make deps): {', '.join(absent)}" if absent else None


QUICK = """\
config_dir = "{tree}"
certbot = "{certbot}"
resolver = ["{resolver}"]
ca_file = "{ca}"
snapshot = "{root}/state/status.json"
min_wait = "6s"
margin = "1s"
retire_after = "0s"
unseen_ttl = "0s"  # the zone is new: no cache holds an answer from before the first look
"""


class Lab:
    """A lab, up from construction until ``down()`` or the end of the ``with`` block.

    ``ttl`` and ``negative_ttl`` are those of all zones; ``lineage`` is the one that postfix
    serves; ``validity`` the seconds that a certificate lives.  ``mail_caches`` lets smtpd
    processes live on, so that a new chain (also the first) is served only after
    ``postfix_reload()``.
    ``forked``: the newest certbot starts by a fork (see `certbot_server.py`), where gcc is.
    ``keep`` leaves the daemons running when the starting process ends.
    """

    zone = "example.test."
    tsig_name = nameservers.TSIG_NAME
    tsig_algorithm = nameservers.TSIG_ALGORITHM

    def __init__(
        self,
        *,
        ttl: int = 5,
        negative_ttl: int = 1,
        lineage: str = DEFAULT_LINEAGE,
        validity: int = 90 * 86400,
        mail_caches: bool = False,
        forked: bool = True,
        keep: bool = False,
    ) -> None:
        reserved = self._reserve()
        self.net = reserved.prefix
        self._reserved = reserved
        self.ns1, self.ns2, self.resolver, self.acme_address, self.mail, self.parent, self.mail2 = (
            reserved.host(n) for n in range(1, 8)
        )
        self.root = Path(tempfile.mkdtemp(prefix="danebot-lab."))
        self.root.chmod(0o755)  # postfix works below as another user
        self.lineage, self.ttl = lineage, ttl
        self.second_chain = self.root / "second.pem"
        self.resolv_conf = self.root / "resolv.conf"
        self.tree = self.root / "certbot/etc"
        self._issued: dict[tuple[object, ...], Path] = {}
        self._owners: set[tuple[str, str]] = set()
        self._lagging = False
        self._processes = Processes(self.root, keep=keep)
        self._dns = self._world(reserved, ttl, negative_ttl)
        self._acme = Acme(self.root, reserved, validity, forked)
        self._mail = Mail(
            self.root,
            reserved,
            self.tree / "live" / lineage / "combo.pem",
            self.second_chain,
            mail_caches,
        )
        self.tsig_secret = self._dns.tsig_secret
        self.acme_url, self.acme_ca = self._acme.url, self._acme.ca
        self.issuer_root = self._acme.issuer_root
        self._name_resolver()
        self.tsig_file = self._key_file(self.tsig_name, self.tsig_secret)
        self._wrappers = {flavour: self._acme.wrapper(flavour) for flavour in Flavour}
        self.new_tree()
        try:
            for part in (self._acme, self._mail, self._dns):
                self._processes.add(*part.services())
            for name in self._processes.names():
                self._processes.wait(name)
        except BaseException:
            self.down()
            raise

    def _reserve(self) -> net.Net:
        """Take the addresses."""
        return net.reserve()

    def _world(self, reserved: net.Net, ttl: int, negative_ttl: int) -> World:
        """The name servers and resolvers, not yet started."""
        return NameServers(self.root, reserved, ttl, negative_ttl, self._processes)

    def _key_file(self, name: str, secret: str) -> Path:
        """Write a TSIG key as `knsupdate` and `dig` take it."""
        path = self.root / f"tsig.{name}key"
        path.touch(0o600)
        path.write_text(f"{self.tsig_algorithm}:{name}:{secret}\n", encoding="ascii")
        return path

    def _name_resolver(self) -> None:
        """Name the resolver in the lab's resolv.conf."""
        self.resolv_conf.write_text(
            f"nameserver {self.resolver}\noptions trust-ad edns0 timeout:2 attempts:2\n",
            encoding="ascii",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def down(self) -> None:
        """End every process, remove the root directory, give the net back."""
        self._processes.down()
        self._reserved.release()

    def reset(self) -> None:
        """Undo what a test did: all services up, no lag, no fault, no TLSA records, a new tree."""
        for name in self._processes.names():
            self._processes.start(name)
            self.resume(name)
        if self._lagging:
            self.resume_secondary()
        self.acme_fault(None)
        self.renewal_window(None)
        self.second_chain.unlink(missing_ok=True)
        for zone, owner in sorted(self._owners):
            self.update(f"update delete {owner} TLSA", zone=zone)
        self._owners.clear()
        self.flush()
        self.new_tree()

    # ---- commands -------------------------------------------------------------------------

    @property
    def env(self) -> dict[str, str]:
        """The environment of a command that uses the lab; certbot on PATH is the wrapper."""
        kept = {k: v for k, v in os.environ.items() if not k.endswith(("_PROXY", "_proxy"))}
        kept.pop("REQUESTS_CA_BUNDLE", None)
        search = f"{self.certbot_wrapper().parent}:{os.environ.get('PATH', os.defpath)}"
        return kept | {
            "PATH": f"{search}:/usr/sbin:/sbin",
            "SSL_CERT_FILE": str(self.issuer_root),
            "MAIL_CONFIG": str(self._mail.config),
        }

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        namespace: bool = True,
        check: bool = False,
        timeout: float = 120,
        env: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command; with ``namespace`` /etc/resolv.conf and /etc/letsencrypt are the lab's."""
        return client.run(
            argv,
            env=self.env | (env or {}),
            namespace=(self.resolv_conf, self.tree) if namespace else None,
            check=check,
            timeout=timeout,
            cwd=self.root,
        )

    def posttls(
        self, domain: str = "example.test", level: str = "dane-only"
    ) -> subprocess.CompletedProcess[str]:
        """Let postfix's own client look at a domain.

        Its exit status is 0 whatever it finds: the verdict is ``dane_verified()``.
        """
        words = ["posttls-finger", "-c", "-l", level, "-L", "summary,verbose"]
        return self.run([*words, domain])

    def dane_verified(self, domain: str = "example.test") -> bool:
        """Tell whether postfix, as a sender that insists on DANE, would deliver to a domain."""
        return "Verified TLS connection established" in self.posttls(domain).stdout

    def served_spki(self, address: str | None = None, port: int = 25) -> str:
        """Return the SPKI SHA2-256 digest that a server presents on the wire, in hex."""
        return client.spki(client.served_certificate(address or self.mail, port))

    def postfix_serves(self, *lineages: str) -> None:
        """Have postfix serve the chains of several lineages, as one with RSA and one with ECDSA.

        Only for a lab of one's own: it stays so.
        """
        self._mail.serve(*(self.tree / "live" / name / "combo.pem" for name in lineages))

    def postfix_reload(self) -> None:
        """Have postfix read its chain files again, as `postfix reload` does."""
        self._processes.signal("postfix", signal.SIGHUP)

    # ---- danebot --------------------------------------------------------------------------

    def danebot_toml(self) -> Path:
        """Write settings by which danebot finds the lab, and waits for seconds, not days."""
        path = self.root / "danebot.toml"
        path.write_text(
            QUICK.format(
                tree=self.tree,
                certbot=self.certbot_wrapper(),
                resolver=self.resolver,
                ca=self.issuer_root,
                root=self.root,
            ),
            encoding="utf-8",
        )
        return path

    # ---- certbot --------------------------------------------------------------------------

    def certbot_wrapper(self, flavour: Flavour = Flavour.PYPI) -> Path:
        """Return an executable named certbot that talks to this lab's ACME server."""
        return self._wrappers[flavour]

    def plain_certbot(self) -> None:
        """Have certbot started as anywhere else, until the next reset: for tests of the process."""
        self.stop("certbot")

    def faulted_certbot(self, library: Path) -> None:
        """Have certbot forked, too, where such a library is preloaded and ``FAULTS`` is set."""
        service = self._acme.faulted(library)
        if service is not None and service.name not in self._processes.names():
            self.add(service)

    def certbot(
        self, *args: str | Path, flavour: Flavour = Flavour.PYPI, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run certbot on the tree."""
        argv = [self.certbot_wrapper(flavour), *args, "--config-dir", self.tree]
        return self.run(argv, namespace=False, check=check, timeout=400)

    def issue(
        self,
        lineage: str,
        *names: str,
        key_type: str = "ecdsa",
        extra: Sequence[str] = (),
        flavour: Flavour = Flavour.PYPI,
        combo: bool = True,
    ) -> Path:
        """Issue a new lineage (names: default the lineage's own) and return its live directory."""
        words = [word for name in names or (lineage,) for word in ("-d", name)]
        self.certbot(
            *("certonly", "--cert-name", lineage, "--key-type", key_type, *words, *extra),
            flavour=flavour,
        )
        if combo:
            self.write_combo(lineage)
        return self.tree / "live" / lineage

    def dns_challenge(self, hook: Path) -> tuple[str, ...]:
        """Write a program that answers DNS challenges; return the options that name it."""
        hook.write_text(
            "#!/bin/sh\n"
            f"printf 'server {self.ns1}\\nzone example.test.\\nupdate add _acme-challenge."
            f'%s. 1 TXT %s\\nsend\\n\' "$CERTBOT_DOMAIN" "$CERTBOT_VALIDATION" |\n'
            f'knsupdate -y "$(cat {self.tsig_file})"\nleft=600\n'
            f"for server in {self.ns1} {self.ns2}; do\n"
            '    until kdig "@$server" +short "_acme-challenge.$CERTBOT_DOMAIN" TXT |\n'
            '        grep -qe "$CERTBOT_VALIDATION" || test $((left -= 1)) = 0\n'
            "    do sleep 0.1; done\n"
            "done\n"
            "sleep 1.1\n"  # what the resolver may hold of a time before
        )
        hook.chmod(0o755)
        manual = ("--authenticator", "manual", "--preferred-challenges", "dns")
        return (*manual, "--manual-auth-hook", str(hook))

    def write_combo(self, lineage: str) -> None:
        """Put key and chain of live/ into combo.pem, for postfix."""
        live = self.tree / "live" / lineage
        text = (live / "privkey.pem").read_bytes() + (live / "fullchain.pem").read_bytes()
        new = live / ".combo.pem"
        new.touch(0o600)
        new.write_bytes(text)
        new.rename(live / "combo.pem")

    def make_due(self, lineage: str, before: str = "3650 days") -> None:
        """Let certbot find a lineage due for renewal, from now on or from ``before`` its end."""
        conf = self.tree / "renewal" / f"{lineage}.conf"
        conf.write_text(f"renew_before_expiry = {before}\n{conf.read_text()}")

    def new_issuer(self) -> None:
        """Let the CA issue from another intermediate and root, under accounts made anew."""
        self.stop("pebble")
        self.start("pebble")
        self.forget_issued()  # nothing verifies to the former root any more
        shutil.rmtree(self.tree / "accounts", ignore_errors=True)
        for conf in (self.tree / "renewal").glob("*.conf"):
            lines = conf.read_text().splitlines(keepends=True)
            conf.write_text("".join(one for one in lines if not one.startswith("account =")))

    def new_tree(self) -> Path:
        """Begin an empty certbot tree in place of the former one, whose account it takes over.

        The host stays the same: what danebot knows of its certbot is kept as well.
        """
        base, former = self.tree.parent, self.root / "former"
        if base.exists():
            base.rename(former)
        self.tree.mkdir(parents=True)
        (self.tree / "cli.ini").write_text(self._acme.cli_ini(), encoding="ascii")
        if former.exists():
            if (former / "etc/accounts").is_dir():
                shutil.copytree(former / "etc/accounts", self.tree / "accounts", symlinks=True)
            known = former / "state/certbot.json"
            if known.exists():
                (base / "state").mkdir()
                known.rename(base / "state/certbot.json")
            shutil.rmtree(former)
        return self.tree

    def issued_tree(
        self,
        lineage: str = DEFAULT_LINEAGE,
        *names: str,
        key_type: str = "ecdsa",
        extra: Sequence[str] = (),
    ) -> Path:
        """Begin a tree with one lineage, as issue() makes it; from the second time on a copy.

        Returns the lineage's live directory.
        """
        live, base = self.tree / "live" / lineage, self.tree.parent
        key = (lineage, names, key_type, tuple(extra))
        if key in self._issued:
            shutil.rmtree(self.new_tree())
            shutil.copytree(self._issued[key], base, symlinks=True, dirs_exist_ok=True)
            return live
        self.new_tree()
        self.issue(lineage, *names, key_type=key_type, extra=extra)
        self._issued[key] = self.root / "issued" / str(len(self._issued))
        shutil.copytree(base, self._issued[key], symlinks=True)
        return live

    def forget_issued(self) -> None:
        """Let the next `issued_tree` issue anew."""
        self._issued.clear()
        shutil.rmtree(self.root / "issued", ignore_errors=True)

    # ---- DNS ------------------------------------------------------------------------------

    def update(
        self,
        *lines: str,
        zone: str = "example.test.",
        wait: bool = True,
        key_file: Path | None = None,
    ) -> None:
        """Send RFC 2136 updates in nsupdate's words; ``wait`` until all servers have them."""
        key_file = key_file or self.tsig_file
        text = "\n".join([f"server {self._server_of(zone)} 53", f"zone {zone}", *lines, "send", ""])
        done = subprocess.run(
            ["knsupdate", "-y", key_file.read_text(encoding="ascii").strip()],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            raise LabError(f"knsupdate: {done.stdout}{done.stderr}")
        if wait:
            followed = not self._lagging and self._processes.is_running("secondary")
            if followed and zone in self._dns.zones:
                self._dns.refresh(zone)
                self._in_step(zone)
            self.flush(zone)

    def _server_of(self, zone: str) -> str:
        """The server that takes a zone's updates."""
        del zone
        return self.ns1

    def tlsa_add(
        self,
        owner: str,
        record: str,
        *,
        ttl: int | None = None,
        zone: str = "example.test.",
        wait: bool = True,
    ) -> None:
        """Add one record, such as ``3 1 1 hex``."""
        self._owners.add((zone, owner))
        ttl = self.ttl if ttl is None else ttl
        self.update(f"update add {owner} {ttl} TLSA {record}", zone=zone, wait=wait)

    def tlsa_del(
        self, owner: str, record: str = "", *, zone: str = "example.test.", wait: bool = True
    ) -> None:
        """Remove one record, or all of an owner."""
        self.update(f"update delete {owner} TLSA {record}", zone=zone, wait=wait)

    def tlsa_set(
        self,
        owner: str,
        *records: str,
        ttl: int | None = None,
        zone: str = "example.test.",
        wait: bool = True,
    ) -> None:
        """Replace all records of an owner in one transaction."""
        self._owners.add((zone, owner))
        ttl = self.ttl if ttl is None else ttl
        added = [f"update add {owner} {ttl} TLSA {record}" for record in records]
        self.update(f"update delete {owner} TLSA", *added, zone=zone, wait=wait)

    def tlsa_at(self, server: str, owner: str) -> set[str]:
        """Return the TLSA records that one server shows, as ``3 1 1 hex``."""
        reply = nameservers.ask(server, owner, "TLSA", timeout=60)  # the resolver may have to retry
        if reply is None:
            raise LabError(f"{server} does not answer")
        return {
            _compact(rdata)
            for rrset in reply.answer
            if rrset.rdtype == dns.rdatatype.TLSA
            for rdata in rrset
        }

    def flush(self, zone: str = "test.") -> None:
        """Make the resolver forget a zone; no-op while it is stopped."""
        self._dns.flush(zone)

    def control(self, server: str, *command: str) -> None:
        """Control one of the servers, in the words of its own control program."""
        self._dns.control(server, *command)

    def stop_secondary(self) -> None:
        """Let the secondary go on answering, with what it has now."""
        self._dns.freeze()
        self._lagging = True

    def resume_secondary(self) -> None:
        """Let the secondary catch up, and wait until it has."""
        self._dns.thaw()
        self._dns.refresh(*self._dns.zones)
        self._lagging = False
        for zone in self._dns.zones:
            self._in_step(zone)
        self.flush()

    @contextlib.contextmanager
    def lag_secondary(self) -> Iterator[None]:
        """stop_secondary() ... resume_secondary() around a block."""
        self.stop_secondary()
        try:
            yield
        finally:
            self.resume_secondary()

    def _in_step(self, zone: str) -> None:
        def same() -> bool:
            return self._serial(1, zone) == self._serial(2, zone) is not None

        net.until(f"{self.ns2} to have {zone}", same)

    def _serial(self, number: int, zone: str) -> int | None:
        return nameservers.serial(self._reserved.host(number), zone)

    # ---- more services --------------------------------------------------------------------

    def add(self, *services: Service) -> None:
        """Start more daemons, which end with the lab, and wait until they serve."""
        self._processes.add(*services)
        for service in services:
            self._processes.wait(service.name)

    @contextlib.contextmanager
    def beside(self, *services: Service) -> Iterator[None]:
        """Start more daemons for a while: what tests of another kind find must not depend on it."""
        self.add(*services)
        try:
            yield
        finally:
            for service in services:
                self._processes.remove(service.name)

    # ---- outages --------------------------------------------------------------------------

    def stop(self, service: str) -> None:
        """Stop a service: primary, secondary, parent, resolver, pebble, acme, postfix.

        Stopping ``acme`` refuses connections and keeps pebble's accounts and root; a pebble
        started anew has other ones.
        """
        self._processes.stop(service)

    def start(self, service: str) -> None:
        """Start a stopped service again; wait until it serves."""
        self._processes.start(service)
        if service in {"primary", "secondary", "parent"}:
            self._dns.servers_are_back()

    def pause(self, service: str) -> None:
        """Make a service hang: connections are accepted by the kernel, nothing answers."""
        self._processes.signal(service, signal.SIGSTOP)
        state = Path(f"/proc/{self._processes.pid(service)}/stat")
        net.until(f"{service} to stand still", lambda: ") T" in state.read_text(encoding="ascii"))

    def resume(self, service: str) -> None:
        """Undo pause()."""
        self._processes.signal(service, signal.SIGCONT)

    def acme_fault(self, kind: str | None) -> None:
        """Answer new orders with an ACME error, such as ``rateLimited``; None: no more.

        With a name behind it, for orders of that name alone.  ``hang`` lets the order wait for
        ten minutes.
        """
        self._acme_file("fault", kind)

    def renewal_window(self, window: tuple[int, int] | None, retry_after: int = 21600) -> None:
        """Offer renewal information (RFC 9773): a window in seconds from now; None: no more."""
        self._acme_file("window", window and f"{window[0]} {window[1]} {retry_after}")

    def revoked(self, serial: int) -> bool:
        """Whether the CA has revoked the certificate with that serial number."""
        return self._acme.status(serial) == "Revoked"

    def _acme_file(self, name: str, text: str | None) -> None:
        path = self._acme.directory / name
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(text, encoding="ascii")


def _compact(rdata: dns.rdata.Rdata) -> str:
    usage, selector, matching, *data = rdata.to_text().split()
    return f"{usage} {selector} {matching} {''.join(data)}"
