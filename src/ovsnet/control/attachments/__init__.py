"""Interfaces that people attach to running containers and namespaces: who may have which, and for how long."""
