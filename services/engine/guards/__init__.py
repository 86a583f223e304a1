"""The guards, in the order in which the first refusal names why a copy was skipped (guards.md)."""
