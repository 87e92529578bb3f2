"""DHCP for interfaces that were attached: who runs the clients, and what they are told."""
