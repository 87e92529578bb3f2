"""Looking, never touching: what is well, what differs, what is where."""
