"""The audit trail outside of the database: the file of checkpoints, and what is written into an export."""
