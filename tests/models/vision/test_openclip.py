from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from heimdex_core.errors import (
    DeviceUnavailable,
    InvalidValue,
    ModelBroken,
    OutOfGpuMemory,
    UnknownName,
    WeightsMissing,
)
from heimdex_core.models import locate
from heimdex_core.models.vision import openclip_files
from heimdex_core.models.vision.openclip import OpenClip
from tests.models.random_models import random_open_clip

WEIGHTS = "open_clip_model.safetensors"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_open_clip(tmp_path_factory.mktemp("clip") / "tiny")


def encoder_of(folder: Path, **options: Any) -> OpenClip:
    return OpenClip(f"local-dir:{folder}", **options)


def picture(seed: int, height: int = 48, width: int = 64) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_an_unknown_name_is_refused_with_similar_ones() -> None:
    with pytest.raises(UnknownName) as caught:
        OpenClip("ViT-B-16-SigLIP2/webly")
    assert "ViT-B-16-SigLIP2/webli" in caught.value.hint


def test_missing_weights_with_the_command_to_download_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    for name in ("ViT-B-16-SigLIP2/webli", "ViT-B-32/laion2b_s34b_b79k"):
        with pytest.raises(WeightsMissing) as caught:
            OpenClip(name).load()
        assert f"models pull {name}" in caught.value.hint
    with pytest.raises(WeightsMissing):
        _ = OpenClip("ViT-B-32/laion2b_s34b_b79k").space


def test_by_name_from_the_folder_of_models(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "timm--ViT-B-16-SigLIP2")
    found = OpenClip("ViT-B-16-SigLIP2/webli", models_dir=tmp_path)
    assert (found.space.name, found.space.dim) == ("vision/ViT-B-16-SigLIP2", 16)
    assert found.encode_query("red").vector is not None


def test_without_a_configuration_the_named_architecture_is_built(tmp_path: Path) -> None:
    """The repositories of older models hold weights alone."""
    spec = openclip_files.parse("ViT-B-32-quickgelu/openai")
    (tmp_path / "models").mkdir()
    repo = tmp_path / "models" / (spec.repo or "").replace("/", "--")
    repo.mkdir()
    (repo / WEIGHTS).write_bytes(b"x")
    files = openclip_files.find(spec, tmp_path / "models")
    assert files.dim == 512
    assert files.model["quick_gelu"] is True
    assert files.preprocess["mean"] == pytest.approx((0.48145466, 0.4578275, 0.40821073))


def test_the_same_vectors_as_open_clip_itself(folder: Path) -> None:
    from open_clip import create_model_and_transforms, get_tokenizer

    model, _, transform = create_model_and_transforms(f"local-dir:{folder}", require_pretrained=True)
    tokenizer = get_tokenizer(f"local-dir:{folder}")
    encoder = encoder_of(folder, prompts=("{}",))
    pictures = [picture(n) for n in range(3)]
    with torch.inference_mode():
        images = model.eval().encode_image(torch.stack([transform(Image.fromarray(p)) for p in pictures]), True)
        texts = model.encode_text(tokenizer(["one red two"]), True)
    # half precision costs a little
    assert ((encoder.encode_images(pictures) * images.numpy()).sum(axis=1) > 0.999).all()
    query = encoder.encode_query("one red two").vector
    assert query is not None
    assert query @ texts.numpy()[0] > 0.999


def test_searching_never_reads_the_image_tower(folder: Path, tmp_path: Path) -> None:
    half = tmp_path / "half"
    shutil.copytree(folder, half)
    weights = load_file(half / WEIGHTS)
    save_file({name: value for name, value in weights.items() if not name.startswith("visual.")}, half / WEIGHTS)
    encoder = encoder_of(half)
    encoder.load()
    assert encoder.encode_query("red").vector is not None
    assert encoder.is_loaded
    assert encoder._images is None
    with pytest.raises(ModelBroken, match=r"Missing key\(s\)"):
        encoder.encode_images([picture(1)])


def test_images_do_not_need_the_text_tower(folder: Path) -> None:
    encoder = encoder_of(folder)
    encoder.encode_images([picture(1)])
    assert encoder._images is not None
    assert not encoder.is_loaded, "a query would have to wait"


def test_a_query_is_the_mean_of_the_prompts(folder: Path) -> None:
    prompts = ("{}", "a red {}", "the {} in blue")
    both = encoder_of(folder, prompts=prompts).encode_query("one").vector
    each = [encoder_of(folder, prompts=(prompt,)).encode_query("one").vector for prompt in prompts]
    mean = np.mean([vector for vector in each if vector is not None], axis=0)
    assert both is not None
    np.testing.assert_allclose(both, mean / np.linalg.norm(mean), atol=2e-3)


def test_a_prompt_without_a_place_for_the_query_is_refused() -> None:
    with pytest.raises(InvalidValue, match="no {} for the query"):
        OpenClip("local-dir:/x", prompts=("a photo",))


