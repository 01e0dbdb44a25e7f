"""Settings file for another process, from settings of the test; passwords and tokens are included."""

from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel, SecretStr

from handoff.config import ProcessSettings


def write_settings(settings: ProcessSettings, path: Path) -> Path:
    """Write ``settings`` to ``path``, without defaults: some sections are allowed for one service only."""
    path.write_text(tomli_w.dumps(_with_secrets(settings)))
    return path


def _with_secrets(section: BaseModel) -> dict[str, Any]:
    written = section.model_dump(mode="json", exclude_none=True, exclude_unset=True)
    for name, value in section:
        if name not in section.model_fields_set:
            continue
        if isinstance(value, SecretStr):
            written[name] = value.get_secret_value()
        elif isinstance(value, BaseModel):
            written[name] = _with_secrets(value)
    return written
