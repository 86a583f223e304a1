"""`python -m services.cli.replay`: the command alone."""

import typer

from services.cli.replay.command import replay_command

if __name__ == "__main__":
    typer.run(replay_command)
