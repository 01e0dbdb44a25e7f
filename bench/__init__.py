"""Benchmarks on real Kafka and PostgreSQL, against the usual alternatives. They are not part of the product."""
