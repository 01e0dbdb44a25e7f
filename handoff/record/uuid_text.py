"""The one spelling of a UUID: 36 lower-case characters with dashes.

``uuid.UUID`` and pydantic also read upper case, braces, ``urn:uuid:`` and no dashes. One event would then have several
byte forms, and one case several addresses.
"""

import re
from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

UUID_PATTERN = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_FORM = re.compile(UUID_PATTERN)


def parse_uuid(text: str) -> UUID:
    """Return the UUID in ``text``. Raises ValueError for any other spelling."""
    if _FORM.fullmatch(text) is None:
        raise ValueError("not a UUID of 36 lower-case characters")
    return UUID(text)


def _in_one_spelling(value: Any) -> Any:
    if isinstance(value, str) and _FORM.fullmatch(value) is None:
        raise PydanticCustomError("uuid_spelling", "is not a UUID of 36 lower-case characters")
    return value


Id = Annotated[UUID, BeforeValidator(_in_one_spelling)]
"""A UUID field or parameter that is read from outside."""
