"""Every metric in one table: name, type, help, labels.

Labels are bounded: a lineage, an endpoint, a TLSA owner, or a word out of a fixed list.  What
changes on renewal (digests, versions, key types) is in the ``_info`` metrics.  Times are Unix
seconds, durations seconds.  A value that isn't known has no sample; it is never 0 instead.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from functools import partial


class MetricKind(enum.Enum):
    """The type as the text format names it."""

    GAUGE = "gauge"
    COUNTER = "counter"


class Origin(enum.Enum):
    """Where a metric is seen."""

    SNAPSHOT = "/metrics and the textfile, from the status document"
    ENDPOINTS = "/metrics, from the probes in the background"
    EXPORTER = "/metrics, about the exporter itself"
    FEED = "/metrics, with --feed"
    PROBE = "/probe"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family; ``labels`` in the order in which values are given."""

    name: str
    origin: Origin
    help: str
    labels: tuple[str, ...] = ()
    kind: MetricKind = MetricKind.GAUGE


TABLE: dict[str, Metric] = {}
"""All metrics by name, in the order in which they are exposed."""


def _metric(
    origin: Origin, name: str, labels: str, text: str, kind: MetricKind = MetricKind.GAUGE
) -> Metric:
    """Put a row into the table; ``labels`` are divided by blanks, "" for none."""
    metric = TABLE[name] = Metric(name, origin, text, tuple(labels.split()), kind)
    return metric


_snapshot = partial(_metric, Origin.SNAPSHOT)
_endpoint = partial(_metric, Origin.ENDPOINTS)
_exporter = partial(_metric, Origin.EXPORTER)
_feed = partial(_metric, Origin.FEED)
_probe = partial(_metric, Origin.PROBE)


# ---- the status document --------------------------------------------------------------------

SNAPSHOT_READABLE = _snapshot(
    "danebot_snapshot_readable",
    "",
    "1 if the status document could be read at the last look, 0 if not; if 0, all that comes "
    "from it is absent.",
)
SNAPSHOT_ERROR = _snapshot(
    "danebot_snapshot_error",
    "reason",
    "1 for the reason why the status document can't be read, 0 for the others.",
)
SNAPSHOT_TIMESTAMP = _snapshot(
    "danebot_snapshot_timestamp_seconds",
    "",
    "When the run ended that wrote the status document; its age tells whether danebot still runs.",
)
RUN_INFO = _snapshot(
    "danebot_run_info",
    "verb version",
    "Always 1; the verb and version of the run that wrote the status document.",
)
RENEW_START = _snapshot(
    "danebot_renew_start_timestamp_seconds", "", "When the last danebot renew started."
)
RENEW_END = _snapshot(
    "danebot_renew_end_timestamp_seconds", "", "When the last danebot renew ended."
)
RENEW_STATUS = _snapshot(
    "danebot_renew_exit_status",
    "",
    "The exit status of the last danebot renew: 0 fine, 1 something needs attention.",
)
RENEW_SUCCESS = _snapshot(
    "danebot_renew_success_timestamp_seconds",
    "",
    "When the last danebot renew of all lineages ended that had exit status 0; absent if none had.",
)
LINEAGES = _snapshot("danebot_lineages", "phase", "Lineages in each phase of the rollover.")
FINDINGS = _snapshot(
    "danebot_findings",
    "code severity",
    "Findings by code and severity: of the last run, all lineages together, and on /metrics of the "
    "last round of probes, too; every code is there, at 0 while nothing was found, but those of "
    "probes only where there are some.",
)

EVENTS = _snapshot(
    "danebot_run_findings",
    "lineage code severity",
    "Findings of the last run alone: what happened to a lineage (promoted, hook failed), or why it "
    "could not be read; lineage is empty where none is named. Only codes that were found have a "
    "sample.",
)

# ---- lineages -------------------------------------------------------------------------------

