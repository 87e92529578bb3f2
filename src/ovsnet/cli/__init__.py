"""Door for people. Speaks to the agent through its API only; starts fast: nothing heavy is imported before it
is needed.
"""
