"""Those who publish: DNS UPDATE with TSIG, and programs of the operator's."""
