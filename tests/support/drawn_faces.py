"""Faces for the small models of small_yunet.py and small_sface.py: red squares, each person with a pattern in blue."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy.linalg import hadamard

from heimdex_core.library import Library
from heimdex_core.media.images import write_webp
from heimdex_core.models.faces import sface, yunet
from heimdex_core.settings import Settings, get_settings
from heimdex_core.types import Video
from tests.store import making
from tests.support.small_sface import write_small_sface
from tests.support.small_yunet import BOX_PX, write_small_yunet

Picture = npt.NDArray[np.uint8]
ANNA, BEN, CARA, DAN = 1, 2, 3, 4
LEFT, RIGHT = (16, 24), (200, 96)
"""Where a face is in a picture: its left and upper edge in pixels."""
_CELLS = 4


def face_of(person: int, *, noise: int = 0) -> Picture:
    """The face of person 1 to 15, (BOX_PX, BOX_PX, 3); `noise` changes how it looks a little.

    The patterns are rows of a Hadamard matrix: of the embeddings of two people the cosine is near 0.
    """
    cells = np.where(hadamard(_CELLS**2)[person].reshape(_CELLS, _CELLS) > 0, 220, 35)
    if noise:
        cells = cells + np.random.default_rng((person, noise)).integers(-30, 31, cells.shape)
    blue = np.kron(cells, np.ones((BOX_PX // _CELLS,) * 2)).astype(np.uint8)
    return np.stack([np.full_like(blue, 255), np.zeros_like(blue), blue], axis=-1)


def picture(*faces: tuple[int, int, int], width: int = 320, height: int = 180, noise: int = 0) -> Picture:
    """Grey with faces: (person, left, top) each; places are best multiples of 8 pixels."""
    image = np.full((height, width, 3), 90, np.uint8)
    for person, x, y in faces:
        image[y : y + BOX_PX, x : x + BOX_PX] = face_of(person, noise=noise)
    return image


def photo(path: Path, *people: int) -> Path:
    """A photo with these people beside each other."""
    faces = ((person, 16 + 56 * n, 24) for n, person in enumerate(people))
    Image.fromarray(picture(*faces, noise=9)).save(path)
    return path


@contextmanager
def copy_with_models(folder: Path, to: Path, patched: pytest.MonkeyPatch) -> Iterator[Library]:
    """A copy of `folder`/library, opened with the small models of `folder`/models."""
    put_small_models(folder / "models", patched)
    shutil.copytree(folder / "library", to)
    with Library.open(to, settings=Settings(models_dir=folder / "models")) as made:
        yield made


def put_small_models(folder: Path, patched: pytest.MonkeyPatch) -> None:
    """Have the small models in a models folder, as if they were the published files."""
    folder.mkdir(parents=True, exist_ok=True)
    for module, name, write in ((yunet, yunet.PULLED, write_small_yunet), (sface, sface.PULLED, write_small_sface)):
        content = (folder / name if (folder / name).exists() else write(folder / name)).read_bytes()
        patched.setattr(module, "FILES", {name: (len(content), hashlib.sha256(content).hexdigest())})
    patched.setenv("HEIMDEX_MODELS_DIR", str(folder))
    get_settings.cache_clear()


def add_video(library: Library, name: str, pictures: Sequence[Picture], texts: Sequence[str] = ()) -> Video:
    """A video with a scene of 2 s for each picture, which is its keyframe; indexed, with made-up vectors."""
    video = making.register(library._store, name, user_id=library.user_id)
    return commit_pictures(library, video, pictures, texts)


def commit_pictures(library: Library, video: Video, pictures: Sequence[Picture], texts: Sequence[str] = ()) -> Video:
    """Another generation of a video, with these pictures."""
    store, spaces = library._store, library.spaces()
    said = [*texts, *("" for _ in pictures[len(texts) :])]
    staged = making.stage(store, video, said, spaces=spaces)
    for number, one in enumerate(pictures):
        for name in (f"{number}-0.webp", f"{number}.webp"):
            write_webp(one, staged / "frames" / name, quality=100)
    n = store.next_generation(video.video_id)
    return store.commit_generation(video.video_id, staged, n=n, spaces=spaces.values())
