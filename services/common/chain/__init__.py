"""The only code that imports web3: receipts, logs and balances of the chain."""
