"""Which models are chosen: by the hardware and the disk, by the name of a profile, by names of single models."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from heimdex_core.errors import ModelBroken, ModelFolderUnusable, ProfileWeightsMissing, UnknownName
from heimdex_core.models import families, locate, profiles
from heimdex_core.models.profiles import (
    PROFILES,
    REASONS,
    ModelChoice,
    choose_profile,
    is_as_asked,
    profile_choice,
    step_up,
)
from heimdex_core.settings import Settings
from tests.models.random_models import random_sentences

FILES = {
    "whisper": ("model.bin", "config.json", "tokenizer.json", "vocabulary.json"),
    "sentence": ("model.safetensors", "config.json", "tokenizer.json"),
    "openclip": ("open_clip_model.safetensors", "tokenizer.json"),
}


@pytest.fixture(autouse=True)
def no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "own"


def bring(own: Path, *names: str) -> None:
    """Files with the right names, which is all that choosing looks at."""
    for name in names:
        for kind, spec in PROFILES[name].items():
            (one,) = families.repositories(kind, spec)
            folder = locate.folder_for(one.repo, own)
            folder.mkdir(parents=True)
            (folder / locate.REVISION_FILE).write_text(one.revision or "")
            for file in FILES[spec.partition(":")[0]]:
                (folder / file).write_bytes(b"x")
            if spec.startswith("openclip:"):
                config = {"model_cfg": {"embed_dim": 768, "vision_cfg": {}, "text_cfg": {}}}
                (folder / "open_clip_config.json").write_text(json.dumps(config))


def gpus(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(profiles, "gpu_count", lambda: count)


@pytest.mark.parametrize(
    ("count", "there", "name", "reason"),
    [
        (0, (), "offline", "no_weights"),
        (0, ("laptop",), "laptop", "weights_no_gpu"),
        (0, ("studio",), "offline", "no_weights"),
        (0, ("laptop", "studio"), "laptop", "weights_no_gpu"),
        (1, (), "offline", "gpu_no_weights"),
        (1, ("laptop",), "laptop", "gpu_laptop_weights"),
        (2, ("laptop", "studio"), "studio", "gpu_and_weights"),
    ],
)
def test_auto_depends_on_the_gpu_and_the_models_on_the_disk(
    own: Path, monkeypatch: pytest.MonkeyPatch, count: int, there: tuple[str, ...], name: str, reason: str
) -> None:
    gpus(monkeypatch, count)
    bring(own, *there)
    choice = choose_profile("auto", Settings(models_dir=own))
    assert (choice.name, choice.reason) == (name, reason)
    assert {field: getattr(choice, field) for field in PROFILES[name]} == PROFILES[name]
    assert reason in REASONS


def test_a_gpu_does_not_count_with_device_cpu(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 1)
    bring(own, "laptop", "studio")
    assert choose_profile("auto", Settings(models_dir=own, device="cpu")).name == "laptop"


def test_one_missing_file_is_enough_for_the_offline_profile(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 0)
    bring(own, "laptop")
    (locate.folder_for("timm/ViT-B-16-SigLIP2", own) / "tokenizer.json").unlink()
    assert choose_profile("auto", Settings(models_dir=own)).name == "offline"


def test_an_unfinished_download_does_not_count(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 0)
    bring(own, "laptop")
    (locate.folder_for("timm/ViT-B-16-SigLIP2", own) / locate.INCOMPLETE_FILE).touch()
    assert choose_profile("auto", Settings(models_dir=own)).name == "offline"


CHOOSES = """
import sys
from pathlib import Path
from heimdex_core.models.profiles import choose_profile, profile_choice
from heimdex_core.models.registry import Models
from heimdex_core.settings import Settings

settings = Settings(models_dir=Path(sys.argv[1]), device="cpu")
print(choose_profile("auto", settings).name)
for name in ("offline", "studio"):
    spaces = Models(profile_choice(name), settings).spaces.values()
    print([(space.name, space.dim, space.revision) for space in spaces])
heavy = ("torch", "open_clip", "sentence_transformers", "faster_whisper", "transformers", "tokenizers",
         "huggingface_hub", "ctranslate2", "PIL", "cv2")
