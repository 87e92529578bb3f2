"""What the hosts of a cluster share: networks, addresses, endpoints, names; each host writes its own part of it."""
