"""The runbook for people who look at the page: docs/runbook.md, and which entry a finding has.

Its markup is a small part of Markdown: headings, paragraphs, lists, code, emphasis and links.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from danebot.domain.codes import Code
from danebot.domain.delivery.codes import DeliveryCode
from danebot.domain.finding import Severity
from danebot.domain.status.overdue import StatusCode
from danebot_exporter.frame import document
from danebot_exporter.html import Html, fragment, tag

if TYPE_CHECKING:
    from danebot.domain.finding import Finding
    from danebot.domain.kinds import FindingKind

_ENTRIES: dict[FindingKind, str] = {
    Code.BREAKS_AT_RENEWAL: "DanebotBreaksAtRenewal",
    Code.CLOCK_BEHIND: "DanebotClockWrong",
    Code.COOLING: "DanebotRolloverStuck",
    Code.EXPIRED: "DanebotCertificateExpires",
    Code.EXPIRES_SOON: "DanebotCertificateExpiresSoon",
    Code.FILES_BROKEN: "DanebotLineageBroken",
    Code.HOOK_FAILED: "DanebotDeploymentUnfinished",
    Code.KEY_UNKNOWN: "DanebotKeyUnknown",
    Code.NEXT_KEY_STUCK: "DanebotRolloverStuck",
    Code.NEXT_KEY_WAITS: "DanebotRolloverStuck",
    Code.NEXT_KEY_WITHDRAWN: "DanebotRecordWithdrawn",
    Code.NOT_CONFIRMED: "DanebotDeploymentUnfinished",
    Code.NOT_RENEWED: "DanebotNotRenewed",
    Code.NOT_RUN: "DanebotRenewFailing",
    Code.NOT_SERVED: "DanebotDeploymentUnfinished",
    Code.PROMOTION_DUE: "DanebotPromotionFailing",
    Code.PROMOTION_FAILED: "DanebotPromotionFailing",
    Code.RENEWAL_FAILED: "DanebotRenewalFailed",
    Code.ROLLOVER_STUCK: "DanebotRolloverStuck",
    Code.SERVER_LACKS_RECORD: "DanebotTlsaMissing",
    Code.TLSA_BOGUS: "DanebotTlsaBogus",
    Code.TLSA_INSECURE: "DanebotTlsaInsecure",
    Code.TLSA_MISMATCH: "DanebotTlsaMismatch",
    Code.TLSA_MISSING: "DanebotTlsaMissing",
    DeliveryCode.ALL_UNUSABLE: "DanebotEndpointUnauthenticated",
    DeliveryCode.LOOKUP_FAILED: "DanebotEndpointUnauthenticated",
    DeliveryCode.MISMATCH: "DanebotEndpointMismatch",
    DeliveryCode.NO_DANE: "DanebotEndpointUnauthenticated",
    DeliveryCode.NO_STARTTLS: "DanebotEndpointUnauthenticated",
    DeliveryCode.NOT_ASKED: "DanebotEndpointUnseen",
    DeliveryCode.NOT_JUDGED: "DanebotEndpointUnseen",
    DeliveryCode.RESOLVER_FAILED: "DanebotEndpointUnseen",
    DeliveryCode.RESOLVER_UNTRUSTED: "DanebotEndpointUnseen",
    DeliveryCode.TLS_FAILED: "DanebotEndpointUnauthenticated",
    DeliveryCode.UNREACHABLE: "DanebotEndpointUnauthenticated",
    StatusCode.NOTHING_WATCHED: "DanebotNothingWatched",
    StatusCode.STATUS_AHEAD: "DanebotClockWrong",
    StatusCode.STATUS_OLD: "DanebotNotRunning",
    StatusCode.STATUS_UNREADABLE: "DanebotSnapshotUnreadable",
}
_ITEM = re.compile(r"(?m)^(?:-|\d+\.) ")
_INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*|\[([^]]+)\]\(([^)]+)\)")


def runbook_anchor(finding: Finding) -> str:
    """Return the anchor of the finding's entry; what has none of its own is told by severity."""
    critical = finding.severity is Severity.CRITICAL
    usual = "DanebotFindingCritical" if critical else "DanebotFinding"
    return _ENTRIES.get(finding.code, usual).lower()


@cache
def runbook() -> bytes:
    """The runbook as a page."""
    text = (files("danebot_exporter") / "runbook.md").read_text(encoding="utf-8")
    blocks = [_block(block) for block in re.split(r"\n\n+", text.strip("\n"))]
    return document("Runbook", tag("main", blocks, class_="book"))


def _block(block: str) -> Html:
    if found := re.fullmatch(r"(#+) (.+)", block):
        level, title = found.groups()
        named = {"id": title.lower()} if level == "##" else {}
        return tag(f"h{len(level)}", title, **named)
    if block.startswith("    "):
        return tag("pre", re.sub(r"(?m)^    ", "", block))
    first, *items = _ITEM.split(block)
    parts = [tag("p", _inline(first))] if first else []
    if items:
        kind = "ol" if re.search(r"(?m)^1\. ", block) else "ul"
        parts.append(tag(kind, (tag("li", _inline(item)) for item in items)))
    return tag("div", parts)


def _inline(text: str) -> Iterator[Html]:
    """Words with code, emphasis, and links within the page; others lead out of it."""
    at = 0
    flat = " ".join(text.split())
    for found in _INLINE.finditer(flat):
        yield fragment(flat[at : found.start()])
        at = found.end()
        code, strong, weak, words, target = found.groups()
        if code is not None:
            yield tag("code", code)
        elif words is None:
            yield tag("b", strong or weak)
        elif target.startswith("#"):
            yield tag("a", _inline(words), href=target)
        else:
            yield from _inline(words)
    yield fragment(flat[at:])
