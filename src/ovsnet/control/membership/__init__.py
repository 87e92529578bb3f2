"""Being a host of a cluster: joining and leaving it, who lives, who votes, which ways lead to the others."""
