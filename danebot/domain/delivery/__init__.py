"""The outside view: a domain's hosts and services, as a DANE sender finds them."""
