"""evaluation/benchmark.py: the annotation formats, the measures, and whole runs over three clips of one colour each."""

import json
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from evaluation import benchmark
from evaluation.benchmark_formats import Caption, read_captions, video_files
from heimdex_core import Library
from heimdex_core.errors import FileUnreadable, InvalidValue
from tests.support.clips import colour_clips

MSRVTT_JSON = {
    "info": {"year": "2016"},
    "videos": [
        {"id": 1, "video_id": "video1", "split": "train", "category": 3, "start time": 1.0, "end time": 9.0},
        {"id": 2, "video_id": "video2", "split": "test", "category": 3, "start time": 1.0, "end time": 9.0},
    ],
    "sentences": [
        {"sen_id": 0, "video_id": "video1", "caption": "a man  walks"},
        {"sen_id": 1, "video_id": "video2", "caption": "a red screen"},
        {"sen_id": 2, "video_id": "video2", "caption": "everything is red"},
    ],
}
MSRVTT_CSV = "key,vid_key,video_id,sentence\nret0,msr2,video2,a red screen\nret1,msr3,video3,a blue screen\n"
DIDEMO = [
    {"annotation_id": 1, "video": "x_1.avi", "description": "first red", "times": [[0, 0], [0, 1]], "num_segments": 6},
    {"annotation_id": 2, "video": "x_2.mov", "description": "all blue", "times": [[5, 5]], "num_segments": 6},
    {"annotation_id": 3, "video": "x_1.avi", "description": "then more red", "times": [[2, 2]], "num_segments": 6},
]
MSVD_TXT = "# the descriptions\n\n-4wsuPCjDBc_5_15 a squirrel is eating\n-4wsuPCjDBc_5_15 it is red\nabc_0_3 blue\n"
MSVD_CSV = (
    "VideoID,Start,End,WorkerID,Source,AnnotationTime,Language,Description\n"
    "abc,0,3,1,clean,5,English,it is blue\nabc,0,3,2,clean,5,German,es ist blau\n"
)


def written(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("dataset", "content", "captions"),
    [
        ("msrvtt", MSRVTT_JSON, [("video2", "a red screen"), ("video2", "everything is red")]),
        ("msrvtt", MSRVTT_CSV, [("video2", "a red screen"), ("video3", "a blue screen")]),
        ("msrvtt", "\ufeff" + MSRVTT_CSV.replace(",", ";"), [("video2", "a red screen"), ("video3", "a blue screen")]),
        ("didemo", DIDEMO, [("x_1.avi", "first red then more red"), ("x_2.mov", "all blue")]),
        (
            "msvd",
            MSVD_TXT,
            [("-4wsuPCjDBc_5_15", "a squirrel is eating"), ("-4wsuPCjDBc_5_15", "it is red"), ("abc_0_3", "blue")],
        ),
        ("msvd", MSVD_CSV, [("abc_0_3", "it is blue")]),
        ("clips", 'video,caption\na.mp4,"red, and more red"\n', [("a.mp4", "red, and more red")]),
    ],
)
def test_published_formats(tmp_path, dataset, content, captions):
    path = written(tmp_path, "annotations", content)
    assert read_captions(dataset, path) == [Caption(*caption) for caption in captions]


def test_another_split(tmp_path):
    path = written(tmp_path, "videodatainfo.json", MSRVTT_JSON)
    assert read_captions("msrvtt", path, "train") == [Caption("video1", "a man walks")]
    with pytest.raises(InvalidValue, match="no caption"):
        read_captions("msrvtt", path, "validate")


@pytest.mark.parametrize(
    ("dataset", "content"),
    [
        ("msrvtt", "a,b\n1,2\n"),
        ("msrvtt", '{"videos": 3}'),
        ("didemo", "no json"),
        ("didemo", '[{"video": "x"}]'),
        ("msvd", "onlyavideo\n"),
        ("clips", "video;text\na;b\n"),
    ],
)
def test_other_files_are_refused(tmp_path, dataset, content):
    with pytest.raises(FileUnreadable, match=f"not annotations of {dataset}"):
        read_captions(dataset, written(tmp_path, "annotations", content))
    with pytest.raises(FileUnreadable):
        read_captions(dataset, tmp_path / "none")


def test_files_are_found_by_name_with_and_without_endings(tmp_path):
    (tmp_path / "deep").mkdir()
    for name in ("video2.mp4", "deep/x_1.avi.mp4", "x_2.mp4", "notes.txt"):
        (tmp_path / name).touch()
    found = video_files(tmp_path, {"video2", "x_1.avi", "x_2.mov", "video9", "notes"})
    assert {name: path.name for name, path in found.items()} == {
        "video2": "video2.mp4",
        "x_1.avi": "x_1.avi.mp4",
        "x_2.mov": "x_2.mp4",
    }
    with pytest.raises(FileUnreadable, match="not a folder"):
        video_files(tmp_path / "none", set())


def test_measures_by_hand():
    measured = benchmark.measure(np.array([1, 2, 11]), ["a", "b", "c"])
    values = {name: one.value for name, one in measured.items()}
    assert values["R@1"] == pytest.approx(100 / 3)
    assert values["R@5"] == values["R@10"] == pytest.approx(200 / 3)
    assert values["MedR"] == 2
    # gains 1, 1/log2(3) and none
    assert values["nDCG@10"] == pytest.approx((1 + 0.63093) / 3, abs=1e-5)


