"""Addresses: which subnet, which address, which MAC. Pure."""
