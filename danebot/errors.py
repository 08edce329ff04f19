"""One base class, and one class per cause that somebody can act on.

The text of an error is one line: what is wrong, then what to do next.  Only the
entry points turn an error into words and an exit status.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


class DanebotError(Exception):
    """Base of all errors that danebot raises on purpose; its text is one line for the user."""


class NameSyntaxError(DanebotError):
    """A host name, owner name or endpoint that can't be parsed."""


class NameChangeError(DanebotError):
    """A change of a certificate's names that can't be meant."""


class RecordSyntaxError(DanebotError):
    """A TLSA record, a ``dane-ee`` line or a ``dnsnames`` line that can't be parsed."""


class CertificateError(DanebotError):
    """A certificate, chain or key that can't be read, or that doesn't belong together."""


class ConfigError(DanebotError):
    """A setting that is unknown, malformed or contradictory."""


class TreeError(DanebotError):
    """The certbot tree is absent, unreadable, or in a state that danebot can't mend."""


class UnreadableError(TreeError):
    """Something of the tree may be there, but nothing can be told of it now: no absence."""


class NewerError(UnreadableError):
    """A newer version of danebot wrote it: this one must leave it alone."""


class ForeignError(TreeError):
    """Somebody else may have written what danebot alone should write."""


class UnknownLineageError(TreeError):
    """No lineage has the name that was given: wrong usage."""


class LockedError(DanebotError):
    """Another danebot or certbot is at work."""


class CertbotError(DanebotError):
    """certbot is absent, too old, out of time, or failed."""


class RolloverError(DanebotError):
    """A step that would endanger delivery of mail was refused."""


class UnansweredError(DanebotError):
    """A question on which a decision rests got no answer; that is not "no"."""


class HookError(DanebotError):
    """A deploy hook failed or ran out of time."""


@contextmanager
def foreign(error: type[DanebotError], words: str) -> Iterator[None]:
    """Whatever a foreign parser raises becomes ``error``: ``words``, and what kind it was.

    The one boundary to libraries that take apart what others wrote: which exceptions they raise
    isn't theirs to promise, and a panic of one in Rust is no `Exception`.  What danebot raises
    itself passes.  The parser's own words don't, its warnings neither: they may have a secret of
    the file in them, and a run without trouble prints nothing.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (DanebotError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as exc:
        raise error(f"{words} ({type(exc).__name__})") from exc
