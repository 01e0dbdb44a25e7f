"""The board's site: its title and footer, and the text of its problems."""

from types import MappingProxyType
from zoneinfo import ZoneInfo

from handoff.web.pages.site import Site
from handoff.web.pages.translation import gettext_noop


def board_site(time_zone: ZoneInfo) -> Site:
    """Return the site of the board."""
    return Site(
        title=gettext_noop("Coordination board"),
        footer=gettext_noop(
            "This board shows institutions, services, ages and opaque references; it contains no case and no person. "
            "Times are in the time zone {zone}."
        ),
        pages="handoff.coordination.pages",
        catalogues="handoff.coordination.i18n",
        time_zone=time_zone,
        problems=MappingProxyType({}),
    )
