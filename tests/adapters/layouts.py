"""Trees as administrators lay them out: parts of them elsewhere, reached by symbolic links.

Each function rearranges a tree that was grown below ``tmp_path / "tree"``, so that certbot still
reads it; the links between its parts are what certbot (or its owner) would have made.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from adapters.trees import NAME, Grown
from danebot.adapters.tree.paths import KINDS

Layout = Callable[[Grown], Grown]


def _moved(path: Path, to: Path) -> Path:
    """Move a directory, leaving a symbolic link in its place."""
    to.parent.mkdir(parents=True, exist_ok=True)
    path.rename(to)
    path.symlink_to(to)
    return to


def _absolute(grown: Grown, *directories: Path) -> None:
    """Links by absolute path, which certbot keeps so when it moves them."""
    for directory in directories:
        for kind in KINDS:
            link = directory / f"{kind}.pem"
            version = os.readlink(link).rpartition("/")[2]
            link.unlink()
            link.symlink_to(grown.paths.archive / version)


def _says(grown: Grown, old: Path, new: Path) -> None:
    conf = grown.paths.conf
    conf.write_text(conf.read_text().replace(str(old), str(new)))


def plain(grown: Grown) -> Grown:
    return grown


def root_is_a_link(grown: Grown) -> Grown:
    _moved(grown.root, grown.root.parent / "mnt" / "x" / "letsencrypt")
    return grown


def archive_dir_by_its_real_path(grown: Grown) -> Grown:
    """The tree is reached by a link of another depth, and ``archive_dir`` avoids it."""
    real = _moved(grown.root, grown.root.parent / "mnt" / "x" / "letsencrypt")
    _says(grown, grown.paths.archive, real / "archive" / NAME)
    return grown


def root_by_its_real_path(grown: Grown) -> Grown:
    """The configuration goes through the link, the command line doesn't."""
    return Grown(_moved(grown.root, grown.root.parent / "mnt" / "x" / "letsencrypt"))


def live_is_a_link(grown: Grown) -> Grown:
    _moved(grown.root / "live", grown.root.parent / "srv" / "of" / "mail" / "live")
    _absolute(grown, grown.paths.live)
    return grown


def lineage_is_a_link(grown: Grown) -> Grown:
    _absolute(grown, grown.paths.live)
    _moved(grown.paths.live, grown.root.parent / "srv" / "certificates")
    return grown


def lineage_is_a_link_with_relative_links(grown: Grown) -> Grown:
    """They lead right for the kernel, and astray for who takes the path's text apart."""
    place = _moved(grown.paths.live, grown.root.parent / "srv" / "of" / "mail" / "certificates")
    for kind in KINDS:
        link = place / f"{kind}.pem"
        target = grown.paths.archive / os.readlink(link).rpartition("/")[2]
        link.unlink()
        link.symlink_to(os.path.relpath(target, place))
    return grown


def staging_is_a_link(grown: Grown) -> Grown:
    staging = grown.root / "staging"
    staging.mkdir(exist_ok=True)
    _moved(staging, grown.root.parent / "var" / "lib" / "one" / "staging")
    if grown.paths.staging.is_dir():
        _absolute(grown, grown.paths.staging)
    return grown


def archive_is_a_link(grown: Grown) -> Grown:
    _moved(grown.root / "archive", grown.root.parent / "raid" / "of" / "disks" / "archive")
    return grown


def archive_of_the_lineage_is_a_link(grown: Grown) -> Grown:
    _moved(grown.paths.archive, grown.root.parent / "raid" / "mail")
    return grown


def renewal_is_a_link(grown: Grown) -> Grown:
    _moved(grown.root / "renewal", grown.root.parent / "etc" / "of" / "certbot" / "renewal")
    return grown


def absolute_links(grown: Grown) -> Grown:
    staged = (grown.paths.staging,) if grown.paths.staged else ()
    _absolute(grown, grown.paths.live, *staged)
    return grown


def all_at_once(grown: Grown) -> Grown:
    """Every part in a place of its own, and ``archive_dir`` by its real path."""
    for layout in (
        renewal_is_a_link,
        lineage_is_a_link,
        staging_is_a_link,
        archive_is_a_link,
        archive_dir_by_its_real_path,
    ):
        grown = layout(grown)
    return grown


LAYOUTS: tuple[Layout, ...] = (
    plain,
    root_is_a_link,
    archive_dir_by_its_real_path,
    root_by_its_real_path,
    live_is_a_link,
    lineage_is_a_link,
    lineage_is_a_link_with_relative_links,
    staging_is_a_link,
    archive_is_a_link,
    archive_of_the_lineage_is_a_link,
    renewal_is_a_link,
    absolute_links,
    all_at_once,
)


def by_certbot(link: Path) -> Path:
    """Where certbot takes a link to lead.

    It takes the text apart (`certbot._internal.storage.get_link_target`, 2.1 to 5.8): ".." goes up
    by name, whatever is a link.
    """
    return Path(os.path.normpath(link.parent / os.readlink(link)))


def opened(grown: Grown, directory: Path) -> int:
    """The version that all four links of ``directory`` lead to, for the kernel as for certbot."""
    found = set()
    for kind in KINDS:
        link = directory / f"{kind}.pem"
        read = by_certbot(link)
        version = int(read.stem.removeprefix(kind))
        file = grown.paths.archived(kind, version)
        assert link.exists(), f"{link} dangles: {os.readlink(link)}"
        assert link.samefile(file), (link, file)
        assert read.exists(), f"certbot reads {link} as {read}, which isn't there"
        assert read.samefile(file), (read, file)
        found.add(version)
    (version,) = found
    return version
