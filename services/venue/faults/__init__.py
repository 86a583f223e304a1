"""What goes wrong on purpose: seeded, by target and rate, and every strike a line in the journal (venue.md 10)."""
