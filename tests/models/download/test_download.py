"""Planning and downloading, from a hub on this machine."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.errors import HubRefused, HubUnreachable, ModelUnsuited, UnknownName
from heimdex_core.models import families, locate, profiles
from heimdex_core.models.download.hub import Hub
from heimdex_core.models.download.plan import PullProgress
from heimdex_core.models.download.pull import Puller
from heimdex_core.models.families import make
from heimdex_core.models.profiles import PROFILES, choose_profile
from heimdex_core.models.vision import openclip_files
from heimdex_core.settings import Settings
from tests.models.download.small_hub import REPO, REVISION, SMALL, WEIGHTS, is_usable, puller_of
from tests.support.fake_hub import FakeHub, Mood, Repo, closed_port, fake_hub

# --- the plan -------------------------------------------------------------------------------------


def test_a_plan_has_the_sizes_and_downloads_nothing(puller: Puller, hub: FakeHub, tmp_path: Path) -> None:
    plan = puller.plan(REPO)
    (item,) = plan.items
    size = sum(len(content) for content in hub.repos[REPO].files.values())
    assert (item.kind, item.spec, item.revision, item.licence) == ("text", f"sentence:{REPO}", REVISION, "mit")
    assert plan.bytes_total == plan.bytes_missing == size
    assert plan.to_dict()["folder"] == str(tmp_path / "models")
    assert hub.asked_for() == set()
    assert not (tmp_path / "models").exists()


def test_a_downloaded_model_loads_by_its_name(puller: Puller, settings: Settings) -> None:
    (folder,) = puller.pull(puller.plan(REPO))
    assert folder == locate.folder_for(REPO, settings.models_dir or Path())
    assert not list(folder.glob("*.new"))
    assert not (folder / locate.INCOMPLETE_FILE).exists()
    encoder: Any = make("text", f"sentence:{REPO}", settings)
    assert encoder.encode_passages(["a red circle"]).shape == (1, encoder.space.dim)
    assert encoder.space.revision == REVISION[:12]


def test_without_a_setting_it_goes_to_the_default_folder(hub: FakeHub, tmp_path: Path) -> None:
    settings = Settings()
    (folder,) = (puller := puller_of(hub, settings)).pull(puller.plan(REPO))
    assert folder == tmp_path / "cache" / "heimdex" / "models" / "tiny--said"
    assert is_usable(settings)


def test_a_second_download_asks_the_hub_for_nothing(puller: Puller, hub: FakeHub) -> None:
    puller.pull(puller.plan(REPO))
    hub.requests.clear()
    for name in (REPO, f"sentence:{REPO}"):
        plan = puller.plan(name)
        assert (plan.bytes_missing, plan.items[0].is_here, plan.licences) == (0, True, ("mit",))
        assert puller.pull(plan) == [plan.items[0].folder]
    assert hub.requests == []


def test_progress_ends_at_the_total(puller: Puller) -> None:
    seen: list[PullProgress] = []
    plan = puller.plan(REPO)
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
        (one,) = families.repositories(kind, spec)
        repos[one.repo.replace("/", "__")] = Repo.of(SMALL / folders[kind], one.revision or "")
    assert choose_profile("auto", settings).reason == "no_weights"
    with fake_hub(**repos) as hub:
        puller = puller_of(hub, settings)
        plan = puller.plan("laptop")
        assert [item.spec for item in plan.items] == list(PROFILES["laptop"].values())
        puller.pull(plan)
    choice = choose_profile("auto", settings)
    assert (choice.name, choice.reason) == ("laptop", "weights_no_gpu")
    vision: Any = make("vision", choice.vision, settings)
    assert vision.encode_query("red circle").vector is not None
    speech: Any = make("speech", choice.speech, settings)
    speech.load()


def test_unknown_names_are_refused_with_similar_ones(puller: Puller, hub: FakeHub) -> None:
    for name, near in (("whisper-smal", "small"), ("labtop", "laptop"), ("intfloat/multilingual-e5-smal", "e5-small")):
        with pytest.raises(UnknownName) as caught:
            puller.plan(name)
        assert near in caught.value.hint


def test_a_mirror_that_reports_no_sizes(hub: FakeHub, puller: Puller, settings: Settings) -> None:
    hub.mood = Mood(no_sizes=True)
    puller.pull(puller.plan(REPO))
    assert is_usable(settings)


def test_only_the_configured_hub_is_asked_for_a_listing(hub: FakeHub, puller: Puller) -> None:
    with fake_hub(tiny__said=Repo.of(SMALL / "sentences", REVISION)) as other:
        hub.mood = Mood(listings_at=other.endpoint)
        with pytest.raises(HubRefused, match=f"refers to {other.endpoint}"):
            puller.plan(REPO)
        assert other.requests == []
    hub.mood = Mood(listings_at=hub.endpoint)
    with pytest.raises(HubRefused, match="without end"):
        puller.plan(REPO)


def test_the_token_of_the_hub_goes_to_no_other_host(
    hub: FakeHub, puller: Puller, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_of_this_hub")
    puller.pull(puller.plan(REPO))
    at_the_hub = {one.authorization for one in hub.requests if "/lfs/" not in one.path}
    elsewhere = {one.authorization for one in hub.gets()}
    assert (at_the_hub, elsewhere) == ({"Bearer hf_of_this_hub"}, {None})


def test_an_encrypted_hub_is_not_left_for_one_that_is_not() -> None:
    hub = Hub("https://hub.example")
    assert hub._is_downgrade("http://cdn.example/file")
    assert not hub._is_downgrade("https://cdn.example/file")
    assert not Hub("http://127.0.0.1:1")._is_downgrade("http://localhost/file")


# --- which files ----------------------------------------------------------------------------------


def files_of(hub: FakeHub, puller: Puller, **files: bytes) -> set[str]:
    hub.repos["some/model"] = Repo({name.replace("__", "/"): content for name, content in files.items()}, REVISION)
    return {file.remote.path for file in puller.plan("some/model").items[0].files}


def test_safetensors_and_no_pickle_beside_them(hub: FakeHub, puller: Puller) -> None:
    files = {"config.json": b"{}", "tokenizer.json": b"{}", "training_args.bin": b"x", "onnx__model.onnx": b"x"}
    weights = {"model.safetensors": b"x", "pytorch_model.bin": b"x"}
    assert files_of(hub, puller, **files, **weights) == {"config.json", "tokenizer.json", "model.safetensors"}
    assert files_of(hub, puller, **files, **{"pytorch_model.bin": b"x"}) == {
        "config.json",
        "tokenizer.json",
        "pytorch_model.bin",
    }


def test_file_names_outside_the_folder_are_left_out(hub: FakeHub, puller: Puller) -> None:
    files = {"config.json": b"{}", "tokenizer.json": b"{}", "model.safetensors": b"x", "..__config.json": b"{}"}
    assert files_of(hub, puller, **files) == {"config.json", "tokenizer.json", "model.safetensors"}


def test_a_repository_without_a_model(hub: FakeHub, puller: Puller) -> None:
    hub.repos["some/data"] = Repo({"data.csv": b"1", "config.json": b"{}"}, REVISION)
    with pytest.raises(ModelUnsuited, match="some/data"):
        puller.plan("some/data")


def test_weights_with_a_name_of_their_own() -> None:
    names = openclip_files.weight_names("my_model.pt")
    assert names[0] == "my_model.safetensors"
    assert names.index("open_clip_model.safetensors") < names.index("my_model.pt")


# --- the network ----------------------------------------------------------------------------------


def test_no_network_before_a_download(settings: Settings) -> None:
    puller = Puller(settings, hub=Hub(closed_port()))
    with pytest.raises(HubUnreachable) as caught:
        puller.plan("laptop")
    assert "models pull laptop --to DIR" in caught.value.hint
    assert "HEIMDEX_MODELS_DIR" in caught.value.hint


def test_temporary_errors_of_the_hub(hub: FakeHub, puller: Puller, settings: Settings) -> None:
    hub.mood = Mood(status=503)
    with pytest.raises(HubUnreachable, match="503"):
        puller.plan(REPO)
    hub.mood = Mood(status=503, times=2, only="/lfs/")
    puller.pull(puller.plan(REPO))
    assert is_usable(settings)


def test_a_server_that_is_not_a_hub(hub: FakeHub, puller: Puller) -> None:
    hub.mood = Mood(status=200)
    with pytest.raises(HubUnreachable):
        puller.plan(REPO)


def test_a_model_whose_terms_must_be_accepted(hub: FakeHub, puller: Puller) -> None:
    hub.mood = Mood(gated=True)
    with pytest.raises(HubRefused, match="terms") as caught:
        puller.plan(REPO)
    assert "log in" in caught.value.hint


def test_a_file_that_was_removed_from_the_repository(hub: FakeHub, puller: Puller) -> None:
    plan = puller.plan(REPO)
    del hub.repos[REPO].files["tokenizer.json"]
    with pytest.raises(HubRefused, match="404"):
        puller.pull(plan)


def test_an_open_clip_model_with_its_tokenizer_in_another_repository(
    hub: FakeHub, puller: Puller, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Repo.of(SMALL / "open_clip")
    tokenizer = {name: content for name, content in whole.files.items() if name.startswith("tokenizer")}
    hub.repos["tiny/words"] = Repo(tokenizer, "1" * 40)
    hub.repos["tiny/seen"] = Repo({k: v for k, v in whole.files.items() if k not in tokenizer}, "2" * 40)
    monkeypatch.setitem(openclip_files.REPOS, "drawn/tiny", "tiny/seen")
    monkeypatch.setattr(openclip_files, "other_repos", lambda spec: {"tiny/words": openclip_files.TOKENIZER})
    assert [item.repo for item in puller.plan("drawn/tiny").items] == ["tiny/seen", "tiny/words"]
    hub.repos["tiny/seen"] = Repo(whole.files, "2" * 40)
    assert [item.repo for item in puller.plan("drawn/tiny").items] == ["tiny/seen"]
    puller.pull(puller.plan("drawn/tiny"))
    vision: Any = make("vision", "openclip:drawn/tiny", settings)
    assert vision.encode_query("green triangle").vector is not None


# --- for another machine --------------------------------------------------------------------------


def test_a_folder_for_a_machine_without_a_network(
    hub: FakeHub, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    puller_of(hub, settings).pull(puller_of(hub, settings).plan(REPO))
    copied = tmp_path / "copied"
    puller = puller_of(hub, settings, to=copied)
    plan = puller.plan(REPO)
    assert plan.bytes_missing > 0, "what this machine has is of no use to the other one"
    puller.pull(plan)

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    encoder: Any = make("text", f"sentence:{REPO}", Settings(models_dir=copied, device="cpu"))
    assert encoder.encode_passages(["red"]).shape == (1, encoder.space.dim)
