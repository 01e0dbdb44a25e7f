"""Catalogues of the sentences of the board."""
