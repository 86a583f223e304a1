"""What the engine counts and times."""

from prometheus_client import Counter, Gauge, Histogram

_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60)

DECISIONS = Counter("polycopy_engine_decisions_total", "Decisions, by what the guards said", ["kind", "verdict"])
ATTEMPTS = Counter("polycopy_engine_attempts_total", "Times that orders were sent, by what came of it", ["outcome"])
ENDS = Counter("polycopy_engine_ends_total", "Copies that left the engine, by how", ["end"])
RETRIES = Counter("polycopy_engine_retries_total", "Copies that wait for another order, by how the last ended", ["end"])
PUT_BACK = Counter("polycopy_engine_put_back_total", "Claims that were given back untouched, by why", ["reason"])
GATE_CLOSED = Gauge("polycopy_engine_gate_closed", "1 while a condition of the gate fails", ["account", "condition"])
EXIT_OPEN_SECONDS = Gauge("polycopy_engine_oldest_exit_seconds", "Age of the oldest exit that is not met", ["account"])
EXITS_OVERDUE = Gauge(
    "polycopy_engine_exits_overdue", "Exits that are open for longer than they should be", ["account"]
)
OWN_STEPS = Counter("polycopy_engine_own_exits_total", "Exits that a follow's own rules asked for, by cause", ["cause"])
DETECT_TO_DECIDE = Histogram("polycopy_engine_decide_seconds", "From a stored copy to its decision", buckets=_STEPS)
DECIDE_TO_SEND = Histogram("polycopy_engine_send_seconds", "From the decision to the venue's answer", buckets=_STEPS)
FILL_TO_ORDER = Histogram(
    "polycopy_engine_leader_fill_to_order_seconds", "From a leader's fill to our order leaving", buckets=_STEPS
)
