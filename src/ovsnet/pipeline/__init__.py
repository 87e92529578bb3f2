"""OpenFlow as values: which flows and groups one host needs. Pure."""
