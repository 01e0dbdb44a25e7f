"""The coordinator's board: open handoffs between institutions, with ages and causes, without any case."""
