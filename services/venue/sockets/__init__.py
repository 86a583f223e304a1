"""The CLOB over WebSockets (venue.md 5)."""
