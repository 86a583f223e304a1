"""Gamma: what markets, events and people say of themselves (venue.md 2)."""
