"""What the families know about specs and names; and that a new family is one file and one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from heimdex_core.errors import InvalidValue, UnknownName, WeightsMissing
from heimdex_core.library import Library
from heimdex_core.models import families
from heimdex_core.models.download.pull import Puller
from heimdex_core.models.family import LICENCE_UNKNOWN, unknown_name
from heimdex_core.models.inventory import check_models, list_models
from heimdex_core.models.profiles import profile_choice
from heimdex_core.models.registry import ModelChoice, Models
from heimdex_core.settings import Settings
from tests.models import toy_family
from tests.support.drawn_video import make_drawn_video

NO_NAMES = [
    ("text", "sentence:../../etc"),
    ("text", "sentence:a/.."),
    ("text", "sentence:/models/../etc"),
    ("text", "sentence:~/../x"),
    ("text", "minilm:../x"),
    ("speech", "whisper:../../../etc/passwd"),
    ("speech", "whisper:..\\..\\x"),
    ("speech", "whisper:small\0"),
    ("speech", "whisper:small\n"),
    ("vision", "openclip:local-dir:../../etc"),
    ("vision", "openclip:../../x/webli"),
    ("caption", "openclip:coca_x/../y"),
    ("text", "sentence:" + "a" * 5000),
    ("text", "sentence:\ud800/x"),
]
UNKNOWN = [
    "a/.",
    "http://evil.example/x",
    "https://evil.example/org/name",
    "hf-hub:org/name",
    "org/name@evil.example",
    "org/name?x=1",
    "org/name#x",
    "a" * 300 + "/x",
    "a" * 900,
]
CLIP = "openclip:ViT-B-16-SigLIP2/webli"

# --- names that are none ---------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "spec"), NO_NAMES, ids=range(len(NO_NAMES)))
def test_a_name_with_path_parts_or_control_characters_is_refused_in_words(kind: str, spec: str) -> None:
    for ask in (
        lambda: families.make(kind, spec, Settings()),
        lambda: families.find(kind, spec, None),
        lambda: families.repositories(kind, spec),
        lambda: families.is_there(kind, spec, None),
        lambda: families.by_name(spec),
        lambda: Puller(Settings()).plan(spec),
    ):
        with pytest.raises(InvalidValue) as caught:
            ask()
        assert caught.value.message.isprintable()
        assert any(reason in caught.value.message for reason in ("part '..'", "control characters", "more than 1000"))


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_name_that_is_no_repository_asks_no_hub(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a hub was asked")

    monkeypatch.setattr("heimdex_core.models.download.hub.Hub.listing", never)
    for wanted in (name, f"sentence:{name}", f"whisper:{name}"):
        with pytest.raises((UnknownName, InvalidValue)):
            Puller(Settings()).plan(wanted)


# --- a new family ---------------------------------------------------------------------------------


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(families, "FAMILIES", (*families.FAMILIES, toy_family.FAMILY))


@pytest.mark.usefixtures("toy")
def test_a_new_family_is_known_everywhere() -> None:
    models = Models(ModelChoice("own", "asked", "whisper:tiny.en", "toy:x", "palette:1"), Settings())
    assert models.spaces["text"] == toy_family.SPACE
    assert models.text().encode_query("abba").vector is not None
    row = next(row for row in models.describe() if row["kind"] == "text")
    assert (row["name"], row["state"], row["dim"], row["licence"]) == ("toy", "ready", 4, "CC0-1.0")
    assert "toy:x" in families.known_names()
    assert families.by_name("toy:x") == ("text", "toy:x")
    assert families.spec_of("text", "toy:x") == "toy:x"
    assert Puller(Settings()).plan("toy:x").items == ()
    assert [row.state for row in list_models(Settings(), [("text", "toy:x")]) if row.spec == "toy:x"] == ["ready"]
    assert [row.state for row in check_models(Settings(), "toy:x")] == ["ready"]
    with pytest.raises(UnknownName) as caught:
        families.make("text", "toy:y", Settings())
    assert "toy:x" in caught.value.hint


@pytest.mark.usefixtures("toy")
@pytest.mark.long
def test_a_library_can_be_moved_to_a_new_family(tmp_path: Path) -> None:
    paths = {"dad": tmp_path / "first.mp4", "a cab": tmp_path / "second.mp4"}
    for line, path in paths.items():
        make_drawn_video(path, [("blue star" if line == "dad" else "red ring", None, 1.5)])
        path.with_suffix(".srt").write_text(f"1\n00:00:00,100 --> 00:00:01,000\n{line}\n")
    with Library.open(tmp_path / "library", settings=Settings(profile="offline")) as library:
        first = library.add(paths["dad"])
        library.model_sets.move_to(text="toy:x")
        assert library.model_sets.active().spaces["text"] == toy_family.SPACE
        second = library.add(paths["a cab"])
        for query, video in (("dddd", first), ("cb", second)):
            hits = library.search(query, weights={"transcript": 1.0}).hits
            assert hits[0].scene.video_id == video.video_id, query
        assert library.search("zzz", weights={"transcript": 1.0}).total == 0


# --- specs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "spec", "near"),
    [
        ("speech", "whisper:smal", "small"),
        ("text", "sentence:bge-m3", "BAAI/bge-m3"),
        ("vision", "openclip:ViT-B-16-SigLIP2/webly", "ViT-B-16-SigLIP2/webli"),
        ("text", "whisper:small", "sentence:NAME"),
        ("text", "minilm:other", "minilm:all-MiniLM-L6-v2"),
        ("vision", "openclip:", "palette:1"),
        ("caption", "nothing", "openclip:NAME"),
    ],
)
def test_an_unknown_spec_is_refused_with_known_ones(kind: str, spec: str, near: str) -> None:
    with pytest.raises(UnknownName) as caught:
        families.make(kind, spec, Settings())
    assert near in caught.value.hint


def test_settings_reach_the_models(tmp_path: Path) -> None:
    settings = Settings(models_dir=tmp_path, worker_threads=3, no_speech_limit=0.5, vision_prompts=("a {}",))
    whisper, vision = families.make("speech", "whisper:small", settings), families.make("vision", CLIP, settings)
    assert vars(whisper)["_threads"] == vars(vision)["_threads"] == 3
    assert vars(whisper)["_no_speech_limit"] == 0.5
    assert vars(vision)["_prompts"] == ("a {}",)
    with pytest.raises(WeightsMissing, match=str(tmp_path)):
        vision.load()


@pytest.mark.parametrize(
    ("kind", "spec", "repos"),
    [
        ("speech", "whisper:turbo", ["mobiuslabsgmbh/faster-whisper-large-v3-turbo"]),
        ("speech", "whisper:somebody/whisper", ["somebody/whisper"]),
        ("speech", "whisper:/models/whisper", []),
        ("speech", "whisper:tiny.en", []),
        ("speech", "pocketsphinx:en-us", []),
        ("text", "sentence:BAAI/bge-m3", ["BAAI/bge-m3"]),
        ("vision", CLIP, ["timm/ViT-B-16-SigLIP2"]),
        ("vision", "openclip:ViT-B-16-SigLIP-i18n-256/webli", ["timm/ViT-B-16-SigLIP-i18n-256"]),
        ("vision", "openclip:local-dir:/models/clip", []),
        (
            "vision",
            "openclip:nllb-clip-base/v1",
            ["visheratin/nllb-clip-base-oc", "facebook/nllb-200-distilled-600M"],
        ),
        ("caption", "openclip:coca_ViT-B-32/laion2b_s13b_b90k", ["laion/CoCa-ViT-B-32-laion2B-s13B-b90k"]),
        ("text", "nothing:x", []),
    ],
)
def test_the_repositories_of_a_spec(kind: str, spec: str, repos: list[str]) -> None:
    assert [one.repo for one in families.repositories(kind, spec)] == repos


def test_the_models_of_the_profiles_are_pinned() -> None:
    """Libraries on disk depend on these commits: vectors of another one do not fit."""
    pinned = {
        "whisper:small": ("536b0662742c02347bc0e980a01041f333bce120", 486_212_000, None),
        "whisper:medium": ("08e178d48790749d25932bbc082711ddcfdfbc4f", 1_530_572_000, None),
        "whisper:large-v3-turbo": ("0a363e9161cbc7ed1431c9597a8ceaf0c4f78fcf", 1_621_000_000, None),
        "sentence:intfloat/multilingual-e5-small": ("614241f622f53c4eeff9890bdc4f31cfecc418b3", 493_500_000, 384),
        "sentence:BAAI/bge-m3": ("5617a9f61b028005a4858fdac845db406aefb181", 2_293_400_000, 1024),
        "openclip:ViT-B-16-SigLIP2/webli": ("eee10eff6dd8cabae2d7f379d4e8cfcd352030aa", 1_535_000_000, 768),
        "openclip:ViT-SO400M-14-SigLIP/webli": ("c85ba2402be4b49b5d178f2e2384fdf50f8c7961", 3_515_000_000, 1152),
    }
    for spec, expected in pinned.items():
        kind, _ = families.by_name(spec)
        (one,) = families.repositories(kind, spec)
        assert (one.revision, one.size_bytes, one.dim) == expected
        assert one.files
    for name in ("laptop", "studio"):
        assert {spec for _, spec in profile_choice(name).specs} <= set(pinned)


@pytest.mark.parametrize(
    ("kind", "spec", "licence"),
    [
        ("speech", "whisper:somebody/whisper", "MIT"),
        ("speech", "whisper:tiny.en", "MIT"),
        ("text", "sentence:BAAI/bge-m3", "MIT"),
        ("text", "sentence:somebody/model", LICENCE_UNKNOWN),
        ("text", "minilm:all-MiniLM-L6-v2", "Apache-2.0"),
        ("vision", CLIP, "Apache-2.0"),
        ("vision", "palette:1", "Apache-2.0"),
    ],
)
def test_licences(kind: str, spec: str, licence: str) -> None:
    assert families.licence_of(kind, spec) == licence


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("small", ("speech", "whisper:small")),
        ("whisper:small", ("speech", "whisper:small")),
        ("Systran/faster-whisper-large-v3", ("speech", "whisper:large-v3")),
        ("BAAI/bge-m3", ("text", "sentence:BAAI/bge-m3")),
        ("ViT-B-16-SigLIP2/webli", ("vision", CLIP)),
        ("timm/ViT-B-16-SigLIP2", ("vision", CLIP)),
        ("ViT-B-32/laion2b_s34b_b79k", ("vision", "openclip:ViT-B-32/laion2b_s34b_b79k")),
        ("ViT-B-32/laion2b-s34b-b79k", ("vision", "openclip:ViT-B-32/laion2b-s34b-b79k")),
        ("coca_ViT-B-32/laion2b_s13b_b90k", ("caption", "openclip:coca_ViT-B-32/laion2b_s13b_b90k")),
        ("openclip:coca_ViT-B-32/laion2b_s13b_b90k", ("caption", "openclip:coca_ViT-B-32/laion2b_s13b_b90k")),
        ("palette:1", ("vision", "palette:1")),
        ("somebody/model", ("", "somebody/model")),
    ],
)
def test_what_users_call_models(name: str, found: tuple[str, str]) -> None:
    assert families.by_name(name) == found


@pytest.mark.parametrize("name", ["whisper", "palette:2", "a/b/c", "/models/own", "1"])
def test_words_that_are_no_names_of_models(name: str) -> None:
    with pytest.raises(UnknownName):
        families.by_name(name)


@pytest.mark.parametrize(
    ("files", "family"),
    [
        (["config.json", "model.bin", "vocabulary.txt"], "whisper"),
        (["config.json", "open_clip_config.json", "model.safetensors"], "openclip"),
        (["open_clip_pytorch_model.bin", "config.json"], "openclip"),
        (["config.json", "model.safetensors"], "sentence"),
    ],
)
def test_a_repository_is_recognised_by_its_files(files: list[str], family: str) -> None:
    assert families.recognised(files)[0].name == family


def test_similar_names_are_suggested() -> None:
    error = unknown_name("speech model", "smal", ["tiny", "small", "medium", "large-v3"])
    assert error.hint == "Choose one of: small."
    far = unknown_name("speech model", "qqqqq", ["tiny", "small"])
    assert far.hint == "Choose one of: tiny, small."
    cased = unknown_name("vision model", "vit-b-16-siglip2/webly", ["ViT-B-16-SigLIP2/webli", "RN50/openai"])
    assert cased.hint == "Choose one of: ViT-B-16-SigLIP2/webli."
