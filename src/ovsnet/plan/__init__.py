"""What this host should look like: a function of the desired state and the facts. Pure."""
