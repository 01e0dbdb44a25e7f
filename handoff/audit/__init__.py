"""The audit: cases read across institutions, by an API and by pages, with each read recorded first."""
