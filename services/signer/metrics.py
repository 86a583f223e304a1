"""What the signer counts."""

from prometheus_client import Counter, Gauge

ORDERS = Counter(
    "polycopy_signer_orders_total", "Orders asked for: signed, halted, or the rule that refused", ["outcome"]
)
HALTED = Gauge("polycopy_signer_halted", "1 while a wallet is halted", ["wallet"])
