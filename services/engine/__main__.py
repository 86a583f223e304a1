"""`python -m services.engine`."""

from services.common.process import run
from services.engine.app import main

if __name__ == "__main__":
    run(main)
