"""Every metric in one table: name, type, help, labels.

Labels are bounded: a lineage, an endpoint, a TLSA owner, or a word out of a fixed list.  What
changes on renewal (digests, versions, key types) is in the ``_info`` metrics.  Times are Unix
seconds, durations seconds.  A value that isn't known has no sample; it is never 0 instead.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class MetricKind(enum.Enum):
    """The type as the text format names it."""

    GAUGE = "gauge"
    COUNTER = "counter"


class Origin(enum.Enum):
    """Where a metric is seen."""

    SNAPSHOT = "/metrics and the textfile, from the status document"
    ENDPOINTS = "/metrics, from the probes in the background"
    EXPORTER = "/metrics, about the exporter itself"
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
    origin: Origin, name: str, text: str, *labels: str, kind: MetricKind = MetricKind.GAUGE
) -> Metric:
    metric = TABLE[name] = Metric(name, origin, text, labels, kind)
    return metric


# ---- the status document --------------------------------------------------------------------

_S = Origin.SNAPSHOT
SNAPSHOT_READABLE = _metric(
    _S,
    "danebot_snapshot_readable",
    "1 if the status document could be read at the last look, 0 if not; if 0, all that comes "
    "from it is absent.",
)
SNAPSHOT_ERROR = _metric(
    _S,
    "danebot_snapshot_error",
    "1 for the reason why the status document can't be read, 0 for the others.",
    "reason",
)
SNAPSHOT_TIMESTAMP = _metric(
    _S,
    "danebot_snapshot_timestamp_seconds",
    "When the run ended that wrote the status document; its age tells whether danebot still runs.",
)
RUN_INFO = _metric(
    _S,
    "danebot_run_info",
    "Always 1; the verb and version of the run that wrote the status document.",
    "verb",
    "version",
)
RENEW_START = _metric(
    _S,
    "danebot_renew_start_timestamp_seconds",
    "When the last danebot renew started.",
)
RENEW_END = _metric(
    _S,
    "danebot_renew_end_timestamp_seconds",
    "When the last danebot renew ended.",
)
RENEW_STATUS = _metric(
    _S,
    "danebot_renew_exit_status",
    "The exit status of the last danebot renew: 0 fine, 1 something needs attention.",
)
RENEW_SUCCESS = _metric(
    _S,
    "danebot_renew_success_timestamp_seconds",
    "When the last danebot renew of all lineages ended that had exit status 0; absent if none had.",
)
LINEAGES = _metric(
    _S,
    "danebot_lineages",
    "Lineages in each phase of the rollover.",
    "phase",
)
FINDINGS = _metric(
    _S,
    "danebot_findings",
    "Findings of the last run by code and severity, all lineages together; every code is there, "
    "at 0 while nothing was found.",
    "code",
    "severity",
)

EVENTS = _metric(
    _S,
    "danebot_run_findings",
    "Findings of the last run alone that name a lineage: what happened to it (promoted, hook "
    "failed), or why it could not be read; only codes that were found have a sample.",
    "lineage",
    "code",
    "severity",
)

# ---- lineages -------------------------------------------------------------------------------

LINEAGE_INFO = _metric(
    _S,
    "danebot_lineage_info",
    "Always 1; who manages the lineage (staged: danebot, pass-through: certbot), the live archive "
    "version, the type of the current key, and the SPKI SHA2-256 digests of its keys.",
    "lineage",
    "management",
    "version",
    "key_type",
    "current_key",
    "next_key",
    "ready_key",
)
LINEAGE_PHASE = _metric(
    _S,
    "danebot_lineage_phase",
    "1 for the phase that the lineage is in, 0 for the others.",
    "lineage",
    "phase",
)
PHASE_SINCE = _metric(
    _S,
    "danebot_lineage_phase_since_timestamp_seconds",
    "When a run first found the lineage in its phase.",
    "lineage",
)
LINEAGE_FINDINGS = _metric(
    _S,
    "danebot_lineage_findings",
    "Findings about the lineage by severity.",
    "lineage",
    "severity",
)
LINEAGE_FINDING = _metric(
    _S,
    "danebot_lineage_finding",
    "Findings about the lineage with this code; only codes that were found have a sample.",
    "lineage",
    "code",
    "severity",
)
LINEAGE_SUCCESS = _metric(
    _S,
    "danebot_lineage_success_timestamp_seconds",
    "When the last danebot renew ended that found nothing wrong with the lineage; absent if none.",
    "lineage",
)
LINEAGE_FAILURE = _metric(
    _S,
    "danebot_lineage_failure_timestamp_seconds",
    "When the last danebot renew ended that found something wrong with the lineage; absent if "
    "none.",
    "lineage",
)
NOT_BEFORE = _metric(
    _S,
    "danebot_certificate_not_before_timestamp_seconds",
    "Start of the certificate's validity; place is live (what services serve) or staged (what "
    "certbot issued last).",
    "lineage",
    "place",
)
NOT_AFTER = _metric(
    _S,
    "danebot_certificate_not_after_timestamp_seconds",
    "When the certificate expires; place is live (what services serve) or staged (what certbot "
    "issued last).",
    "lineage",
    "place",
)
RENEWS_AT = _metric(
    _S,
    "danebot_certificate_renewal_timestamp_seconds",
    "From when on certbot renews the live certificate by its own rule; absent if it never does.",
    "lineage",
)
RECORD_SEEN = _metric(
    _S,
    "danebot_tlsa_record_seen",
    "1 if the TLSA record that the key needs was seen everywhere (in a secure answer of the "
    "resolver and at every authoritative server), 0 if it is missing somewhere; absent while that "
    "is unknown. role is current, awaited for a key on its way, or anchor where the chain rests "
    "on a DANE-TA record; type is usage, selector and matching type.",
    "lineage",
    "role",
    "owner",
    "type",
)
RECORD_SECURE = _metric(
    _S,
    "danebot_tlsa_answer_secure",
    "1 if the resolver's answer for the TLSA owner was validated by DNSSEC, 0 if it was insecure "
    "or bogus; absent while the resolver gives no answer.",
    "lineage",
    "owner",
)
RECORD_SERVERS = _metric(
    _S,
    "danebot_tlsa_record_servers",
    "Addresses of authoritative servers (and the resolver, where it lacks the record) by whether "
    "they have the TLSA record: present or missing.",
    "lineage",
    "role",
    "owner",
    "type",
    "state",
)
RECORD_TTL = _metric(
    _S,
    "danebot_tlsa_ttl_seconds",
    "The authoritative TTL of the TLSA RRset; absent where there is none.",
    "lineage",
    "owner",
)
RECORDS_TO_CHANGE = _metric(
    _S,
    "danebot_tlsa_records_to_change",
    "TLSA records that ought to be added to DNS, or may be removed; see: danebot tlsa LINEAGE.",
    "lineage",
    "action",
)
AWAITING_SINCE = _metric(
    _S,
    "danebot_rollover_start_timestamp_seconds",
    "When the key on its way was staged; absent when there is none.",
    "lineage",
)
SEEN_SINCE = _metric(
    _S,
    "danebot_rollover_seen_timestamp_seconds",
    "Since when the records of the key on its way are seen everywhere, unbroken; absent until "
    "they are.",
    "lineage",
)
SAFE_AT = _metric(
    _S,
    "danebot_rollover_safe_timestamp_seconds",
    "When no cache can lack the records of the key on its way any more, so that it may be used; "
    "absent until that is known.",
    "lineage",
)
PROMOTION_FAILURES = _metric(
    _S,
    "danebot_rollover_promotion_failures",
    "Attempts in a row to issue with the ready key that failed.",
    "lineage",
)
PROMOTION_RETRY = _metric(
    _S,
    "danebot_rollover_promotion_retry_timestamp_seconds",
    "Before when no other attempt to issue with the ready key is made; absent if none failed.",
    "lineage",
)
DEPLOYED_AT = _metric(
    _S,
    "danebot_deployment_timestamp_seconds",
    "When danebot last changed what live serves; absent if it never did.",
    "lineage",
)
CONFIRMED_AT = _metric(
    _S,
    "danebot_deployment_confirmed_timestamp_seconds",
    "When all services were seen to serve what was last deployed; absent until they are.",
    "lineage",
)
PENDING_HOOKS = _metric(
    _S,
    "danebot_deployment_pending_hooks",
    "Deploy hooks that have not succeeded yet since the last deployment.",
    "lineage",
)
DEPLOYMENT_PROBE = _metric(
    _S,
    "danebot_deployment_addresses",
    "Addresses of the lineage's services by what they presented when danebot last asked after a "
    "deployment: deployed, other, nothing; absent if it didn't ask.",
    "lineage",
    "serves",
)

# ---- probes in the background ---------------------------------------------------------------

_E = Origin.ENDPOINTS
ENDPOINT_SUCCESS = _metric(
    _E,
    "danebot_endpoint_probe_success",
    "1 if DANE binds senders to the endpoint, and every address of it that this host has a route "
    "to presents a chain that authenticates; else 0.",
    "lineage",
    "endpoint",
)
ENDPOINT_GRADE = _metric(
    _E,
    "danebot_endpoint_grade",
    "1 for how serious it is what DANE senders meet at the endpoint, 0 for the others.",
    "lineage",
    "endpoint",
    "grade",
)
ENDPOINT_DANE = _metric(
    _E,
    "danebot_endpoint_dane_applies",
    "1 if secure TLSA records bind clients of the endpoint, else 0.",
    "lineage",
    "endpoint",
)
ENDPOINT_ADDRESSES = _metric(
    _E,
    "danebot_endpoint_addresses",
    "Addresses of the endpoint by what a DANE sender makes of each.",
    "lineage",
    "endpoint",
    "result",
)
ENDPOINT_KEY = _metric(
    _E,
    "danebot_endpoint_serves_current_key",
    "1 if every certificate presented has the key that the status document says is current, else "
    "0; absent if none was presented.",
    "lineage",
    "endpoint",
)
ENDPOINT_NOT_AFTER = _metric(
    _E,
    "danebot_endpoint_certificate_not_after_timestamp_seconds",
    "When the first of the presented leaf certificates expires; absent if none was presented.",
    "lineage",
    "endpoint",
)
ENDPOINT_TIMESTAMP = _metric(
    _E,
    "danebot_endpoint_probe_timestamp_seconds",
    "When the endpoint was last probed.",
    "lineage",
    "endpoint",
)
ENDPOINT_DURATION = _metric(
    _E,
    "danebot_endpoint_probe_duration_seconds",
    "How long the endpoint's last probe took, DNS included.",
    "lineage",
    "endpoint",
)
ROUND_TIMESTAMP = _metric(
    _E,
    "danebot_endpoint_round_timestamp_seconds",
    "When the last complete round of probes ended; absent before the first.",
)
ROUND_DURATION = _metric(
    _E,
    "danebot_endpoint_round_duration_seconds",
    "How long the last complete round of probes took; absent before the first.",
)

# ---- the exporter itself --------------------------------------------------------------------

_X = Origin.EXPORTER
BUILD_INFO = _metric(
    _X,
    "danebot_exporter_build_info",
    "Always 1; the exporter's version, which may be newer than the one that wrote the status "
    "document.",
    "version",
)
READ_FAILURES = _metric(
    _X,
    "danebot_snapshot_read_failures_total",
    "Changes of the status document that could not be read, by reason.",
    "reason",
    kind=MetricKind.COUNTER,
)
COULD_NOT_LOOK = _metric(
    _X,
    "danebot_endpoint_could_not_look_total",
    "Endpoints that a round of probes could not look at by a fault of this host (its resolver, or "
    "no descriptors left); what was seen before stands meanwhile.",
    kind=MetricKind.COUNTER,
)
REQUESTS = _metric(
    _X,
    "danebot_exporter_http_requests_total",
    "Requests answered, by handler and HTTP status class.",
    "handler",
    "status",
    kind=MetricKind.COUNTER,
)

# ---- /probe ---------------------------------------------------------------------------------

_P = Origin.PROBE
PROBE_SUCCESS = _metric(
    _P,
    "probe_success",
    "1 if the target was judged and no sender that obeys DANE fails, else 0.",
)
PROBE_DURATION = _metric(
    _P,
    "probe_duration_seconds",
    "How long the probe took, DNS included.",
)
PROBE_GRADE = _metric(
    _P,
    "danebot_probe_grade",
    "1 for how serious the most serious finding is, 0 for the others.",
    "grade",
)
PROBE_FINDINGS = _metric(
    _P,
    "danebot_probe_findings",
    "Findings about the target by code; every code is there, at 0 while nothing was found.",
    "code",
)
PROBE_HOSTS = _metric(
    _P,
    "danebot_probe_hosts",
    "Hosts of the target by whether DANE binds senders to them.",
    "dane",
)
PROBE_ADDRESSES = _metric(
    _P,
    "danebot_probe_addresses",
    "Addresses that were asked, by what a DANE sender makes of each.",
    "result",
)
PROBE_NOT_AFTER = _metric(
    _P,
    "danebot_probe_certificate_not_after_timestamp_seconds",
    "When the first of the presented certificates expires; absent if none was presented.",
)
PROBE_SIGNED = _metric(
    _P,
    "danebot_probe_signature_not_after_timestamp_seconds",
    "When the first of the DNSSEC signatures expires that senders rely on; absent if unknown.",
)