LINEAGE_INFO = _snapshot(
    "danebot_lineage_info",
    "lineage management version key_type current_key next_key ready_key",
    "Always 1; who manages the lineage (staged: danebot, pass-through: certbot), the live archive "
    "version, the type of the current key, and the SPKI SHA2-256 digests of its keys.",
)
LINEAGE_PHASE = _snapshot(
    "danebot_lineage_phase",
    "lineage phase",
    "1 for the phase that the lineage is in, 0 for the others.",
)
PHASE_SINCE = _snapshot(
    "danebot_lineage_phase_since_timestamp_seconds",
    "lineage",
    "When a run first found the lineage in its phase.",
)
LINEAGE_FINDINGS = _snapshot(
    "danebot_lineage_findings", "lineage severity", "Findings about the lineage by severity."
)
LINEAGE_FINDING = _snapshot(
    "danebot_lineage_finding",
    "lineage code severity",
    "Findings about the lineage with this code; only codes that were found have a sample.",
)
LINEAGE_SUCCESS = _snapshot(
    "danebot_lineage_success_timestamp_seconds",
    "lineage",
    "When the last danebot renew ended that found nothing wrong with the lineage; absent if none.",
)
LINEAGE_FAILURE = _snapshot(
    "danebot_lineage_failure_timestamp_seconds",
    "lineage",
    "When the last danebot renew ended that found something wrong with the lineage; absent if "
    "none.",
)
NOT_BEFORE = _snapshot(
    "danebot_certificate_not_before_timestamp_seconds",
    "lineage place",
    "Start of the certificate's validity; place is live (what services serve) or staged (what "
    "certbot issued last).",
)
NOT_AFTER = _snapshot(
    "danebot_certificate_not_after_timestamp_seconds",
    "lineage place",
    "When the certificate expires; place is live (what services serve) or staged (what certbot "
    "issued last).",
)
RENEWS_AT = _snapshot(
    "danebot_certificate_renewal_timestamp_seconds",
    "lineage",
    "From when on certbot renews the live certificate by its own rule; absent if it never does.",
)
RECORD_SEEN = _snapshot(
    "danebot_tlsa_record_seen",
    "lineage role owner type",
    "1 if the TLSA record that the key needs was seen everywhere (in a secure answer of the "
    "resolver and at every authoritative server), 0 if it is missing somewhere; absent while that "
    "is unknown. role is current, awaited for a key on its way, or anchor where the chain rests "
    "on a DANE-TA record; type is usage, selector and matching type.",
)
RECORD_SECURE = _snapshot(
    "danebot_tlsa_answer_secure",
    "lineage owner",
    "1 if the resolver's answer for the TLSA owner was validated by DNSSEC, 0 if it was insecure "
    "or bogus; absent while the resolver gives no answer.",
)
RECORD_SERVERS = _snapshot(
    "danebot_tlsa_record_servers",
    "lineage role owner type state",
    "Addresses of authoritative servers (and the resolver, where it lacks the record) by whether "
    "they have the TLSA record: present or missing.",
)
RECORD_TTL = _snapshot(
    "danebot_tlsa_ttl_seconds",
    "lineage owner",
    "The authoritative TTL of the TLSA RRset; absent where there is none.",
)
RECORDS_TO_CHANGE = _snapshot(
    "danebot_tlsa_records_to_change",
    "lineage action",
    "TLSA records that ought to be added to DNS, or may be removed; see: danebot tlsa LINEAGE.",
)
AWAITING_SINCE = _snapshot(
    "danebot_rollover_start_timestamp_seconds",
    "lineage",
    "When the key on its way was staged; absent when there is none.",
)
SEEN_SINCE = _snapshot(
    "danebot_rollover_seen_timestamp_seconds",
    "lineage",
    "Since when the records of the key on its way are seen everywhere, unbroken; absent until "
    "they are.",
)
SAFE_AT = _snapshot(
    "danebot_rollover_safe_timestamp_seconds",
    "lineage",
    "When no cache can lack the records of the key on its way any more, so that it may be used; "
    "absent until that is known.",
)
PROMOTION_FAILURES = _snapshot(
    "danebot_rollover_promotion_failures",
    "lineage",
    "Attempts in a row to issue with the ready key that failed.",
)
PROMOTION_RETRY = _snapshot(
    "danebot_rollover_promotion_retry_timestamp_seconds",
    "lineage",
    "Before when no other attempt to issue with the ready key is made; absent if none failed.",
)
DEPLOYED_AT = _snapshot(
    "danebot_deployment_timestamp_seconds",
    "lineage",
    "When danebot last changed what live serves; absent if it never did.",
)
CONFIRMED_AT = _snapshot(
    "danebot_deployment_confirmed_timestamp_seconds",
    "lineage",
    "When all services were seen to serve what was last deployed; absent until they are.",
)
PENDING_HOOKS = _snapshot(
    "danebot_deployment_pending_hooks",
    "lineage",
    "Deploy hooks that have not succeeded yet since the last deployment.",
)
DEPLOYMENT_PROBE = _snapshot(
    "danebot_deployment_addresses",
    "lineage serves",
    "Addresses of the lineage's services by what they presented when danebot last asked after a "
    "deployment: deployed, other, nothing; absent if it didn't ask.",
)

