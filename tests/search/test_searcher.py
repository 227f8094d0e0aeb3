"""One search with fake models: scores, abstaining and failing channels, the cache and the log."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait

import pytest

from heimdex_core.errors import (
    InvalidQuery,
    InvalidValue,
    InvalidWeights,
    ModelBroken,
    SearchFailed,
    UnknownName,
)
from heimdex_core.models.base import QueryVector
from heimdex_core.search import runner
from heimdex_core.search.channels import thresholds
from heimdex_core.search.channels.channel_set import ChannelSets
from heimdex_core.search.searcher import Searcher
from heimdex_core.types import Query

EVEN = {"transcript": 0.5, "vision": 0.5}


def found(result) -> list[str]:
    return [hit.scene_id for hit in result]


# --- what comes back ------------------------------------------------------------------------------


def test_scores_by_hand_with_reasons(bench):
    a, b, c, d = bench.ids
    result = bench.searcher().search(
        Query("bread", weights={"transcript": 0.45, "vision": 0.35, "lexical": 0.20}), user_id="local"
    )
    # transcript: .8 and .4 lie above 0, the others count as 0 -> a 1, b .5. vision: .1 to .9. lexical: only b.
    expected = {a: 0.45, b: 0.45 * 0.5 + 0.35 * 0.25 + 0.20, c: 0.35, d: 0.35 * 0.5}
    assert {hit.scene_id: hit.score for hit in result} == pytest.approx(expected)
    assert found(result) == [b, a, c, d]
    first = result[0]
    assert first.rank == 1
    assert first.video_title == "title of v1"
    assert first.channels["transcript"].score == pytest.approx(0.4)
    assert first.channels["transcript"].rank == 2
    assert first.channels["vision"].normalised == pytest.approx(0.25)
    assert first.channels["lexical"].contribution == pytest.approx(0.20)
    assert sum(part.contribution for part in first.channels.values()) == pytest.approx(first.score)
    # The transcript channel examined d, which is below its threshold.
    assert result[3].channels["transcript"].score is None
    assert result[3].channels["transcript"].rank is None


def test_matched_words_have_their_positions(bench):
    result = bench.searcher().search(Query("breads"), user_id="local")
    hit = next(hit for hit in result if hit.scene_id == bench.ids[1])
    assert hit.matched_words == ("bread",)
    text = hit.scene.transcript
    assert [text[start:end] for start, end in hit.transcript_spans] == ["bread", "bread"]


def test_total_and_paging_are_stable(bench):
    searcher = bench.searcher()
    whole = searcher.search(Query("bread", limit=10), user_id="local")
    pages = [searcher.search(Query("bread", limit=1, offset=n), user_id="local") for n in range(5)]
    assert [found(page) for page in pages] == [[i] for i in found(whole)] + [[]]
    assert {page.total for page in pages} == {4}
    assert [hit.rank for page in pages for hit in page] == [1, 2, 3, 4]


def test_filter_by_video(bench):
    searcher = bench.searcher()
    result = searcher.search(Query("bread", video_ids=("v2",)), user_id="local")
    assert set(found(result)) == set(bench.ids[2:])
    assert searcher.search(Query("bread", video_ids=()), user_id="local").total == 0


def test_another_user_sees_nothing(bench):
    result = bench.searcher().search(Query("bread"), user_id="another")
    assert result.total == 0
    assert bench.models.queries() == []


def test_timings_name_every_part(bench):
    result = bench.searcher().search(Query("bread"), user_id="local")
    assert set(result.timing_ms) == {"transcript", "vision", "lexical", "encode", "load", "fuse", "total"}
    assert all(value >= 0 for value in result.timing_ms.values())


def test_a_scene_that_was_removed_meanwhile_is_left_out(bench):
    gone = bench.scenes.pop(2)
    bench.reader.all = bench.scenes
    bench.reader.scene_ids = lambda user_id, video_ids=None: bench.ids
    assert gone.scene_id not in found(bench.searcher().search(Query("bread"), user_id="local"))


# --- abstaining -----------------------------------------------------------------------------------


def test_an_abstaining_channel_gives_its_weight_away(bench):
    bench.models.vision_encoder.answer = QueryVector(None, "no_known_words", unknown_words=("bread",))
    weights = {"transcript": 0.45, "vision": 0.35, "lexical": 0.20}
    result = bench.searcher().search(Query("bread", weights=weights), user_id="local")
    state = result.channels["vision"]
    assert (state.active, state.weight, state.reason, state.detail) == (False, 0.0, "no_known_words", "bread")
    assert result.channels["transcript"].weight == pytest.approx(0.45 / 0.65)
    assert result.channels["lexical"].weight == pytest.approx(0.20 / 0.65)
    assert result.weights == pytest.approx(weights)
    assert result[0].channels["vision"].score is None


def test_reasons(bench):
    for s in bench.scenes[:2]:
        bench.reader.vectors["text/fake"][s.scene_id] = -0.1
    result = bench.searcher().search(Query("...", weights={"lexical": 0.5, "transcript": 0.5}), user_id="local")
    assert {name: state.reason for name, state in result.channels.items()} == {
        "transcript": "no_matches",
        "vision": "weight_zero",
        "lexical": "no_terms",
    }


def test_without_a_transcript_no_model_is_used(bench):
    result = bench.searcher().search(Query("bread", video_ids=(), weights=EVEN), user_id="local")
    assert result.channels["transcript"].reason == "no_transcript"
    assert bench.models.queries() == []


def test_all_channels_abstain(bench):
    bench.models.text_encoder.answer = QueryVector(None, "language")
    bench.models.vision_encoder.answer = QueryVector(None, "no_known_words")
    result = bench.searcher().search(Query("자전거"), user_id="local")
    assert len(result) == result.total == 0
    assert {name: state.reason for name, state in result.channels.items()} == {
        "transcript": "language",
        "vision": "no_known_words",
        "lexical": "no_matches",
    }


def test_an_empty_library(bench):
    bench.reader.all, bench.reader.titles = [], {}
    result = bench.searcher().search(Query("bread"), user_id="local")
    assert result.total == 0
    assert not any(state.active for state in result.channels.values())
    assert bench.models.text_encoder.encoded == []  # no model was loaded


def test_a_threshold_leaves_out_weak_neighbours(bench, monkeypatch):
    monkeypatch.setitem(thresholds.THRESHOLDS, "text/fake", 0.5)
    a = bench.ids[0]
    result = bench.searcher().search(Query("bread", weights={"transcript": 1.0}), user_id="local")
    assert found(result) == [a]
    # The others are known to score at most the threshold, so a single hit is not "flat".
    assert result.channels["transcript"].active
    assert result[0].score == 1.0


def test_a_flat_channel_takes_no_part(bench):
    for s in bench.scenes:
        bench.reader.vectors["vision/fake"][s.scene_id] = 0.5
    result = bench.searcher().search(Query("bread", weights=EVEN), user_id="local")
    assert result.channels["vision"].reason == "flat"
    assert result[0].channels["vision"].score == 0.5
    assert result[0].channels["vision"].contribution == 0


# --- failing --------------------------------------------------------------------------------------


def broken() -> None:
    raise ModelBroken(name="fake", reason="it is broken")


def test_a_failed_channel_is_left_out_and_reported(bench):
    bench.models.text_encoder.before = broken
    result = bench.searcher().search(Query("bread"), user_id="local")
    state = result.channels["transcript"]
    assert (state.active, state.reason) == (False, "failed")
    assert "it is broken" in state.detail
    assert result.total == 4


def test_a_model_that_does_not_load_is_left_out_too(bench):
    bench.models.load = broken
    result = bench.searcher().search(Query("bread"), user_id="local")
    assert result.channels["transcript"].reason == "failed"
    assert result.channels["vision"].active


def test_a_late_channel_is_left_out_and_runs_again_next_time(bench, monkeypatch):
    release = threading.Event()
    bench.models.vision_encoder.before = lambda: release.wait(60)

    def time_is_up(futures: list[Future], timeout: float) -> None:
        """The time limit of the search passes when all channels but one are done."""
        if timeout == 7.0:
            for done, _ in enumerate(as_completed(futures, timeout=60), start=1):
                if done == len(futures) - 1:
                    return
        wait(futures, timeout=timeout)

    searcher = bench.searcher(channel_timeout_s=7.0)
    with monkeypatch.context() as patch:
        patch.setattr(runner, "wait", time_is_up)
        result = searcher.search(Query("bread"), user_id="local")
    state = result.channels["vision"]
    assert (state.active, state.reason, state.detail) == (False, "timeout", "7 s")
    assert result.channels["lexical"].active
    release.set()
    assert searcher.search(Query("bread"), user_id="local").channels["vision"].active


def test_loading_does_not_count_against_the_time_limit(bench, monkeypatch):
    may_load = threading.Event()
    bench.models.load = lambda: may_load.wait(60) or None
    limits: list[float] = []

    def watched(futures: list[Future], timeout: float) -> None:
        limits.append(timeout)
        if timeout == runner.LOAD_LIMIT_S:
            may_load.set()  # a model that were loaded while searching would never come
        wait(futures, timeout=timeout)

    monkeypatch.setattr(runner, "wait", watched)
    result = bench.searcher(channel_timeout_s=30.0).search(Query("bread"), user_id="local")
    assert result.channels["transcript"].active
    assert limits == [runner.LOAD_LIMIT_S, 30.0]
    assert result.timing_ms["load"] > 0


def test_all_failing_is_an_error(bench):
    bench.models.text_encoder.before = bench.models.vision_encoder.before = broken
    with pytest.raises(SearchFailed) as caught:
        bench.searcher().search(Query("bread", weights=EVEN), user_id="local")
    assert "transcript: failed" in caught.value.message
    assert "vision: failed" in caught.value.message


def test_a_failure_is_not_cached(bench):
    searcher = bench.searcher()
    bench.models.text_encoder.before = broken
    assert searcher.search(Query("bread"), user_id="local").channels["transcript"].reason == "failed"
    bench.models.text_encoder.before = lambda: None
    assert searcher.search(Query("bread"), user_id="local").channels["transcript"].active


# --- re-ranking -----------------------------------------------------------------------------------


def test_other_weights_and_fusion_run_no_model(bench):
    searcher = bench.searcher()
    first = searcher.search(Query("bread"), user_id="local")
    encoded = list(bench.models.queries())
    assert not first.cached
    for query in (
        Query("bread", weights={"vision": 1.0}),
        Query("  bread ", weights={"lexical": 1.0}),
        Query("bread", fusion="rrf"),
        Query("bread", fusion="zscore", limit=1, offset=2),
    ):
        assert searcher.search(query, user_id="local").cached
    assert bench.models.queries() == encoded
    assert found(searcher.search(Query("bread", weights={"vision": 1.0}), user_id="local"))[0] == bench.ids[2]


def test_a_channel_with_a_weight_of_0_runs_once_its_model_is_loaded(bench):
    searcher = bench.searcher()
    searcher.search(Query("ferry"), user_id="local")  # loads both models
    result = searcher.search(Query("bread", weights={"vision": 1.0}), user_id="local")
    hit = next(hit for hit in result if hit.scene_id == bench.ids[1])
    assert hit.channels["transcript"].score == pytest.approx(0.4)
    assert hit.channels["transcript"].contribution == 0
    assert searcher.search(Query("bread", weights={"transcript": 1.0}), user_id="local").cached


def test_a_model_with_a_weight_of_0_is_not_loaded(bench):
    result = bench.searcher().search(Query("bread", weights={"lexical": 1.0}), user_id="local")
    assert bench.models.text_encoder.encoded == bench.models.vision_encoder.encoded == []
    assert found(result) == [bench.ids[1]]


def test_the_cache_key_has_the_text_the_filter_and_what_is_visible(bench):
    searcher = bench.searcher()
    searcher.search(Query("bread"), user_id="local")
    assert not searcher.search(Query("ferry"), user_id="local").cached
    assert not searcher.search(Query("bread", video_ids=("v1",)), user_id="local").cached
    assert searcher.search(Query("bread"), user_id="local").cached
    bench.reader.token = "2"  # noqa: S105
    assert not searcher.search(Query("bread"), user_id="local").cached


def test_the_cache_is_bounded(bench):
    searcher = bench.searcher(search_cache_size=3)  # one query's three channels
    searcher.search(Query("bread"), user_id="local")
    searcher.search(Query("ferry"), user_id="local")
    assert not searcher.search(Query("bread"), user_id="local").cached


def test_many_at_once_agree(bench):
    searcher = bench.searcher()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: searcher.search(Query(f"bread {n % 3}"), user_id="local"), range(24)))
    assert len({tuple(found(result)) for result in results}) == 1


# --- refused queries and the log -------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "   ", "x" * 1001])
def test_a_query_has_1_to_1000_characters(bench, text):
    with pytest.raises(InvalidQuery):
        bench.searcher().search(Query(text), user_id="local")


def test_1000_characters_are_fine(bench):
    assert bench.searcher().search(Query("x" * 1000), user_id="local").total > 0


@pytest.mark.parametrize(
    ("query", "error"),
    [
        (Query("bread", weights={"vision": 0.0}), InvalidWeights),
        (Query("bread", weights={}), InvalidWeights),
        (Query("bread", weights={"smell": 1.0}), UnknownName),
        (Query("bread", fusion="borda"), UnknownName),
        (Query("bread", limit=0), InvalidValue),
        (Query("bread", offset=-1), InvalidValue),
    ],
)
def test_what_is_refused(bench, query, error):
    with pytest.raises(error):
        bench.searcher().search(query, user_id="local")


def test_every_search_is_logged(bench):
    bench.models.vision_encoder.answer = QueryVector(None, "no_known_words")
    bench.searcher().search(Query("bread", fusion="rrf"), user_id="local")
    (row,) = bench.logged
    assert row["text"] == "bread"
    assert row["fusion"] == "rrf"
    assert row["user_id"] == "local"
    assert row["total"] == 2
    assert row["active"] == ["transcript", "lexical"]
    assert row["abstaining"] == {"vision": "no_known_words"}
    assert row["weights"] == pytest.approx({"transcript": 0.45, "vision": 0.35, "lexical": 0.20})
    assert "total" in row["timing_ms"]


def test_a_log_that_cannot_be_written_does_not_fail_the_search(bench):
    def full(row) -> None:
        raise OSError(28, "No space left on device")

    searcher = Searcher(bench.reader, ChannelSets(lambda set_id: bench.models).of, bench.settings, log=full)
    assert searcher.search(Query("bread"), user_id="local").total == 4
