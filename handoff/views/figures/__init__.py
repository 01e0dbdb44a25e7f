"""Figures of a jurisdiction: pure functions over handoffs without cases, from which pack, API and board take them."""
