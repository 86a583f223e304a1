"""The figures that the README quotes, measured on the machine that asks for them. Kept apart from the tests: nothing here passes or fails."""
