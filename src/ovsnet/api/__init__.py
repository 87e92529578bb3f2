"""Door: our REST API on a Unix socket. Read only; it shows what is, and never changes it."""
