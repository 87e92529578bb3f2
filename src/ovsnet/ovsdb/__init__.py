"""OVSDB as seen from asyncio: replicas that follow a server, and transactions. Knows no table by name."""
