"""DANE of many domains: a job in stages over partitions, each finished and kept on disk.

Domains lead to MX records, these to hosts that domains share, hosts to addresses and TLSA records,
these to services that are looked at once; then each domain and each host is judged, by the same
rules as everywhere (`danebot.jobs.verify.report_on`).  A stage reads finished partitions and writes
some (`dataset`), so whatever is killed goes on from there.  Dask runs the stages (`engine`), DuckDB
sorts and joins between them (`exchange`).
"""
