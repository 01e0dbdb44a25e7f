"""A process's settings as the file that another process is started with: passwords and tokens are written out."""

from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel, SecretStr

from handoff.config import ProcessSettings


def write_settings(settings: ProcessSettings, path: Path) -> Path:
    """Writes ``settings`` to ``path``."""
    path.write_text(tomli_w.dumps(_revealed(settings)))
    return path


def _revealed(section: BaseModel) -> dict[str, Any]:
    written = section.model_dump(mode="json", exclude_none=True)
    for name, value in section:
        if isinstance(value, SecretStr):
            written[name] = value.get_secret_value()
        elif isinstance(value, BaseModel):
            written[name] = _revealed(value)
    return written
