"""`python -m services.reconciler`."""

from services.common.process import run
from services.reconciler.app import main

if __name__ == "__main__":
    run(main)
