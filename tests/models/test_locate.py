from __future__ import annotations

import os
from pathlib import Path

import pytest

from heimdex_core.errors import ModelUnavailable, WeightsMissing
from heimdex_core.models import locate

REPO = "Systran/faster-whisper-small"
PIN = "536b0662742c02347bc0e980a01041f333bce120"
NEEDS = (("model.bin",), ("vocabulary.json", "vocabulary.txt"))


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "hub"


def put(folder: Path, *names: str, content: bytes = b"weights") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(content)
    return folder


def snapshot(hub: Path, revision: str, repo: str = REPO) -> Path:
    return hub / f"models--{repo.replace('/', '--')}" / "snapshots" / revision


def find(models_dir: Path | None = None, repo: str = REPO, revision: str | None = PIN) -> locate.Weights:
    return locate.find(repo, NEEDS, name="small", models_dir=models_dir, revision=revision)


def test_a_missing_model_is_reported_with_the_searched_folders_and_the_command(tmp_path: Path, hub: Path) -> None:
    with pytest.raises(WeightsMissing) as caught:
        find(tmp_path / "own")
    assert str(hub) in caught.value.message
    assert str(tmp_path / "own") in caught.value.message
    assert "models pull small" in caught.value.hint
    assert isinstance(caught.value, ModelUnavailable), "whoever handles missing models handles this"


def test_the_pinned_snapshot_of_the_cache(hub: Path) -> None:
    put(snapshot(hub, "f" * 40), "model.bin", "vocabulary.json")
    put(snapshot(hub, PIN), "model.bin", "vocabulary.txt")
    assert find() == locate.Weights(snapshot(hub, PIN), PIN)


def test_another_revision_than_the_pinned_one_is_refused(hub: Path) -> None:
    put(snapshot(hub, "f" * 40), "model.bin", "vocabulary.json")
    with pytest.raises(WeightsMissing, match="holds revision ffffffffffff, 536b0662742c is needed"):
        find()


def test_without_a_pin_the_snapshot_of_main(hub: Path) -> None:
    repo = "somebody/whisper"
    for revision in ("a" * 40, "b" * 40, "c" * 40):
        put(snapshot(hub, revision, repo), "model.bin", "vocabulary.json")
    refs = hub / "models--somebody--whisper" / "refs"
    refs.mkdir()
    (refs / "main").write_text("b" * 40)
    assert find(repo=repo, revision=None).revision == "b" * 40


def test_missing_files_are_named(hub: Path) -> None:
    put(snapshot(hub, PIN), "model.bin")
    with pytest.raises(WeightsMissing, match=r"vocabulary\.json or vocabulary\.txt is missing"):
        find()


def test_empty_files_and_dangling_links_are_missing(hub: Path) -> None:
    folder = put(snapshot(hub, PIN), "vocabulary.json")
    (folder / "model.bin").write_bytes(b"")
    with pytest.raises(WeightsMissing, match=r"model\.bin is missing"):
        find()
    (folder / "model.bin").unlink()
    (folder / "model.bin").symlink_to("../../blobs/none")
    with pytest.raises(WeightsMissing, match=r"model\.bin is missing"):
        find()


@pytest.mark.parametrize("layout", ["Systran--faster-whisper-small", REPO, "faster-whisper-small"])
def test_the_models_folder_comes_before_the_cache(tmp_path: Path, hub: Path, layout: str) -> None:
    put(snapshot(hub, PIN), "model.bin", "vocabulary.json")
    own = put(tmp_path / "own" / layout, "model.bin", "vocabulary.json")
    found = find(tmp_path / "own")
    assert found.folder == own
    assert found.revision == locate.fingerprint(own)


def test_the_models_folder_may_have_the_layout_of_the_cache(tmp_path: Path) -> None:
    put(snapshot(tmp_path / "own", PIN), "model.bin", "vocabulary.json")
    assert find(tmp_path / "own").revision == PIN


def test_a_recorded_revision_must_be_the_pinned_one(tmp_path: Path) -> None:
    own = put(locate.folder_for(REPO, tmp_path / "own"), "model.bin", "vocabulary.json")
    (own / locate.REVISION_FILE).write_text(f"{PIN}\n")
    assert find(tmp_path / "own").revision == PIN
    (own / locate.REVISION_FILE).write_text("0" * 40)
    with pytest.raises(WeightsMissing, match="revision 000000000000"):
        find(tmp_path / "own")


def test_the_revision_recorded_by_the_hubs_own_tool(tmp_path: Path) -> None:
    own = put(tmp_path / "e5", "model.bin", "vocabulary.json")
    put(own / ".cache" / "huggingface" / "download", "model.bin.metadata", content=b"abc123\netag\n1700000000.0\n")
    assert locate.at(own, NEEDS, name="e5").revision == "abc123"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="there is no folder") as caught:
        locate.at(tmp_path / "nowhere", NEEDS, name="x")
    assert "Check the path" in caught.value.hint
    assert "models pull" not in caught.value.hint, "nobody can download a person's own folder"


def test_an_unfinished_download_is_missing(tmp_path: Path) -> None:
    own = put(locate.folder_for(REPO, tmp_path / "own"), "model.bin", "vocabulary.json", locate.INCOMPLETE_FILE)
    with pytest.raises(WeightsMissing, match="unfinished download"):
        find(tmp_path / "own")
    (own / locate.INCOMPLETE_FILE).unlink()
    assert find(tmp_path / "own").folder == own


def test_the_default_models_folder(tmp_path: Path) -> None:
    own = put(locate.folder_for(REPO, tmp_path / "cache" / "heimdex" / "models"), "model.bin", "vocabulary.json")
    assert locate.models_folder() == own.parent
    assert find().folder == own


def test_a_fingerprint_tells_models_apart(tmp_path: Path) -> None:
    one = put(tmp_path / "one", "model.bin", "config.json")
    same = put(tmp_path / "same", "model.bin", "config.json")
    assert locate.fingerprint(one) == locate.fingerprint(same)
    (same / "README.md").write_text("words about it")
    assert locate.fingerprint(one) == locate.fingerprint(same), "what is written about a model is not the model"
    (same / "model.bin").write_bytes(b"Weights")
    assert locate.fingerprint(one) != locate.fingerprint(same)


def test_a_fingerprint_of_a_large_file_sees_its_first_and_last_bytes(tmp_path: Path) -> None:
    size = 9_000_000
    prints = set()
    for changed in (None, 0, size - 1):
        content = bytearray(size)
        if changed is not None:
            content[changed] = 1
        prints.add(locate.fingerprint(put(tmp_path / str(changed), "model.bin", content=bytes(content))))
    assert len(prints) == 3


def test_a_rewritten_file_is_read_again(tmp_path: Path) -> None:
    folder = put(tmp_path / "one", "model.bin")
    before = locate.fingerprint(folder)
    (folder / "model.bin").write_bytes(b"WEIGHTS")
    os.utime(folder / "model.bin", ns=(1, 1))
    assert locate.fingerprint(folder) != before


def test_the_folder_of_the_hugging_face_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HF_HUB_CACHE")
    monkeypatch.delenv("HUGGINGFACE_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    assert locate.hugging_face_cache() == tmp_path / "hf" / "hub"
    monkeypatch.delenv("HF_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert locate.hugging_face_cache() == tmp_path / "xdg" / "huggingface" / "hub"
