"""The audit: reads cases across institutions, by an API and by pages, and records each read first."""
