"""Whether a chain satisfies TLSA records: the verdict, as senders reach it."""
