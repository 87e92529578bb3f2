"""Door for names: what containers of the cluster are called, answered on every network."""
