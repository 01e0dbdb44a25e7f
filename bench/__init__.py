"""Benchmarks on real Kafka and PostgreSQL, against what people would use instead. They are no part of the product."""
