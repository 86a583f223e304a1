"""The CLOB over REST (venue.md 3)."""
