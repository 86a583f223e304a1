"""Seeded simulation of the production monitor, engine and reconciler: virtual time, in-memory ports, every effect may fail."""
