"""The evaluation page in a real browser: judge with keys, run and compare, sweep, and make a setting the default."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from heimdex_core.library import Library
from heimdex_core.settings import Settings
from tests.e2e.driver import wait_for_video
from tests.support.media import colour_clips, srt

pytestmark = pytest.mark.browser

COLOURS = ("green", "orange", "blue", "red", "gray", "purple")
SCENE_S = 2.0
WORKING_MS = 120_000


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of six colours, in each of which the name of the next one is said; a judged query for each colour.

    What is seen is relevant, what is said never is.
    """
    clip = colour_clips(tmp_path_factory.mktemp("media") / "colours.mp4", [(colour, SCENE_S) for colour in COLOURS])
    said = [(SCENE_S * n + 0.3, SCENE_S * n + 1.7, f"a word about {COLOURS[n - 5]}") for n in range(len(COLOURS))]
    clip.with_suffix(".srt").write_text(srt(said), encoding="utf-8")
    root = tmp_path_factory.mktemp("library") / "library"
    with Library.open(root, settings=Settings(profile="offline")) as opened:
        scenes = opened.scenes(opened.add(clip).video_id)
        assert len(scenes) == len(COLOURS)
        opened.evaluation.save_query_set("colours", COLOURS, guidelines="3: the colour fills the picture")
        for colour, scene in zip(COLOURS, scenes, strict=True):
            opened.judge(colour, scene.scene_id, 3, query_set="colours")
        for name, channel in (("said", "lexical"), ("seen", "vision")):
            opened.evaluate("colours", weights={channel: 1.0}, name=name)
    return root


def open_view(page: Page, path: str, landmark: str) -> None:
    page.goto(f"/evaluate?{path}")
    expect(page.locator(landmark).first).to_be_visible(timeout=60_000)
    settled(page)


def settled(page: Page) -> None:
    """Wait until the page is drawn and the server has answered everything that was done on it."""
    expect(page.locator('[data-test-script-state="notRunning"]')).to_be_attached()
    expect(page.locator(".hx[data-pending]")).to_have_count(0)


def progress(page: Page) -> Locator:
    return page.locator(".judging .right p").first


def grade(page: Page, number: int) -> Locator:
    return page.locator(f".judging [data-act=grade-{number}]")


def test_a_set_is_made_and_judged_with_keys_alone(page: Page, library: Path) -> None:
    open_view(page, "set=colours", "tr[data-query=red]")
    page.get_by_label("Name of the query set").last.fill("밤 산책")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="밤 산책: 0 queries")).to_be_visible()
    expect(page).to_have_url(re.compile("set=%EB%B0%A4"))
    for text in ("blue", "something red"):
        page.get_by_label("Another query").fill(text)
        page.keyboard.press("Enter")
        expect(page.locator(f'tr[data-query="{text}"]')).to_be_visible()
    page.get_by_role("link", name="Judge", exact=True).first.click()
    page.get_by_role("button", name="Find scenes and judge").click()
    expect(page.get_by_role("heading", name="blue")).to_be_visible(timeout=WORKING_MS)
    expect(progress(page)).to_have_text(re.compile(r"^0 of \d+$"))
    # blind: nothing says which run found a scene
    expect(page.locator(".judging")).not_to_contain_text(re.compile("only seen|weights of now|#1"))

    time = page.locator(".screen .time")
    first = time.inner_text()
    page.keyboard.press("3")
    expect(time).not_to_have_text(first)
    page.keyboard.press("ArrowLeft")
    expect(time).to_have_text(first)
    expect(grade(page, 3)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press(" ")
    wait_for_video(page, "!v.paused || v.ended")
    page.keyboard.press("1")  # the grade is changed
    skipped = time.inner_text()
    page.keyboard.press("s")
    expect(time).not_to_have_text(skipped)
    page.keyboard.press("n")
    page.keyboard.type("3 of 10, half hidden")  # digits in a note do not judge
    page.keyboard.press("Enter")
    page.keyboard.press("2")
    settled(page)
    expect(progress(page)).to_contain_text(re.compile(r"^2 of"))
    with Library.open(library) as opened:
        kept = [(one.query, one.grade, one.reason) for one in opened.evaluation.judgements("밤 산책")]
    assert kept == [("blue", 1, ""), ("blue", 2, "3 of 10, half hidden")]

    page.reload()
    expect(time).to_be_visible()
    expect(time).not_to_have_text(skipped)  # where it was left
    page.goto("/evaluate?set=밤 산책&view=judge")
    expect(time).to_have_text(skipped)  # the first one without a grade


@pytest.mark.long
def test_keys_that_come_fast_judge_one_scene_each(page: Page, library: Path) -> None:
    open_view(page, "set=colours&view=judge&as=ann", ".judging .grade")
    expect(page.get_by_label("Judging as")).to_have_value("ann")
    for key in "32103":
        page.keyboard.press(key)
    settled(page)
    expect(progress(page)).to_contain_text(re.compile(r"^5 of"))
    with Library.open(library) as opened:
        found = opened.evaluation.judgements("colours", judge="ann")
    assert [one.grade for one in found] == [3, 2, 1, 0, 3]
    assert len({(one.query, one.scene_id) for one in found}) == 5


@pytest.mark.long
def test_two_runs_are_compared_down_to_their_scenes(page: Page) -> None:
    open_view(page, "set=colours&view=runs", "tr[data-run]")
    row = {name: page.locator("tr[data-run]", has=page.get_by_text(name, exact=True)) for name in ("said", "seen")}
    expect(row["seen"].locator(".mean").first).to_have_text(re.compile(r"^\d\.\d{3}$"))
    row["said"].get_by_role("button", name="Compare with").click()
    row["seen"].get_by_role("button", name="Compare seen").click()
    bars = page.locator("button.delta")
    expect(bars).to_have_count(len(COLOURS))
    expect(bars.first.locator(".value")).to_contain_text("+")
    bars.filter(has_text="blue").click()
    sides = page.locator(".both section")
    expect(sides).to_have_count(2)
    # what is seen in the blue scene is found first by B, and its grade is beside it
    blue = sides.nth(1).locator("li.hit").first
    expect(blue).to_contain_text("0:04.0")
    expect(blue).to_contain_text("grade 3")
    expect(page).to_have_url(re.compile("view=runs.*a=.*b=.*q="))
    page.reload()
    expect(sides).to_have_count(2)
    settled(page)
    expect(row["seen"].get_by_role("button", name="Compare seen")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Close").click()
    expect(sides).to_have_count(0)
    page.go_back()
    expect(sides).to_have_count(2)


@pytest.mark.long
def test_runs_are_made_on_the_page(page: Page) -> None:
    open_view(page, "set=colours&view=runs", "tr[data-run]")
    before = page.locator("tr[data-run]").count()
    page.get_by_role("button", name="only seen").click()
    page.get_by_role("button", name="Make 2 runs").click()
    expect(page.locator("tr[data-run]")).to_have_count(before + 2, timeout=WORKING_MS)
    # two new runs are compared at once
    expect(page.locator("button.delta")).to_have_count(len(COLOURS))


@pytest.mark.long
def test_judgements_come_from_a_file(page: Page, library: Path, tmp_path: Path) -> None:
    with Library.open(library) as opened:
        video = opened.videos()[0].video_id
        scene = opened.scenes(video)[0].scene_id
    file = tmp_path / "judged.qrels"
    colours = {text: f"c{n}" for n, text in enumerate(COLOURS)}
    topics = tmp_path / "topics.txt"
    topics.write_text("".join(f"{name}\t{text}\n" for text, name in colours.items()), encoding="utf-8")
    file.write_text(f"c0 0 {scene} 2\nc1 0 no_such_scene 1\n", encoding="utf-8")
    open_view(page, "set=colours", "tr[data-query=red]")
    page.get_by_label("Name of the query set").last.fill("imported")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="imported: 0 queries")).to_be_visible()
    for path, told in ((topics, "Imported: 6 queries"), (file, "1 scene is not in this library")):
        with page.expect_file_chooser() as waiting:
            page.get_by_role("button", name="Choose a file").click()
        waiting.value.set_files(path)
        expect(page.locator(".verdict")).to_contain_text(told)
    expect(page.locator("tr[data-query=green] td").first).to_have_text("1")


