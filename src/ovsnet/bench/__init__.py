"""The measuring rig: ratios against a peer in one run; absolute times on shared machines mean nothing."""
