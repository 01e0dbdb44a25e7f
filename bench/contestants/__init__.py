"""The contestants of a race: each is a program of its own that reads a job and prints its outcome."""
