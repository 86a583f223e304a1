"""The signer: holds the wallets' keys, and signs what its own policy allows."""
