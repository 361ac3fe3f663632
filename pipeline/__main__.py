"""``python -m pipeline`` is the same door as ``briefing``."""

from pipeline.cli.main import run

if __name__ == "__main__":
    run()
