"""Clients that are generated from the committed OpenAPI document play a referral on real running nodes."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.parts.node_process import TOKEN, Street, two_nodes
from tests.support.parts.stack import Jurisdictions

DOCUMENT = Path("schemas/openapi/agency.json").resolve()
Program = Callable[[Path, dict[str, str]], Awaitable[str]]
CLIENTS = Path("tests/support/clients").resolve()


@pytest.fixture(scope="module")
async def nodes(jurisdictions: Jurisdictions, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Street]:
    async with two_nodes(jurisdictions, tmp_path_factory.mktemp("street")) as running:
        yield running


async def python_client(directory: Path, variables: dict[str, str]) -> str:
    """Generate the client of openapi-python-client, and run the program that uses it."""
    options = directory / "options.yaml"
    options.write_text("post_hooks: []\n")
    generator = Path(sys.executable).with_name("openapi-python-client")
    arguments = (
        "--path",
        DOCUMENT,
        "--meta",
        "none",
        "--config",
        options,
        "--output-path",
        directory / "agency_client",
    )
    await run(generator, "generate", "--fail-on-warning", *arguments)
    return await run(sys.executable, CLIENTS / "referral.py", PYTHONPATH=str(directory), **variables)


async def typescript_client(directory: Path, variables: dict[str, str]) -> str:
    """Generate the types of openapi-typescript, check the program that uses them in strict mode, and run it."""
    installed = Path((await run("infra/environment/typescript.sh")).strip())
    (directory / "node_modules").symlink_to(installed / "node_modules")
    for name in ("package.json", "tsconfig.json", "referral.ts"):
        shutil.copy(CLIENTS / "typescript" / name, directory)
    programs = directory / "node_modules" / ".bin"
    await run(programs / "openapi-typescript", DOCUMENT, "--output", directory / "agency.d.ts")
    await run(programs / "tsc", "--project", directory)
    return await run("node", directory / "built" / "referral.js", **variables)


# TypeScript needs Node. A machine without it tests the other client.
PROGRAMS = (python_client, typescript_client) if shutil.which("node") and shutil.which("npm") else (python_client,)


@pytest.mark.parametrize("program", PROGRAMS)
async def test_a_generated_client_plays_a_referral(nodes: Street, tmp_path: Path, program: Program) -> None:
    played = json.loads(await program(tmp_path, addresses(nodes)))
    assert played == {
        "requested_by_another": True,
        "seen": ["referral.accepted.v1", "referral.started.v1", "referral.completed.v1"],
        "state": "completed",
        "stale": 412,
        "again": 409,
    }


def addresses(nodes: Street) -> dict[str, str]:
    return {
        "POLICE_URL": nodes.police.url,
        "POLICE_TOKEN": TOKEN,
        "SHELTER_URL": nodes.shelter.url,
        "SHELTER_TOKEN": TOKEN,
    }


async def run(*argv: Any, **variables: str) -> str:
    """Run a program, which must succeed, and return its output."""
    process = await asyncio.create_subprocess_exec(
        *map(str, argv),
        env={**os.environ, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, (output + errors).decode()
    return output.decode()
