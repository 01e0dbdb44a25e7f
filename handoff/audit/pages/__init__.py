"""The pages of the timeline: one case, at a chosen time."""
