"""`python -m services.signer`."""

from services.common.process import run
from services.signer.app import main

if __name__ == "__main__":
    run(main)
