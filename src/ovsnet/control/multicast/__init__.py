"""Who listens to which multicast group."""
