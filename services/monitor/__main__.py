"""`python -m services.monitor`."""

from services.common.process import run
from services.monitor.app import main

if __name__ == "__main__":
    run(main)