@pytest.mark.long
def test_it_fits_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for path, landmark in (
        ("set=colours", "tr[data-query]"),
        ("set=colours&view=judge", ".judging .grade"),
        ("set=colours&view=runs", "tr[data-run]"),
        ("set=colours&view=sweeps", ".start"),
    ):
        open_view(page, path, landmark)
        wide = page.evaluate("() => document.scrollingElement.scrollWidth - innerWidth")
        assert wide <= 0, path
    open_view(page, "set=colours&view=judge", ".judging .grade")
    # what is judged and the buttons that judge it are in view together
    for locator in (page.locator(".screen"), grade(page, 0), grade(page, 3)):
        expect(locator).to_be_in_viewport(ratio=1.0)


def labels(cells: Locator) -> list[str]:
    return [str(label) for label in cells.evaluate_all("all => all.map(e => e.getAttribute('aria-label'))")]


@pytest.mark.long
def test_a_sweep_is_run_and_its_setting_made_the_default(page: Page) -> None:
    open_view(page, "set=colours&view=sweeps", ".start")
    page.get_by_role("button", name="Start the sweep").click()
    expect(page.locator(".heatmap")).to_be_visible(timeout=WORKING_MS)
    cells = page.locator(".heatmap .cell")
    assert cells.count() > 60
    # only what is seen is relevant, and six queries prove nothing
    expect(page.locator(".verdict")).to_contain_text("No difference")
    best = page.locator(".heatmap .cell.best")
    shares = [float(value) for value in re.findall(r": (\d\.\d{3})", "\n".join(labels(cells)))]
    assert len(shares) == cells.count()
    assert f": {max(shares):.3f}" in str(best.get_attribute("aria-label"))
    page.locator(".heatmap .cell[tabindex='0']").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("cell="))
    chosen = page.locator(".heatmap .cell[aria-pressed=true]")
    expect(chosen).to_have_count(1)
    label = str(chosen.get_attribute("aria-label"))
    words = re.search(r"keywords (\d+)", label)
    assert words is not None, label
    page.get_by_role("button", name="Make this my default").click()
    now = page.locator("section, div", has=page.get_by_role("heading", name="Default of a search")).last
    expect(now).to_contain_text("(mine)")
    # the search page takes it up
    page.get_by_role("link", name="Search", exact=True).click()
    expect(page.locator(".words.mono")).to_have_text(f"{words[1]}%")
    page.go_back()
    page.get_by_role("button", name="Undo my default").click()
    expect(now).to_contain_text("(as installed)")
