"""A case's timeline in forms that leave the page: a table, an event log for process mining, a printed page."""
