"""Names of institutions, as every site shows them."""

from handoff.web.pages.translation import Translation


def member_name(tr: Translation, member: str) -> str:
    """Return the name of an institution, or its id as text if the catalogue has no name for it."""
    named = tr.code("Member", member)
    return named if named != member else member.replace("_", " ").capitalize()
