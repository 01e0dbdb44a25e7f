"""The contestants of a race: each is a separate program that reads a job and prints its outcome."""
