"""A site: the templates, catalogues and style sheets that one application adds to those of the page kit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from fastapi import Request

from handoff.web.pages.static_files import StaticFiles
from handoff.web.pages.translation import Translation, read_catalogue

_KIT = "handoff.web.pages"


class ProblemText(NamedTuple):
    """The title of a problem page, and what the person can do about the problem. Both are message ids."""

    title: str
    remedy: str


@dataclass(frozen=True)
class Site:
    """The pages of one application.

    ``pages`` is the package that holds its `templates/` and `static/`; ``catalogues`` the one that holds its `.po`
    files. ``title`` and ``footer`` are message ids; ``footer`` may contain `{zone}`. ``problems`` maps the codes of
    problems that only this site has to their texts.
    """

    title: str
    footer: str
    pages: str
    catalogues: str
    time_zone: ZoneInfo
    problems: Mapping[str, ProblemText] = field(default_factory=lambda: MappingProxyType({}))

    def translation(self, language: str) -> Translation:
        """Return the messages of the page kit and of this site in ``language``."""
        if language not in self._translations:
            messages = {
                **read_catalogue(f"{_KIT}.locales", language),
                **read_catalogue(self.catalogues, language),
            }
            self._translations[language] = Translation(language, messages, self.time_zone)
        return self._translations[language]

    @cached_property
    def _translations(self) -> dict[str, Translation]:
        return {}

    @cached_property
    def templates(self) -> Any:
        """The Jinja environment. A template of the site hides one of the kit with the same name."""
        from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

        return Environment(
            loader=ChoiceLoader([PackageLoader(self.pages), PackageLoader(_KIT)]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    @cached_property
    def static_files(self) -> StaticFiles:
        """The style sheets and scripts of the kit and of this site, and the application that serves them."""
        return StaticFiles(self.pages, _KIT)


def site_of(request: Request) -> Site:
    """Return the site that the application was built with."""
    site: Site = request.app.state.site
    return site
