"""The daemon: `keeper` holds the sockets, `main` builds everything, `supervise` runs and stops it."""
