"""Open vSwitch on this host: bridges and ports by its database, flows and packets by its own programs."""