def test_unknown_words_are_left_out_and_reported(folder: Path) -> None:
    encoder = encoder_of(folder)
    found, plain = encoder.encode_query("red {xylophone} blue"), encoder.encode_query("red blue")
    assert (found.used_words, found.unknown_words) == (("red", "blue"), ("xylophone",))
    assert found.vector is not None
    assert plain.vector is not None
    np.testing.assert_allclose(found.vector, plain.vector, atol=1e-5)
    assert encoder.encode_query("xylophone").reason == "no_known_words"
    assert encoder.encode_query("빨간 자동차").reason == "language"


def test_english_models_abstain_from_other_scripts(tmp_path: Path) -> None:
    encoder = encoder_of(random_open_clip(tmp_path / "bpe", bundled=True))
    assert encoder.encode_query("어두운 밤의 도시").reason == "language"
    found = encoder.encode_query("the streets of 서울")
    assert (found.used_words, found.unknown_words) == (("the", "streets", "of"), ("서울",))


def test_torchs_own_format_gives_the_same(folder: Path, tmp_path: Path) -> None:
    other = random_open_clip(tmp_path / "tiny", pickled=True)
    assert not (other / WEIGHTS).exists()
    np.testing.assert_allclose(
        encoder_of(other).encode_images([picture(1)]), encoder_of(folder).encode_images([picture(1)]), atol=1e-5
    )


class _Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_a_pickle_that_runs_something_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    bad = random_open_clip(tmp_path / "bad", pickled=True)
    torch.save({"weights": _Evil(tmp_path / "touched")}, bad / "open_clip_pytorch_model.bin")
    with pytest.raises(ModelBroken):
        encoder_of(bad).load()
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("file", [WEIGHTS, "open_clip_config.json", "tokenizer.json"])
def test_a_damaged_file_is_broken_not_a_crash(folder: Path, tmp_path: Path, file: str) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / file).write_bytes((folder / file).read_bytes()[:60])
    with pytest.raises(ModelBroken):
        encoder_of(broken).load()


def test_a_model_without_weights_is_missing_never_random(folder: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(folder, bare)
    (bare / WEIGHTS).unlink()
    with pytest.raises(WeightsMissing, match="is missing from"):
        encoder_of(bare).load()


def test_images_are_preprocessed_in_other_threads(folder: Path) -> None:
    encoder = encoder_of(folder, threads=2)
    encoder.encode_images([picture(0)])
    real, seen = encoder._transform, []

    def transform(image: Any) -> Any:
        seen.append(threading.current_thread().name)
        return real(image)

    encoder._transform = transform
    pictures = [picture(n) for n in range(20)]
    found = encoder.encode_images(pictures)
    assert len(seen) == 20
    assert all(name.startswith("pictures") for name in seen)
    np.testing.assert_allclose(found[17:], encoder.encode_images(pictures[17:]), atol=1e-5)


def full_above(encoder: OpenClip, most: int) -> list[int]:
    """Sizes of the batches; the memory is full with more than `most`."""
    encoder.encode_images([picture(0)])
    side, sizes = encoder._images, []
    assert side is not None

    def before(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        sizes.append(len(inputs[0]))
        if len(inputs[0]) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")

    side._tower.register_forward_pre_hook(before)
    return sizes


def test_a_full_gpu_halves_the_batch(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    pictures = [picture(n) for n in range(10)]
    expected = encoder_of(folder).encode_images(pictures)
    encoder = encoder_of(folder, batch_size=8)
    sizes = full_above(encoder, 3)
    np.testing.assert_allclose(encoder.encode_images(pictures), expected, atol=2e-2)
    assert sizes == [8, 4, 2, 2, 2, 2, 2]
    assert encoder.notes == ("batch_halved:2",)
    assert "batches of 2" in caplog.text


def test_a_gpu_too_small_for_one(folder: Path) -> None:
    encoder = encoder_of(folder)
    full_above(encoder, 0)
    with pytest.raises(OutOfGpuMemory):
        encoder.encode_images([picture(1)])


@pytest.mark.usefixtures("no_gpu")
def test_device_cuda_without_a_gpu(folder: Path) -> None:
    with pytest.raises(DeviceUnavailable):
        encoder_of(folder, device="cuda").load()


def test_a_very_long_image_is_cropped(folder: Path) -> None:
    strip = np.zeros((2, 60_000, 3), np.uint8)
    assert openclip_files.without_long_ends(strip).shape == (2, 8, 3)
    assert openclip_files.without_long_ends(strip.transpose(1, 0, 2)).shape == (8, 2, 3)
    assert openclip_files.without_long_ends(picture(1, 90, 360)).shape == (90, 360, 3)
    assert encoder_of(folder).encode_images([strip]).shape == (1, 16)


def test_other_arrays_are_refused(folder: Path) -> None:
    for wrong in (np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(InvalidValue, match="uint8"):
            encoder_of(folder).encode_images([wrong])  # type: ignore[list-item]  # what is tested


def test_the_revision_is_that_of_the_files(folder: Path, tmp_path: Path) -> None:
    assert encoder_of(folder).space.revision == locate.fingerprint(folder)
    other = tmp_path / "tiny"
    shutil.copytree(folder, other)
    config = json.loads((other / "open_clip_config.json").read_text())
    config["preprocess_cfg"]["mean"] = [0.4, 0.4, 0.4]
    (other / "open_clip_config.json").write_text(json.dumps(config))
    assert encoder_of(other).space != encoder_of(folder).space
