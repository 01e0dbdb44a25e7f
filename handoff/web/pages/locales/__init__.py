"""Gettext catalogues of the page kit: its own sentences, and the codes of the record."""
