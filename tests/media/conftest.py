"""Fixtures of the media tests."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from heimdex_core import files

Shared = Callable[..., Path]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """shared(maker, name, *args, **options): the file that a function of tests.support.media writes.

    It is written once for all tests, which only read it.
    """
    made: dict[str, Path] = {}

    def get(maker: Callable[..., Path], name: str, *args: object, **options: object) -> Path:
        key = f"{maker.__module__}.{maker.__qualname__} {name} {args} {sorted(options.items())}"
        if key not in made:
            made[key] = maker(tmp_path_factory.mktemp("shared") / name, *args, **options)
        return made[key]

    return get


@pytest.fixture
def fill_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """fill_disk(path): from now on the disk is full whenever `files.atomic_path(path)` is written."""

    def fill(path: Path) -> None:
        name = uuid.uuid4()
        monkeypatch.setattr(uuid, "uuid4", lambda: name)
        # /dev/full answers every write as a full disk does
        (path.parent / f"{files.TEMPORARY_PREFIX}{name.hex}-{path.name}").symlink_to("/dev/full")

    return fill
