"""Doctor: checks of every part of an installation, each with a finding and the action to take."""
