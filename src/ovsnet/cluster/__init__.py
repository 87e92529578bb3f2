"""Other hosts: how a host becomes a member, how members trust each other, and the shared database's server."""
