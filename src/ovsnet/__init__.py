"""ovsnet: Open vSwitch as the network of Docker. Read docs/architecture.md first."""

__version__ = "0.1.0"