def test_captions_of_a_video_are_drawn_together():
    measured = benchmark.measure(np.array([1, 1, 1, 1, 20]), ["a", "a", "a", "a", "b"])["R@1"]
    # A quarter of the samples has only video b, another quarter only a.
    assert (measured.value, measured.low, measured.high) == (80.0, 0.0, 100.0)
    same = benchmark.measure(np.ones(4, dtype=int), ["a", "b", "c", "d"])["R@1"]
    assert (same.low, same.high) == (100.0, 100.0)


def test_captions_are_searched_without_operators():
    assert benchmark.plain('a "red" car -fast and title: well-known') == "a red car fast and title well-known"


# --- whole runs -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for name, colour in (("red.mp4", "red"), ("blue.mp4", "blue"), ("yellow.mp4", "yellow")):
        colour_clips(folder / name, [(colour, 1.2)], size=(160, 90))
    (folder / "broken.mp4").write_text("no video", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    with Library.open(tmp_path_factory.mktemp("benchmark") / "library", profile="offline") as opened:
        yield opened


@pytest.fixture
def opened_once(monkeypatch, library):
    """The script gets the module's library, so that its models are loaded once."""

    class Opened:
        @staticmethod
        def open(path: Path, profile: str | None):
            assert (path, profile) == (library.path, "offline")
            return nullcontext(library)

    monkeypatch.setattr(benchmark, "Library", Opened)


RUNS = {
    "msrvtt": {
        "videos": [{"video_id": name, "split": "test"} for name in ("red", "blue", "yellow", "green")],
        "sentences": [
            {"sen_id": 0, "video_id": "red", "caption": "a red picture"},
            {"sen_id": 1, "video_id": "blue", "caption": "a blue picture"},
            {"sen_id": 2, "video_id": "yellow", "caption": "a yellow picture"},
            {"sen_id": 3, "video_id": "green", "caption": "a green picture"},
        ],
    },
    "didemo": [
        {"video": "red.avi", "description": "a red picture", "times": [[0, 0]]},
        {"video": "blue.avi", "description": "a blue picture", "times": [[0, 0]]},
    ],
    "msvd": "red a red picture\nred it is red\nblue a blue picture\n",
    "clips": "video,caption\nred.mp4,a red picture\nblue.mp4,a blue picture\nbroken.mp4,nothing\n",
}


@pytest.mark.long
@pytest.mark.parametrize("dataset", list(RUNS))
@pytest.mark.usefixtures("opened_once")
def test_a_benchmark_runs_from_files_to_measures(dataset, clips, library, tmp_path, capsys):
    annotations = written(tmp_path, "annotations", RUNS[dataset])
    arguments = [dataset, "--videos", str(clips), "--annotations", str(annotations), "--library", str(library.path)]
    out = tmp_path / "ranks.jsonl"
    arguments += ["--profile", "offline", "--out", str(out)]
    assert benchmark.main([*arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["missing"] == (["green"] if dataset == "msrvtt" else [])
    assert list(report["refused"]) == (["broken.mp4"] if dataset == "clips" else [])
    vision = report["results"]["vision"]
    assert vision["R@1"] == {"value": 100.0, "low": 100.0, "high": 100.0}
    assert vision["MedR"]["value"] == 1
    # Nothing is said in the clips, so their video is the last one.
    assert report["results"]["transcript"]["MedR"]["value"] == (3 if dataset == "msrvtt" else 2)
    assert benchmark.main(arguments) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[1].split() == ["R@1", "R@5", "R@10", "MedR", "nDCG@10"]
    assert ("annotated videos are missing" in printed) == (dataset in ("msrvtt", "clips"))


@pytest.mark.long
@pytest.mark.usefixtures("opened_once")
def test_a_run_goes_on_where_it_was_stopped(clips, library, tmp_path, monkeypatch, capsys):
    annotations = written(tmp_path, "annotations.csv", RUNS["clips"])
    out = tmp_path / "ranks.jsonl"
    arguments = ["clips", "--videos", str(clips), "--annotations", str(annotations), "--library", str(library.path)]
    arguments += ["--profile", "offline", "--out", str(out)]
    assert benchmark.main(arguments) == 0
    whole = capsys.readouterr().out
    head, first, second = out.read_text(encoding="utf-8").splitlines()
    out.write_text(f"{head}\n{first}\n{second[:9]}", encoding="utf-8")  # stopped while it wrote the second line

    asked: list[str] = []
    rank_of = benchmark.rank_of

    def counted(opened, text, *rest):
        asked.append(text)
        return rank_of(opened, text, *rest)

    monkeypatch.setattr(benchmark, "rank_of", counted)
    assert benchmark.main(arguments) == 0
    assert set(asked) == {"a blue picture"}
    assert capsys.readouterr().out == whole
    assert out.read_text(encoding="utf-8").splitlines() == [head, first, second]

    asked.clear()
    out.write_text(out.read_text(encoding="utf-8").replace(head, '{"configuration": "another"}'), encoding="utf-8")
    assert benchmark.main(arguments) == 0
    assert set(asked) == {"a red picture", "a blue picture"}  # ranks of another library or other queries do not count


def test_a_folder_without_the_videos_is_an_error(tmp_path, capsys):
    annotations = written(tmp_path, "annotations.csv", "video,caption\nz.mp4,a red picture\n")
    arguments = [
        "clips",
        "--videos",
        str(tmp_path),
        "--annotations",
        str(annotations),
        "--library",
        str(tmp_path / "new"),
    ]
    assert benchmark.main([*arguments, "--profile", "offline"]) == 1
    assert "none of the annotated videos is there" in capsys.readouterr().err
