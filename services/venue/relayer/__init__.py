"""The relayer: wallets without gas, made and moved for whoever signs."""
