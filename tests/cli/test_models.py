"""The command `models` against a fake hub: shapes, exit codes, and the text without --json."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from heimdex_core.cli.main import main
from heimdex_core.library import Library
from heimdex_core.models import families, locate
from heimdex_core.settings import get_settings
from tests.support.fake_hub import FakeHub, Mood, Repo, closed_port, fake_hub

SMALL = Path(__file__).resolve().parents[1] / "models_small"
NAME = "tiny/sentences"
SPEC = f"sentence:{NAME}"
REVISION = "5a1d" * 10
Run = Callable[..., tuple[int, Any]]


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HEIMDEX_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("HEIMDEX_DEVICE", "cpu")
    with fake_hub(tiny__sentences=Repo.of(SMALL / "sentences", REVISION)) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.endpoint)
        yield running


@pytest.fixture
def run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str | Path) -> tuple[int, Any]:
        capfd.readouterr()
        status = main(["--library", str(tmp_path / "library"), "models", *(str(word) for word in words), "--json"])
        return status, json.loads(capfd.readouterr().out)

    return call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return locate.folder_for(NAME, tmp_path / "models")


def rows_of(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["spec"]: row for row in document["models"]}


def test_the_folder(run: Run, tmp_path: Path) -> None:
    assert run("path") == (0, {"path": str(tmp_path / "models"), "exists": False})


def test_the_models_of_every_profile_are_listed(run: Run) -> None:
    status, document = run("list")
    assert (status, document["library"]) == (0, None)
    rows = rows_of(document)
    assert {row["profile"] for row in rows.values()} == {"offline", "laptop", "studio"}
    assert rows["palette:1"]["state"] == rows["minilm:all-MiniLM-L6-v2"]["state"] == "ready"
    bge = rows["sentence:BAAI/bge-m3"]
    assert (bge["state"], bge["licence"], bge["size_bytes"], bge["repo"]) == (
        "missing",
        "MIT",
        2_293_400_000,
        "BAAI/bge-m3",
    )
    assert bge["revision"].startswith("5617a9f61b02")
    assert not any(row["is_used"] for row in rows.values())


def test_what_the_library_uses_is_marked(run: Run, tmp_path: Path) -> None:
    Library.open(tmp_path / "library", profile="offline").close()
    _, document = run("list")
    assert document["library"] == {"path": str(tmp_path / "library"), "profile": "offline"}
    used = {spec for spec, row in rows_of(document).items() if row["is_used"]}
    assert used == {"whisper:tiny.en", "minilm:all-MiniLM-L6-v2", "use:multilingual-3", "palette:1"}


def test_a_plan_downloads_nothing(run: Run, hub: FakeHub, folder: Path) -> None:
    status, plan = run("pull", NAME, "--plan")
    assert status == 0
    assert plan["bytes_missing"] == plan["bytes_total"] > 190_000
    (item,) = plan["items"]
    assert (item["spec"], item["licence"], item["revision"]) == (SPEC, "mit", REVISION)
    assert {"path": "model.safetensors", "size_bytes": 196_640} in item["files"]
    assert hub.asked_for() == set()
    assert not folder.exists()


def test_pull_then_list_then_check(run: Run, folder: Path) -> None:
    status, pulled = run("pull", NAME)
    assert (status, pulled["folders"], pulled["bytes_fetched"]) == (0, [str(folder)], pulled["bytes_total"])
    row = rows_of(run("list")[1])[SPEC]
    assert (row["profile"], row["state"], row["licence"], row["revision"]) == ("others", "ready", "mit", REVISION)
    assert row["folder"] == str(folder)
    for words in ((), (SPEC,), (NAME,)):
        status, checked = run("check", *words)
        row = next(one for one in checked if one["spec"] == SPEC)
        assert (status, row["state"], row["by"], row["files"]) == (0, "ready", "sha256", 9)
    status, pulled = run("pull", NAME)
    assert (status, pulled["bytes_fetched"]) == (0, 0)


def test_a_changed_byte_is_found_and_the_file_replaced(run: Run, folder: Path) -> None:
    run("pull", NAME)
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    status, checked = run("check", NAME)
    assert (status, checked[0]["state"], checked[0]["problems"]) == (
        1,
        "broken",
        ["model.safetensors differs from the download"],
    )
    assert f"models pull {SPEC} --again" in checked[0]["hint"]
    assert run("pull", SPEC, "--again")[0] == 0
    assert run("check", NAME)[0] == 0
    assert weights.read_bytes() == whole


def test_a_file_that_became_shorter_is_listed_as_broken(run: Run, folder: Path) -> None:
    run("pull", NAME)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert rows_of(run("list")[1])[SPEC]["state"] == "broken"
    status, pulled = run("pull", NAME)
    assert (status, pulled["bytes_missing"]) == (0, 196_640)
    assert rows_of(run("list")[1])[SPEC]["state"] == "ready"


def test_an_unfinished_download_is_reported(run: Run, hub: FakeHub) -> None:
    hub.mood = Mood(wrong_bytes=True, only="model.safetensors")
    status, document = run("pull", SPEC)
    assert (status, document["error"]["code"]) == (1, "DOWNLOAD_DAMAGED")
    status, checked = run("check", SPEC)
    assert (status, checked[0]["state"]) == (1, "unfinished")
    hub.mood = Mood()
    assert run("pull", SPEC)[0] == 0


def test_a_missing_model_is_a_failure_only_if_it_is_named(run: Run) -> None:
    status, checked = run("check")
    assert status == 0
    assert {row["state"] for row in checked} == {"ready", "missing"}
    status, checked = run("check", "whisper:small")
    assert (status, checked[0]["state"]) == (1, "missing")
    assert "models pull whisper:small" in checked[0]["hint"]


def test_files_in_the_hugging_face_cache_are_checked(run: Run, tmp_path: Path) -> None:
    from huggingface_hub import hf_hub_download

    spec = "sentence:intfloat/multilingual-e5-small"
    (wanted,) = families.repositories("text", spec)
    with fake_hub() as other:
        other.repos[wanted.repo] = Repo.of(SMALL / "sentences", wanted.revision or "")
        for name in other.repos[wanted.repo].files:
            weights = hf_hub_download(
                wanted.repo, name, revision=wanted.revision, cache_dir=tmp_path / "hub", endpoint=other.endpoint
            )
    status, checked = run("check", spec)
    assert (status, checked[0]["state"], checked[0]["by"]) == (0, "ready", "sha256")
    blob = (Path(weights).parent / "model.safetensors").resolve()
    blob.write_bytes(bytes(blob.stat().st_size))
    status, checked = run("check", spec)
    assert (status, checked[0]["problems"]) == (1, ["model.safetensors differs from the download"])


def test_a_download_for_another_machine(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    target = tmp_path / "target"
    status, pulled = run("pull", NAME, "--to", target)
    assert (status, pulled["folders"]) == (0, [str(target / "tiny--sentences")])
    assert not folder.exists()
    monkeypatch.setenv("HEIMDEX_MODELS_DIR", str(target))
    monkeypatch.setenv("HF_ENDPOINT", closed_port())
    get_settings.cache_clear()
    assert run("check", NAME)[1][0]["state"] == "ready"
    assert run("pull", NAME)[0] == 0, "no network is needed for what is there"


def test_without_a_network(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", closed_port())
    status, document = run("pull", "laptop")
    assert (status, document["error"]["code"]) == (1, "HUB_UNREACHABLE")
    assert "models pull laptop --to DIR" in document["error"]["hint"]


def test_the_default_profile_needs_no_download(run: Run, hub: FakeHub) -> None:
    status, pulled = run("pull", "offline")
    assert (status, pulled["items"], pulled["bytes_total"]) == (0, [], 0)
    assert hub.requests == []


def test_a_misspelt_profile(run: Run) -> None:
    status, document = run("pull", "labtop")
    assert (status, document["error"]["code"]) == (1, "UNKNOWN_NAME")
    assert "laptop" in document["error"]["hint"]


@pytest.mark.parametrize("words", [(), ("fetch",), ("pull",)])
def test_wrong_usage(run: Run, words: tuple[str, ...]) -> None:
    status, document = run(*words)
    assert (status, document["error"]["code"]) == (2, "USAGE")


def test_text_without_json(capfd: pytest.CaptureFixture[str], folder: Path) -> None:
    assert main(["models", "pull", NAME]) == 0
    printed = capfd.readouterr()
    assert printed.out.strip() == str(folder)
    assert f"{SPEC}  {NAME}@5a1d5a1d5a1d  mit  204 KB of 204 KB to download" in printed.err
    assert main(["models", "list"]) == 0
    assert "others   text     ready        205 KB  sentence:tiny/sentences  mit  5a1d5a1d5a1d" in capfd.readouterr().out
    assert main(["models", "check", NAME]) == 0
    assert capfd.readouterr().out.strip() == f"ready      {SPEC}  9 files by sha256"
