"""Door: the Docker engine's remote-driver protocol. Translates messages into requests; no rule of ours."""