# ---- probes in the background ---------------------------------------------------------------

ENDPOINT_SUCCESS = _endpoint(
    "danebot_endpoint_probe_success",
    "lineage endpoint",
    "1 if DANE binds senders to the endpoint, and every address of it that this host has a route "
    "to presents a chain that authenticates; else 0.",
)
ENDPOINT_GRADE = _endpoint(
    "danebot_endpoint_grade",
    "lineage endpoint grade",
    "1 for how serious it is what DANE senders meet at the endpoint, 0 for the others: notice "
    "(fine), unjudged (can't be told from here), warning or critical.",
)
ENDPOINT_DANE = _endpoint(
    "danebot_endpoint_dane_applies",
    "lineage endpoint",
    "1 if secure TLSA records bind clients of the endpoint, else 0.",
)
ENDPOINT_ADDRESSES = _endpoint(
    "danebot_endpoint_addresses",
    "lineage endpoint result",
    "Addresses of the endpoint by what a DANE sender makes of each.",
)
ENDPOINT_KEY = _endpoint(
    "danebot_endpoint_serves_current_key",
    "lineage endpoint",
    "1 if every certificate presented has the key that the status document says is current, else "
    "0; absent if none was presented.",
)
ENDPOINT_NOT_AFTER = _endpoint(
    "danebot_endpoint_certificate_not_after_timestamp_seconds",
    "lineage endpoint",
    "When the first certificate expires of those that senders rely on: the leaf, and with an "
    "anchor the path to it; absent if none was presented.",
)
ENDPOINT_SIGNED = _endpoint(
    "danebot_endpoint_signature_not_after_timestamp_seconds",
    "lineage endpoint",
    "When the first of the DNSSEC signatures expires that senders to the endpoint rely on; absent "
    "if unknown.",
)
ENDPOINT_TIMESTAMP = _endpoint(
    "danebot_endpoint_probe_timestamp_seconds",
    "lineage endpoint",
    "When the endpoint was last probed.",
)
ENDPOINT_DURATION = _endpoint(
    "danebot_endpoint_probe_duration_seconds",
    "lineage endpoint",
    "How long the endpoint's last probe took, DNS included.",
)
ROUND_TIMESTAMP = _endpoint(
    "danebot_endpoint_round_timestamp_seconds",
    "",
    "When the last complete round of probes ended; absent before the first.",
)
ROUND_DURATION = _endpoint(
    "danebot_endpoint_round_duration_seconds",
    "",
    "How long the last complete round of probes took; absent before the first.",
)

# ---- the exporter itself --------------------------------------------------------------------

BUILD_INFO = _exporter(
    "danebot_exporter_build_info",
    "version",
    "Always 1; the exporter's version, which may be newer than the one that wrote the status "
    "document.",
)
READ_FAILURES = _exporter(
    "danebot_snapshot_read_failures_total",
    "reason",
    "Changes of the status document that could not be read, by reason.",
    kind=MetricKind.COUNTER,
)
WATCHED = _exporter(
    "danebot_endpoint_watched",
    "",
    "Endpoints that the last round of probes began with, whether or not it ended; 0 if none does.",
)
COULD_NOT_LOOK = _exporter(
    "danebot_endpoint_could_not_look_total",
    "",
    "Endpoints that a round of probes could not look at by a fault of this host (its resolver, or "
    "no descriptors left); what was seen before stands meanwhile.",
    kind=MetricKind.COUNTER,
)
REQUESTS = _exporter(
    "danebot_exporter_http_requests_total",
    "handler status",
    "Requests answered, by handler and HTTP status class.",
    kind=MetricKind.COUNTER,
)

