"""Nagios and Icinga plugins: findings rendered as one status line."""
