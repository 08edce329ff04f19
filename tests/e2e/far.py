"""A mail server's operator on the second world: other people's servers, zones of other kinds."""

from __future__ import annotations

from pathlib import Path

from e2e.publishing import table
from e2e.site import MAIL, Site
from lab.second import SecondLab


class Far(Site):
    """A site on the second world.  The lineage is the usual one, for whatever host."""

    @property
    def world(self) -> SecondLab:
        """The lab, with what this world has in addition."""
        assert isinstance(self.lab, SecondLab)
        return self.lab

    def issued_for(self, host: str) -> tuple[str, str]:
        """A fresh lineage for a host; the owner of its records and the record to publish there."""
        self.lab.issued_tree(MAIL, host)
        return f"_25._tcp.{host}.", f"3 1 1 {self.lab.served_spki()}"

    def staged_for(self, host: str) -> tuple[str, str]:
        """The same, published and under danebot's care."""
        owner, record = self.issued_for(host)
        self.lab.tlsa_set(owner, record, zone=zone_of(host))
        self.ok("init", MAIL)
        return owner, record

    def watching(self, *owners: str) -> None:
        """Have danebot watch other owners than those it found."""
        (self.staging / "dane-ee").write_text("".join(f"1 {one}\n" for one in owners))

    def updates(self, *lines: str, key_file: Path | None = None) -> None:
        """Have danebot publish by DNS UPDATE, with a key of the lab's other than the usual."""
        text = (key_file or self.lab.tsig_file).read_text(encoding="ascii")
        algorithm, name, secret = text.strip().split(":", 2)
        path = self.tree.parent / "update.key"
        path.touch(0o600)
        path.write_text(f'key "{name}" {{ algorithm {algorithm}; secret "{secret}"; }};\n')
        self.extra = table("rfc2136", f'key_file = "{path}"', *lines)


def zone_of(host: str) -> str:
    """The zone of a host that stands at its top, as ``example.test.``."""
    return host.split(".", 1)[1].rstrip(".") + "."
