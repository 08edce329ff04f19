"""Passive results: a list of services kept fresh, and handed to Icinga 2 or Nagios.

``settings`` reads the operator's file, ``icinga`` and ``http_sd`` lists made by others; `schedule`
says what is due, `looks` looks, `outbox` keeps what was found until ``icinga`` or ``nagios`` has
taken it, and `feeder` runs all of them.
"""
