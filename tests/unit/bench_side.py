"""A side of the speed suite: says that it took so many seconds for 10 documents, or fails."""

import sys
from pathlib import Path

from benchmarks.measurement import Turn

if __name__ == "__main__":
    order, seconds, _, output = sys.argv[1:]
    with Path(order).open("a", encoding="utf-8") as log:
        log.write(seconds + "\n")
    if seconds == "broken":
        sys.exit("no such weights")
    Turn(seconds=float(seconds), documents=10, pieces=100, start_seconds=1.0).write(Path(output))
