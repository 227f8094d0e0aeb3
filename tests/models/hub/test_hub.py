"""Downloads from a hub on this machine that has good and bad days."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.errors import (
    HubRefused,
    HubUnreachable,
    ModelUnsuited,
    UnknownName,
)
from heimdex_core.models import catalogue, profiles
from heimdex_core.models import locate as where
from heimdex_core.models.download import hub
from heimdex_core.models.download.file_selection import openclip_weights
from heimdex_core.models.download.plan import PullProgress
from heimdex_core.models.download.pull import Puller
from heimdex_core.models.families import make
from heimdex_core.models.profiles import PROFILES, choose_profile
from heimdex_core.models.vision import openclip_files
from heimdex_core.settings import Settings
from tests.support.downloads import REVISION, SAID, SMALL, WEIGHTS, is_usable, puller_of
from tests.support.fake_hub import FakeHub, Mood, Repo, closed_port, fake_hub

# --- what it takes --------------------------------------------------------------------------------


def test_a_plan_says_what_it_takes_and_fetches_nothing(puller: Puller, there: FakeHub, tmp_path: Path) -> None:
    plan = puller.plan(SAID)
    (item,) = plan.items
    size = sum(len(content) for content in there.repos[SAID].files.values())
    assert (item.kind, item.spec, item.revision, item.licence) == ("text", f"sentence:{SAID}", REVISION, "mit")
    assert plan.bytes_total == plan.bytes_missing == size
    assert plan.to_dict()["folder"] == str(tmp_path / "models")
    assert there.asked_for() == set()
    assert not (tmp_path / "models").exists()


def test_a_model_that_is_pulled_loads_by_its_name(puller: Puller, settings: Settings) -> None:
    (folder,) = puller.pull(puller.plan(SAID))
    assert folder == where.folder_for(SAID, settings.models_dir or Path())
    assert not list(folder.glob("*.new"))
    assert not (folder / where.INCOMPLETE_FILE).exists()
    encoder: Any = make("text", f"sentence:{SAID}", settings)
    assert encoder.encode_passages(["a red circle"]).shape == (1, encoder.space.dim)
    assert encoder.space.revision == REVISION[:12]


def test_without_a_setting_it_comes_where_models_are_looked_for(there: FakeHub, tmp_path: Path) -> None:
    settings = Settings()
    (folder,) = (puller := puller_of(there, settings)).pull(puller.plan(SAID))
    assert folder == tmp_path / "cache" / "heimdex" / "models" / "tiny--said"
    assert is_usable(settings)


def test_a_second_time_nothing_is_asked_and_nothing_fetched(puller: Puller, there: FakeHub) -> None:
    puller.pull(puller.plan(SAID))
    there.requests.clear()
    for name in (SAID, f"sentence:{SAID}"):
        plan = puller.plan(name)
        assert (plan.bytes_missing, plan.items[0].is_here, plan.licences) == (0, True, ("mit",))
        assert puller.pull(plan) == [plan.items[0].folder]
    assert there.requests == []


def test_progress_ends_at_the_total(puller: Puller) -> None:
    seen: list[PullProgress] = []
    plan = puller.plan(SAID)
    puller.pull(plan, report=seen.append)
    assert [one.bytes_done for one in seen] == sorted(one.bytes_done for one in seen)
    assert (seen[0].bytes_done, seen[-1].bytes_done) == (0, plan.bytes_total)
    assert {one.bytes_total for one in seen} == {plan.bytes_total}
    assert WEIGHTS in {one.file for one in seen}


def test_a_whole_profile(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "gpu_count", lambda: 0)
    folders = {"speech": "whisper", "text": "sentences", "vision": "open_clip"}
    repos = {}
    for kind, spec in PROFILES["laptop"].items():
        (one,) = catalogue.wanted(kind, spec)
        repos[one.repo.replace("/", "__")] = Repo.of(SMALL / folders[kind], one.revision or "")
    assert choose_profile("auto", settings).reason == "no_weights"
    with fake_hub(**repos) as there:
        puller = puller_of(there, settings)
        plan = puller.plan("laptop")
        assert [item.spec for item in plan.items] == list(PROFILES["laptop"].values())
        puller.pull(plan)
    choice = choose_profile("auto", settings)
    assert (choice.name, choice.reason) == ("laptop", "weights_no_gpu")
    vision: Any = make("vision", choice.vision, settings)
    assert vision.encode_query("red circle").vector is not None
    speech: Any = make("speech", choice.speech, settings)
    speech.load()


def test_names_that_are_nearly_right(puller: Puller, there: FakeHub) -> None:
    for name, near in (("whisper-smal", "small"), ("labtop", "laptop"), ("intfloat/multilingual-e5-smal", "e5-small")):
        with pytest.raises(UnknownName) as caught:
            puller.plan(name)
        assert near in caught.value.hint


def test_a_mirror_that_tells_no_sizes(there: FakeHub, puller: Puller, settings: Settings) -> None:
    there.mood = Mood(no_sizes=True)
    puller.pull(puller.plan(SAID))
    assert is_usable(settings)


# --- which files ----------------------------------------------------------------------------------


def files_of(there: FakeHub, puller: Puller, **files: bytes) -> set[str]:
    there.repos["some/model"] = Repo({name.replace("__", "/"): content for name, content in files.items()}, REVISION)
    return {file.remote.path for file in puller.plan("some/model").items[0].files}


def test_safetensors_and_no_pickle_beside_them(there: FakeHub, puller: Puller) -> None:
    files = {"config.json": b"{}", "tokenizer.json": b"{}", "training_args.bin": b"x", "onnx__model.onnx": b"x"}
    weights = {"model.safetensors": b"x", "pytorch_model.bin": b"x"}
    assert files_of(there, puller, **files, **weights) == {"config.json", "tokenizer.json", "model.safetensors"}
    assert files_of(there, puller, **files, **{"pytorch_model.bin": b"x"}) == {
        "config.json",
        "tokenizer.json",
        "pytorch_model.bin",
    }


def test_names_that_lead_out_of_the_folder_are_left_out(there: FakeHub, puller: Puller) -> None:
    files = {"config.json": b"{}", "tokenizer.json": b"{}", "model.safetensors": b"x", "..__config.json": b"{}"}
    assert files_of(there, puller, **files) == {"config.json", "tokenizer.json", "model.safetensors"}


def test_a_repository_without_a_model(there: FakeHub, puller: Puller) -> None:
    there.repos["some/data"] = Repo({"data.csv": b"1", "config.json": b"{}"}, REVISION)
    with pytest.raises(ModelUnsuited, match="some/data"):
        puller.plan("some/data")


def test_weights_under_a_name_of_their_own() -> None:
    names = openclip_weights("my_model.pt")
    assert names[0] == "my_model.safetensors"
    assert names.index("open_clip_model.safetensors") < names.index("my_model.pt")


# --- the network ----------------------------------------------------------------------------------


def test_no_network_before(settings: Settings) -> None:
    puller = Puller(settings, hub=hub.Hub(closed_port()))
    with pytest.raises(HubUnreachable) as caught:
        puller.plan("laptop")
    assert "models pull laptop --to DIR" in caught.value.hint
    assert "HEIMDEX_MODELS_DIR" in caught.value.hint


def test_a_hub_in_trouble(there: FakeHub, puller: Puller, settings: Settings) -> None:
    there.mood = Mood(status=503)
    with pytest.raises(HubUnreachable, match="503"):
        puller.plan(SAID)
    there.mood = Mood(status=503, times=2, only="/lfs/")
    puller.pull(puller.plan(SAID))
    assert is_usable(settings)


def test_what_is_no_hub(there: FakeHub, puller: Puller) -> None:
    there.mood = Mood(status=200)
    with pytest.raises(HubUnreachable):
        puller.plan(SAID)


def test_a_model_with_terms(there: FakeHub, puller: Puller) -> None:
    there.mood = Mood(gated=True)
    with pytest.raises(HubRefused, match="terms") as caught:
        puller.plan(SAID)
    assert "log in" in caught.value.hint


def test_a_file_that_is_gone(there: FakeHub, puller: Puller) -> None:
    plan = puller.plan(SAID)
    del there.repos[SAID].files["tokenizer.json"]
    with pytest.raises(HubRefused, match="404"):
        puller.pull(plan)


def test_an_open_clip_model_and_the_tokenizer_that_lies_elsewhere(
    there: FakeHub, puller: Puller, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Repo.of(SMALL / "open_clip")
    tokenizer = {name: content for name, content in whole.files.items() if name.startswith("tokenizer")}
    there.repos["tiny/words"] = Repo(tokenizer, "1" * 40)
    there.repos["tiny/seen"] = Repo({k: v for k, v in whole.files.items() if k not in tokenizer}, "2" * 40)
    monkeypatch.setitem(openclip_files.REPOS, "drawn/tiny", "tiny/seen")
    monkeypatch.setattr(openclip_files, "other_repos", lambda spec: {"tiny/words": openclip_files.TOKENIZER})
    assert [item.repo for item in puller.plan("drawn/tiny").items] == ["tiny/seen", "tiny/words"]
    there.repos["tiny/seen"] = Repo(whole.files, "2" * 40)
    assert [item.repo for item in puller.plan("drawn/tiny").items] == ["tiny/seen"]
    puller.pull(puller.plan("drawn/tiny"))
    vision: Any = make("vision", "openclip:drawn/tiny", settings)
    assert vision.encode_query("green triangle").vector is not None


# --- to somewhere else ----------------------------------------------------------------------------


def test_a_folder_filled_elsewhere_serves_a_machine_without_a_network(
    there: FakeHub, settings: Settings, tmp_path: Path
) -> None:
    puller_of(there, settings).pull(puller_of(there, settings).plan(SAID))
    stick = tmp_path / "stick"
    puller = puller_of(there, settings, to=stick)
    plan = puller.plan(SAID)
    assert plan.bytes_missing > 0, "what this machine has does not help the other one"
    puller.pull(plan)
    script = (
        "from heimdex_core.models.families import make\n"
        "from heimdex_core.settings import Settings\n"
        f"print(make('text', 'sentence:{SAID}', Settings(device='cpu')).encode_passages(['red']).shape)\n"
    )
    environment = {
        **os.environ,
        "HF_ENDPOINT": closed_port(),
        "HEIMDEX_MODELS_DIR": str(stick),
        "XDG_CACHE_HOME": str(tmp_path / "other"),
    }
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("(1, "), done.stderr
