"""Door: the Docker engine's remote-driver protocol. Translates messages into requests to control; no rule of ours."""
