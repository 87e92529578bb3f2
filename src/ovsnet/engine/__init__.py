"""The Docker engine as a source of facts: lists and events. Never asked from within a driver call."""
