"""The kernel: links, namespaces, routes."""
