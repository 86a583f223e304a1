"""`python -m services.gateway`."""

from services.common.process import run
from services.gateway.app import main

if __name__ == "__main__":
    run(main)
