"""A service that writes numbered lines until it is stopped."""

import itertools
import sys
import time

if __name__ == "__main__":
    for number in itertools.count():
        sys.stdout.write(f"line {number}\n")
        sys.stdout.flush()
        # Otherwise a file would grow to many megabytes between two looks at its size.
        if number % 1_000 == 0:
            time.sleep(0.02)