print([name for name in heavy if name in sys.modules])
"""


def test_choosing_and_naming_models_imports_nothing_heavy(own: Path) -> None:
    bring(own, "laptop")
    command = [sys.executable, "-c", CHOOSES, str(own)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "laptop",
        "[('text/all-MiniLM-L6-v2', 384, '1110a243fdf4'), ('vision/palette', 259, '1'), "
        "('text/use-multilingual-3', 512, '0db566fd0af8')]",
        "[('text/bge-m3', 1024, '5617a9f61b02'), ('vision/ViT-SO400M-14-SigLIP', 1152, 'c85ba2402be4')]",
        "[]",
    ]


def test_a_profile_by_name(own: Path) -> None:
    bring(own, "studio")
    choice = choose_profile("studio", Settings(models_dir=own))
    assert choice == profiles.profile_choice("studio")


def test_a_profile_without_its_models_states_the_size_of_the_download(own: Path) -> None:
    bring(own, "laptop")
    (locate.folder_for("intfloat/multilingual-e5-small", own) / "model.safetensors").unlink()
    with pytest.raises(ProfileWeightsMissing) as caught:
        choose_profile("laptop", Settings(models_dir=own))
    assert "sentence:intfloat/multilingual-e5-small (0.5 GB to download)" in caught.value.message
    assert "whisper:small" not in caught.value.message
    assert "models pull laptop" in caught.value.hint


def test_another_profile_is_not_known() -> None:
    with pytest.raises(UnknownName) as caught:
        choose_profile("desktop")
    assert "offline, laptop, studio" in caught.value.hint


def test_single_models_by_name_replace_those_of_the_profile(tmp_path: Path) -> None:
    folder = random_sentences(tmp_path / "said")
    choice = choose_profile("offline", text=f"sentence:{folder}")
    assert (choice.name, choice.reason) == ("custom", "models_by_name")
    assert choice.text == f"sentence:{folder}"
    assert choice.vision == PROFILES["offline"]["vision"]
    by_setting = choose_profile("offline", Settings(text_model=f"sentence:{folder}"))
    assert by_setting == choice


def test_naming_the_profiles_own_model_changes_nothing() -> None:
    assert choose_profile("offline", text=PROFILES["offline"]["text"]).name == "offline"


def test_a_named_model_that_is_missing(own: Path) -> None:
    with pytest.raises(ProfileWeightsMissing) as caught:
        choose_profile("auto", Settings(models_dir=own, speech_model="whisper:medium"))
    assert "whisper:medium (1.5 GB to download)" in caught.value.message
    assert "models pull whisper:medium" in caught.value.hint


def test_a_named_folder_that_is_missing(own: Path) -> None:
    with pytest.raises(ModelFolderUnusable) as caught:
        choose_profile("offline", text=f"sentence:{own / 'none'}")
    assert "Check the path" in caught.value.hint


def test_a_library_of_named_models_is_what_the_same_settings_ask_for(tmp_path: Path) -> None:
    named = Settings(text_model=f"sentence:{random_sentences(tmp_path / 'said')}")
    choice = choose_profile("offline", named)
    assert is_as_asked(choice, "auto", Settings())
    assert is_as_asked(choice, "offline", named)
    assert not is_as_asked(choice, "offline", Settings())
    assert not is_as_asked(choice, "laptop", named)


def test_the_step_up_counts_what_is_missing(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(models_dir=own)
    gpus(monkeypatch, 0)
    offline = choose_profile("offline", settings)
    found = step_up(offline, settings)
    assert found is not None
    assert (found.profile, len(found.missing)) == ("laptop", 3)
    assert found.bytes_missing == found.bytes_total == 486_212_000 + 493_500_000 + 1_535_000_000
    bring(own, "laptop")
    found = step_up(offline, settings)
    assert found is not None
    assert (found.bytes_missing, found.missing) == (0, ())
    laptop = choose_profile("laptop", settings)
    assert step_up(laptop, settings) is None
    gpus(monkeypatch, 1)
    found = step_up(laptop, settings)
    assert found is not None
    assert found.profile == "studio"


def test_there_is_no_step_up_from_models_chosen_by_name(tmp_path: Path) -> None:
    choice = choose_profile("offline", text=f"sentence:{random_sentences(tmp_path / 'said')}")
    assert step_up(choice, Settings()) is None


def test_damaged_weights_count_as_missing_for_auto(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = families.find

    def broken(kind: str, spec: str, models_dir: Path | None) -> object:
        if families.repositories(kind, spec):
            raise ModelBroken(name=spec, reason="half of a file")
        return find(kind, spec, models_dir)

    monkeypatch.setattr(families, "find", broken)
    choice = choose_profile("auto", Settings(models_dir=tmp_path, device="cpu"))
    assert (choice.name, choice.reason) == ("offline", "no_weights")
    better = step_up(choice, Settings(models_dir=tmp_path, device="cpu"))
    assert better is not None
    assert len(better.missing) == 3


def test_another_text_model_takes_the_place_of_both() -> None:
    offline = profile_choice("offline")
    assert offline.multilingual
    assert offline.with_models(text=offline.text) is offline
    other = offline.with_models(text="sentence:org/name")
    assert (other.name, other.text, other.multilingual) == ("custom", "sentence:org/name", "")
    assert offline.with_models(speech="whisper:small").multilingual == offline.multilingual


def test_searched_are_the_models_of_the_first_spaces() -> None:
    choice = ModelChoice("x", "asked", "a:1", "b:1", "c:1", "d:1", ("text=e:1",), multilingual="f:1")
    assert choice.searched == (("text", "b:1"), ("vision", "c:1"), ("text", "f:1"))
    assert set(choice.specs) - set(choice.searched) == {("speech", "a:1"), ("caption", "d:1"), ("text", "e:1")}


def test_a_choice_of_before_has_no_second_text_model() -> None:
    before = {key: value for key, value in profile_choice("offline").to_dict().items() if key != "multilingual"}
    choice = ModelChoice.from_dict(before)
    assert choice.multilingual == ""
    assert choice.specs != profile_choice("offline").specs
    assert is_as_asked(choice, "offline", Settings()), "it opens under the same name"
    assert ModelChoice.from_dict(profile_choice("offline").to_dict()) == profile_choice("offline")


def test_models_named_beside_a_profile_of_before_are_as_asked() -> None:
    before = ModelChoice("custom", "models_by_name", "pocketsphinx:en-us", "minilm:all-MiniLM-L6-v2", "openclip:x/y")
    assert is_as_asked(before, "offline", Settings(vision_model="openclip:x/y"))
    assert not is_as_asked(before, "offline", Settings(vision_model="openclip:x/z"))