REFUSED = _exporter(
    "danebot_exporter_refused_total",
    "reason",
    "What peers were refused: connections for which there was no room (connection-limit, "
    "address-limit), or that waited and made room for others (connection-closed), "
    "the check of a password (password-limit), and probes that waited in vain (probe-limit).",
    kind=MetricKind.COUNTER,
)

# ---- the feed -------------------------------------------------------------------------------

FEED_SERVICES = _feed(
    "danebot_exporter_feed_services",
    "",
    "Services that are kept fresh; absent until a list was read.",
)
FEED_LISTED_AT = _feed(
    "danebot_exporter_feed_list_timestamp_seconds",
    "",
    "When the lists of services were last read, all of them; absent before.",
)
FEED_LOOKS = _feed(
    "danebot_exporter_feed_looks_total",
    "status",
    "Looks at services by what they found: ok, warning, critical or unknown.",
    kind=MetricKind.COUNTER,
)
FEED_BEHIND = _feed(
    "danebot_exporter_feed_behind_seconds",
    "",
    "How late the last look began; it grows while the host can't do as much as the list wants.",
)
FEED_OVERDUE = _feed(
    "danebot_exporter_feed_overdue_seconds",
    "",
    "For how long the service that waits longest has been without a look, beyond twice its "
    "interval; 0 while none is.",
)
FEED_THREADS = _feed(
    "danebot_exporter_feed_threads",
    "",
    "Threads of the feed that run; all is well with 3.",
)
FEED_FAILURES = _feed(
    "danebot_exporter_feed_failures_total",
    "",
    "How often one of them failed by an error of danebot's own, and began again.",
    kind=MetricKind.COUNTER,
)
FEED_RESULTS = _feed(
    "danebot_exporter_feed_results_total",
    "result",
    "Results by what became of them: submitted, refused (Icinga knows no such service), or "
    "replaced by a newer one before anybody took them.",
    kind=MetricKind.COUNTER,
)
FEED_WAITING = _feed(
    "danebot_exporter_feed_waiting",
    "",
    "Results that wait to be taken, the newest of each service.",
)
FEED_SUBMITTED_AT = _feed(
    "danebot_exporter_feed_submitted_timestamp_seconds",
    "",
    "When Icinga or Nagios last took a result; absent before the first.",
)

# ---- /probe ---------------------------------------------------------------------------------

PROBE_SUCCESS = _probe(
    "probe_success", "", "1 if the target was judged and no sender that obeys DANE fails, else 0."
)
PROBE_DURATION = _probe("probe_duration_seconds", "", "How long the probe took, DNS included.")
PROBE_GRADE = _probe(
    "danebot_probe_grade",
    "grade",
    "1 for how serious the most serious finding is, 0 for the others: notice (fine), unjudged "
    "(can't be told from here), warning or critical.",
)
PROBE_FINDINGS = _probe(
    "danebot_probe_findings",
    "code",
    "Findings about the target by code; every code is there, at 0 while nothing was found.",
)
PROBE_HOSTS = _probe(
    "danebot_probe_hosts", "dane", "Hosts of the target by whether DANE binds senders to them."
)
PROBE_ADDRESSES = _probe(
    "danebot_probe_addresses",
    "result",
    "Addresses that were asked, by what a DANE sender makes of each.",
)
PROBE_NOT_AFTER = _probe(
    "danebot_probe_certificate_not_after_timestamp_seconds",
    "",
    "When the first certificate expires of those that senders rely on: the leaf, and with an "
    "anchor the path to it; absent if none was presented.",
)
PROBE_SIGNED = _probe(
    "danebot_probe_signature_not_after_timestamp_seconds",
    "",
    "When the first of the DNSSEC signatures expires that senders rely on; absent if unknown.",
)
