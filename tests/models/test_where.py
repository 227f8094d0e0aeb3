from __future__ import annotations

import os
from pathlib import Path

import pytest

from heimdex_core.errors import ModelUnavailable, WeightsMissing
from heimdex_core.models import locate as where

REPO = "Systran/faster-whisper-small"
PIN = where.PINNED[REPO].revision
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


def find(models_dir: Path | None = None, repo: str = REPO) -> where.Weights:
    return where.find(repo, NEEDS, name="small", models_dir=models_dir)


def test_nothing_there_says_where_was_looked_and_how_to_get_it(tmp_path: Path, hub: Path) -> None:
    with pytest.raises(WeightsMissing) as caught:
        find(tmp_path / "own")
    assert str(hub) in caught.value.message
    assert str(tmp_path / "own") in caught.value.message
    assert "models pull small" in caught.value.hint
    assert isinstance(caught.value, ModelUnavailable), "whoever handles missing models handles this"


def test_the_pinned_snapshot_of_the_cache(hub: Path) -> None:
    put(snapshot(hub, "f" * 40), "model.bin", "vocabulary.json")
    put(snapshot(hub, PIN or ""), "model.bin", "vocabulary.txt")
    assert find() == where.Weights(snapshot(hub, PIN or ""), PIN or "")


def test_another_revision_than_the_pinned_one_is_refused_in_words(hub: Path) -> None:
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
    assert find(repo=repo).revision == "b" * 40


def test_half_a_download_is_named(hub: Path) -> None:
    put(snapshot(hub, PIN or ""), "model.bin")
    with pytest.raises(WeightsMissing, match=r"vocabulary\.json or vocabulary\.txt is missing"):
        find()


def test_an_empty_file_and_a_link_into_nothing_are_missing(hub: Path) -> None:
    folder = put(snapshot(hub, PIN or ""), "vocabulary.json")
    (folder / "model.bin").write_bytes(b"")
    with pytest.raises(WeightsMissing, match=r"model\.bin is missing"):
        find()
    (folder / "model.bin").unlink()
    (folder / "model.bin").symlink_to("../../blobs/none")
    with pytest.raises(WeightsMissing, match=r"model\.bin is missing"):
        find()


@pytest.mark.parametrize("layout", ["Systran--faster-whisper-small", REPO, "faster-whisper-small"])
def test_own_folder_comes_before_the_cache(tmp_path: Path, hub: Path, layout: str) -> None:
    put(snapshot(hub, PIN or ""), "model.bin", "vocabulary.json")
    own = put(tmp_path / "own" / layout, "model.bin", "vocabulary.json")
    found = find(tmp_path / "own")
    assert found.folder == own
    assert found.revision == where.fingerprint(own)


def test_own_folder_may_be_laid_out_as_the_cache(tmp_path: Path) -> None:
    put(snapshot(tmp_path / "own", PIN or ""), "model.bin", "vocabulary.json")
    assert find(tmp_path / "own").revision == PIN


def test_a_recorded_revision_is_believed_and_must_be_the_pinned_one(tmp_path: Path) -> None:
    own = put(where.folder_for(REPO, tmp_path / "own"), "model.bin", "vocabulary.json")
    (own / where.REVISION_FILE).write_text(f"{PIN}\n")
    assert find(tmp_path / "own").revision == PIN
    (own / where.REVISION_FILE).write_text("0" * 40)
    with pytest.raises(WeightsMissing, match="revision 000000000000"):
        find(tmp_path / "own")


def test_the_revision_noted_by_the_hubs_own_tool(tmp_path: Path) -> None:
    own = put(tmp_path / "e5", "model.bin", "vocabulary.json")
    put(own / ".cache" / "huggingface" / "download", "model.bin.metadata", content=b"abc123\netag\n1700000000.0\n")
    assert where.at(own, NEEDS, name="e5").revision == "abc123"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="there is no folder") as caught:
        where.at(tmp_path / "nowhere", NEEDS, name="x")
    assert "Check the path" in caught.value.hint
    assert "models pull" not in caught.value.hint, "nobody can download a person's own folder"


def test_an_unfinished_download_is_no_model(tmp_path: Path) -> None:
    own = put(where.folder_for(REPO, tmp_path / "own"), "model.bin", "vocabulary.json", where.INCOMPLETE_FILE)
    with pytest.raises(WeightsMissing, match="unfinished download"):
        find(tmp_path / "own")
    (own / where.INCOMPLETE_FILE).unlink()
    assert find(tmp_path / "own").folder == own


def test_without_a_setting_models_lie_in_a_folder_of_this_person(tmp_path: Path) -> None:
    own = put(where.folder_for(REPO, tmp_path / "cache" / "heimdex" / "models"), "model.bin", "vocabulary.json")
    assert where.models_folder() == own.parent
    assert find().folder == own


def test_a_fingerprint_tells_models_apart(tmp_path: Path) -> None:
    one = put(tmp_path / "one", "model.bin", "config.json")
    same = put(tmp_path / "same", "model.bin", "config.json")
    assert where.fingerprint(one) == where.fingerprint(same)
    (same / "README.md").write_text("words about it")
    assert where.fingerprint(one) == where.fingerprint(same), "what is written about a model is not the model"
    (same / "model.bin").write_bytes(b"Weights")
    assert where.fingerprint(one) != where.fingerprint(same)


def test_a_fingerprint_of_a_large_file_sees_its_first_and_last_bytes(tmp_path: Path) -> None:
    size = 9_000_000
    prints = set()
    for changed in (None, 0, size - 1):
        content = bytearray(size)
        if changed is not None:
            content[changed] = 1
        prints.add(where.fingerprint(put(tmp_path / str(changed), "model.bin", content=bytes(content))))
    assert len(prints) == 3


def test_a_rewritten_file_is_read_again(tmp_path: Path) -> None:
    folder = put(tmp_path / "one", "model.bin")
    before = where.fingerprint(folder)
    (folder / "model.bin").write_bytes(b"WEIGHTS")
    os.utime(folder / "model.bin", ns=(1, 1))
    assert where.fingerprint(folder) != before


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HF_HUB_CACHE")
    monkeypatch.delenv("HUGGINGFACE_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    assert where.hugging_face_cache() == tmp_path / "hf" / "hub"
    monkeypatch.delenv("HF_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert where.hugging_face_cache() == tmp_path / "xdg" / "huggingface" / "hub"


def test_near_names_are_offered() -> None:
    error = where.unknown("speech model", "smal", ["tiny", "small", "medium", "large-v3"])
    assert error.hint == "Choose one of: small."
    far = where.unknown("speech model", "qqqqq", ["tiny", "small"])
    assert far.hint == "Choose one of: tiny, small."
    cased = where.unknown("vision model", "vit-b-16-siglip2/webly", ["ViT-B-16-SigLIP2/webli", "RN50/openai"])
    assert cased.hint == "Choose one of: ViT-B-16-SigLIP2/webli."


def test_what_the_profiles_use_is_pinned() -> None:
    for pin in where.PINNED.values():
        assert pin.revision is None or len(pin.revision) == 40
        assert pin.licence
        assert pin.size_bytes > 10**8
        assert pin.files
