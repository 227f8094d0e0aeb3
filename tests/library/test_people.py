"""Faces are found, named, searched for, merged and split; the pictures are drawn, the models are small ones."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from heimdex_core.errors import (
    FaceModelsMissing,
    FaceNotFound,
    ImageTooLarge,
    InvalidValue,
    InvalidWeights,
    NoFaceInPhoto,
    NotAnImage,
    PeopleOff,
    PersonNotFound,
    SceneNotFound,
    SeveralFacesInPhoto,
    VideoNotFound,
)
from heimdex_core.library import Library
from heimdex_core.search.notes import seen_text
from heimdex_core.types import Filters, Person, Then
from tests.support.drawn_faces import (
    ANNA,
    BEN,
    CARA,
    DAN,
    LEFT,
    RIGHT,
    add_video,
    commit_pictures,
    copy_with_models,
    photo,
    picture,
)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a library that has three videos: Anna, Anna with Ben, nobody; Ben, Cara; Cara."""
    folder = tmp_path_factory.mktemp("drawn")
    with Library.open(folder / "library", profile="offline") as made:
        first = [picture((ANNA, *LEFT)), picture((ANNA, *LEFT), (BEN, *RIGHT), noise=1), picture()]
        add_video(made, "first", first, ["good morning", "the red boat", "nothing at all"])
        add_video(made, "second", [picture((BEN, *LEFT), noise=2), picture((CARA, *RIGHT))])
        add_video(made, "third", [picture((CARA, *LEFT), noise=3)])
    return folder


@pytest.fixture
def lib(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    """A copy of it, with the models."""
    with copy_with_models(drawn, tmp_path / "library", monkeypatch) as made:
        yield made


def seen(library: Library, query: str, filters: Filters | None = None) -> list[tuple[str, float]]:
    """(title, start in seconds) of the scenes that a search finds."""
    return sorted((hit.video_title, hit.scene.start_s) for hit in library.search(query, filters=filters).hits)


def enrolled(library: Library, tmp_path: Path) -> Person:
    """Anna, known by a photo, after all videos were looked through."""
    library.people.find_faces()
    return library.people.enrol("Anna", [photo(tmp_path / "anna.png", ANNA)])


# --- finding and naming ---------------------------------------------------------------------------


def test_faces_are_found_once_and_belong_to_their_scenes(lib: Library) -> None:
    assert lib.people.state().scanned == 0
    report = lib.people.find_faces()
    assert (report.videos, report.faces, report.skipped, report.problems) == (3, 6, 0, {})
    again = lib.people.find_faces()
    assert (again.videos, again.skipped) == (0, 3)
    state = lib.people.state()
    assert (state.note, state.videos, state.scanned, state.faces) == (None, 3, 3, 6)
    first = next(video for video in lib.videos() if video.title == "first")
    found = [lib.people.faces(scene.scene_id) for scene in lib.scenes(first.video_id)]
    assert [len(faces) for faces in found] == [1, 2, 0]
    one, other = found[1]
    assert one.box == pytest.approx((16 / 320, 24 / 180, 40 / 320, 40 / 180), abs=1e-3)
    assert (one.time_s, other.keyframe, one.name) == (3.0, "1-0.webp", None)


def test_a_person_enrolled_by_a_photo_is_found(lib: Library, tmp_path: Path) -> None:
    anna = enrolled(lib, tmp_path)
    assert (anna.name, anna.photos, anna.confirmed, anna.faces, anna.videos) == ("Anna", 1, 0, 2, 1)
    assert seen(lib, "person:Anna") == [("first", 0.0), ("first", 2.0)]
    assert seen(lib, "title:second person:Anna") == []
    assert seen(lib, "", Filters(people=("ANNA",))) == [("first", 0.0), ("first", 2.0)]
    (face,) = lib.people.faces(lib.search("person:Anna").hits[0].scene_id)
    assert (face.name, face.is_by_hand) == ("Anna", False)
    assert face.similarity == pytest.approx(1.0, abs=0.1)


def test_unnamed_faces_come_in_groups_that_can_be_named(lib: Library) -> None:
    lib.people.find_faces()
    groups = lib.people.unnamed()
    assert [len(group.faces) for group in groups] == [2, 2, 2]
    assert groups == lib.people.unnamed(), "the same every time"
    third = next(video for video in lib.videos() if video.title == "third")
    group = next(one for one in groups if third.video_id in {face.video_id for face in one.faces})
    cara = lib.people.name(group.cluster_id, "Cara")
    assert (cara.confirmed, cara.faces, cara.videos) == (2, 2, 2)
    assert seen(lib, "person:Cara") == [("second", 2.0), ("third", 0.0)]
    assert len(lib.people.unnamed()) == 2
    with pytest.raises(FaceNotFound):
        lib.people.name(group.cluster_id, "Somebody")


def test_both_of_two_people(lib: Library, tmp_path: Path) -> None:
    enrolled(lib, tmp_path)
    lib.people.enrol("Ben", [photo(tmp_path / "ben.png", BEN)])
    assert seen(lib, "person:Anna person:Ben") == [("first", 2.0)]


def test_a_person_named_beside_the_text_comes_first(lib: Library, tmp_path: Path) -> None:
    enrolled(lib, tmp_path)
    result = lib.search("person: Anna, nothing at all")
    with_anna = {hit.scene.start_s for hit in result.hits if hit.channels["people"].rank}
    assert with_anna == {0.0, 2.0}
    assert {hit.scene.start_s for hit in result.hits if hit.video_title == "first"} == {0.0, 2.0, 4.0}
    assert result.weights["people"] == 0.5
    assert sum(result.weights.values()) == pytest.approx(1)
    only = lib.search("person: Anna, nothing at all", weights={"people": 1.0})
    assert [hit.scene.start_s for hit in only.hits] == [0.0, 2.0]
    nobody = lib.search("nothing at all", weights={"people": 0.5, "lexical": 1.0})
    assert ("people" in nobody.channels, nobody.weights["lexical"]) == (False, 1.0)
    with pytest.raises(InvalidWeights, match="says who comes first"):
        lib.search("person:Anna nothing at all", weights={"people": 1.0})


def test_a_name_that_nobody_has(lib: Library, tmp_path: Path) -> None:
    assert lib.search("person:Anna").notes == ("listing", "nobody_known")
    enrolled(lib, tmp_path)
    unknown = lib.search("person:Zoe")
    assert (unknown.hits, unknown.notes) == ((), ("listing", "unknown_person"))
    assert lib.search("person: Zoe, boat").notes == ("unknown_person",)


@pytest.mark.parametrize("name", ["Mary Ann", "title:x", "person:title:x", "-boat", "홍길동", "a, b"])
def test_names_that_look_like_something_else(lib: Library, tmp_path: Path, name: str) -> None:
    lib.people.find_faces()
    lib.people.enrol(name, [photo(tmp_path / "anna.png", ANNA)])
    assert seen(lib, f'person:"{name}"') == [("first", 0.0), ("first", 2.0)]
    assert lib.search(f'person: "{name}", boat').weights["people"] == 0.5


def test_facets_count_people(lib: Library, tmp_path: Path) -> None:
    assert "people" not in lib.search("title:first", facets=True).facets
    enrolled(lib, tmp_path)
    assert lib.search("title:first", facets=True).facets["people"] == {"Anna": 2}


# --- several people, and people beside other filters ----------------------------------------------

FIRST, BOTH, NOBODY, ONLY_BEN = ("first", 0.0), ("first", 2.0), ("first", 4.0), ("second", 0.0)
CARAS = [("second", 2.0), ("third", 0.0)]


@pytest.fixture
def two(lib: Library, tmp_path: Path) -> Library:
    """Anna and Ben are named; Ben has a Korean name with a space. Cara is not."""
    enrolled(lib, tmp_path)
    lib.people.enrol("홍 길동", [photo(tmp_path / "ben.png", BEN)])
    return lib


@pytest.mark.parametrize(
    ("query", "expected", "notes"),
    [
        ('person:Anna person:"홍 길동"', [BOTH], ()),
        ('person:Anna -person:"홍 길동"', [FIRST], ()),
        ('-person:anna person:"홍  길동"', [ONLY_BEN], ()),
        (unicodedata.normalize("NFD", 'person:"홍 길동" -title:second'), [BOTH], ()),
        ("-person:ANNA", [NOBODY, ONLY_BEN, *CARAS], ()),
        ('-person:Anna -person:"홍 길동" -title:third', [NOBODY, ("second", 2.0)], ()),
        ("person:Anna -person:Anna", [], ()),
        ("person:Anna person:Anna", [FIRST, BOTH], ()),
        ("person:Anna -boat", [FIRST], ()),
        ("person:Anna -person:Zoe", [FIRST, BOTH], ("unknown_person",)),
        ("person:Anna person:Zoe", [], ("unknown_person",)),
        ("person:홍", [], ("unknown_person",)),
    ],
)
def test_filters_of_several_people(
    two: Library, query: str, expected: list[tuple[str, float]], notes: tuple[str, ...]
) -> None:
    assert seen(two, query) == expected
    assert two.search(query).notes == ("listing", *notes)


def test_a_hit_says_where_it_shows_the_people(two: Library) -> None:
    (hit,) = two.search('person:"홍 길동" person:Anna').hits
    assert [(one.name, one.time_s, one.keyframe, one.is_by_hand) for one in hit.people] == [
        ("홍 길동", 3.0, "1-0.webp", False),
        ("Anna", 3.0, "1-0.webp", False),
    ]
    assert [one.similarity for one in hit.people] == pytest.approx([1.0, 1.0], abs=0.1)
    assert (hit.keyframe, hit.keyframe_s) == ("1-0.webp", 3.0)
    anna = hit.people[1]
    assert seen_text(anna) == f"Anna at 0:03.0 (similarity {anna.similarity:.2f})"
    faces = [face.face_id for face in two.people.faces_of(anna.person_id) if face.time_s == 3.0]
    two.people.assign(anna.person_id, faces)
    confirmed = [one for hit in two.search("person:Anna").hits for one in hit.people if one.is_by_hand]
    assert [seen_text(one) for one in confirmed] == ["Anna at 0:03.0 (confirmed)"]
    # nobody is named, or not in this scene
    assert [hit.people for hit in two.search("-person:Anna").hits] == [()] * 4
    wished = {hit.scene.start_s: hit.people for hit in two.search("person: Anna, title:first nothing at all").hits}
    assert [len(wished[start_s]) for start_s in (0.0, 2.0, 4.0)] == [1, 1, 0]


def test_people_who_come_first_can_be_all_that_is_asked_for(two: Library) -> None:
    result = two.search("person: Anna, person: 홍 길동,", collapse=False)
    assert {(hit.video_title, hit.scene.start_s) for hit in result.hits} == {FIRST, BOTH, ONLY_BEN}
    assert [hit.score for hit in result.hits] == sorted((hit.score for hit in result.hits), reverse=True)
    reasons = {name: channel.reason for name, channel in result.channels.items()}
    assert reasons.pop("people") is None
    assert set(reasons.values()) == {"not_asked"}
    assert (result.notes, result.is_listing, result.order, result.nothing_close) == ((), False, "score", False)


def test_people_in_what_follows(two: Library) -> None:
    for text in ("boat person:Anna", 'boat person:"홍 길동" -title:second', "person: 홍 길동,"):
        result = two.search("title:first", then=Then(text, 10.0), weights={"lexical": 1.0})
        assert [(hit.video_title, hit.scene.start_s) for hit in result.hits] == [FIRST], text
        assert "people" not in result.channels
    assert two.search("title:first", then=Then("boat -person:Anna", 10.0), weights={"lexical": 1.0}).hits == ()
    assert two.search("title:first", then=Then("boat person:Zoe", 10.0)).notes == ("listing", "unknown_person")


def test_a_person_renamed_merged_or_removed_while_a_page_is_open(two: Library) -> None:
    anna, ben = two.people.find("Anna"), two.people.find("홍 길동")
    assert anna is not None
    assert ben is not None
    page = two.search("person:Anna", limit=1)
    two.people.rename(anna.person_id, "Anna Maria")
    after = two.search("person:Anna", limit=1, offset=1, view_token=page.view_token)
    assert (after.hits, after.notes) == ((), ("listing", "unknown_person"))
    assert seen(two, 'person:"anna maria"') == [FIRST, BOTH]
    two.people.merge(anna.person_id, ben.person_id)
    assert seen(two, 'person:"anna maria"') == [FIRST, BOTH, ONLY_BEN]
    assert two.search('person:"홍 길동"').notes == ("listing", "unknown_person")
    page = two.search('person:"anna maria"', limit=1, facets=True)
    assert page.facets["people"] == {"Anna Maria": 3}
    two.people.remove(anna.person_id)
    after = two.search('person:"anna maria"', limit=1, offset=1, view_token=page.view_token, facets=True)
    assert (after.hits, after.notes, "people" in after.facets) == ((), ("listing", "nobody_known"), False)


def test_names_that_others_have_given_find_nothing(two: Library) -> None:
    other = two.as_user("jun").search("person:Anna")
    assert (other.hits, other.notes) == ((), ("listing", "nobody_known"))
    with pytest.raises(InvalidValue):
        two.people.enrol("홍 \u201c길동\u201d", faces=[two.people.unnamed()[0].cluster_id])


# --- corrections ----------------------------------------------------------------------------------


def test_merge_and_split(lib: Library, tmp_path: Path) -> None:
    anna = enrolled(lib, tmp_path)
    ben = lib.people.enrol("Ben", [photo(tmp_path / "ben.png", BEN)])
    faces = [face.face_id for face in lib.people.faces_of(ben.person_id)]
    assert len(faces) == 2
    lib.people.assign(ben.person_id, faces)
    both = lib.people.merge(anna.person_id, ben.person_id)
    assert (both.name, both.photos, both.confirmed, both.faces) == ("Anna", 2, 4, 4)
    assert [person.name for person in lib.people.all()] == ["Anna"]
    with pytest.raises(PersonNotFound):
        lib.people.get(ben.person_id)
    again = lib.people.split(anna.person_id, faces, "Ben")
    assert (again.confirmed, again.faces) == (2, 2)
    assert {face.face_id for face in lib.people.faces_of(anna.person_id)}.isdisjoint(faces)


def test_a_face_that_is_somebody_else(lib: Library, tmp_path: Path) -> None:
    anna = enrolled(lib, tmp_path)
    wrong, right = lib.people.faces_of(anna.person_id)
    lib.people.refuse(anna.person_id, [wrong.face_id])
    assert [face.face_id for face in lib.people.faces_of(anna.person_id)] == [right.face_id]
    lib.people.assign(anna.person_id, [wrong.face_id])
    assert len(lib.people.faces_of(anna.person_id)) == 2


def test_names_are_each_one_persons(lib: Library, tmp_path: Path) -> None:
    anna = enrolled(lib, tmp_path)
    for bad in ("anna", " ", "x" * 101, 'An"na', "a\u0000"):
        with pytest.raises(InvalidValue):
            lib.people.enrol(bad, [photo(tmp_path / "ben.png", BEN)])
    assert lib.people.rename(anna.person_id, " Anna  Maria ").name == "Anna Maria"
    assert lib.people.rename(anna.person_id, "anna maria").name == "anna maria"
    group = lib.people.unnamed()[0]
    assert lib.people.name(group.cluster_id, "ANNA MARIA").person_id == anna.person_id


# --- photos ---------------------------------------------------------------------------------------


def test_photos_that_cannot_be_used(lib: Library, tmp_path: Path) -> None:
    for people in ((), (1, 2), (1, 2, 3, 4, 5)):
        file = photo(tmp_path / "some.png", *people)
        with pytest.raises(SeveralFacesInPhoto if people else NoFaceInPhoto) as caught:
            lib.people.enrol("X", [file])
        assert caught.value.details.get("count", 0) == len(people)
    huge = tmp_path / "huge.png"
    Image.new("1", (20_000, 10_000)).save(huge)
    with pytest.raises(ImageTooLarge):
        lib.people.enrol("X", [huge])
    heic = tmp_path / "a.heic"
    heic.write_bytes(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(100))
    (tmp_path / "text.jpg").write_text("no picture")
    for file in (heic, tmp_path / "text.jpg"):
        with pytest.raises(NotAnImage):
            lib.people.enrol("X", [file])
    anna = photo(tmp_path / "anna.png", ANNA)
    for many in ([], [anna] * 11):
        with pytest.raises(InvalidValue):
            lib.people.enrol("X", many)
    assert lib.people.all() == []
    assert list((lib.path / "people").rglob("*.npy")) == []


def test_a_photo_is_turned_as_its_exif_says(lib: Library, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 8  # to be turned left to be upright
    upright = Image.fromarray(picture((ANNA, *LEFT)))
    upright.transpose(Image.Transpose.ROTATE_270).save(tmp_path / "turned.png", exif=exif)
    lib.people.find_faces()
    assert lib.people.enrol("Anna", [tmp_path / "turned.png"]).faces == 2


def test_a_person_is_enrolled_from_a_scene(lib: Library) -> None:
    lib.people.find_faces()
    first, both, nobody = lib.scenes(next(video for video in lib.videos() if video.title == "first").video_id)
    with pytest.raises(SeveralFacesInPhoto):
        lib.people.enrol("Anna", faces=[both.scene_id])
    with pytest.raises(NoFaceInPhoto):
        lib.people.enrol("Anna", faces=[nobody.scene_id])
    with pytest.raises(SceneNotFound):
        lib.people.enrol("Anna", faces=["x_1_2"])
    assert lib.people.enrol("Anna", faces=[first.scene_id]).faces == 2


def test_the_picture_of_a_face(lib: Library) -> None:
    lib.people.find_faces()
    face = lib.people.unnamed()[0].faces[0]
    crop = Image.open(BytesIO(lib.people.crop(face.face_id)))
    assert crop.format == "WEBP"
    assert 60 <= crop.width <= 70, "the 40 pixels of the face, and something around it"
    red, green, _ = crop.getpixel((crop.width // 2, crop.height // 2))[:3]  # type: ignore[index]
    assert red > 200 > 60 > green


# --- other generations, other videos, other people ------------------------------------------------


def test_a_new_generation_is_looked_through_again_and_keeps_what_was_said(lib: Library) -> None:
    lib.people.find_faces()
    third = next(video for video in lib.videos() if video.title == "third")
    (face,) = lib.people.faces(lib.scenes(third.video_id)[0].scene_id)
    cara = lib.people.enrol("Cara", faces=[face.face_id])
    commit_pictures(lib, third, [picture((CARA, 24, 24)), picture((DAN, *LEFT))])
    assert seen(lib, "person:Cara") == [("second", 2.0), ("third", 0.0)], "by time, from the old keyframes"
    report = lib.people.find_faces()
    assert (report.videos, report.faces, report.skipped) == (1, 2, 2)
    (now,) = lib.people.faces(lib.scenes(third.video_id)[0].scene_id)
    assert (now.face_id, now.generation, now.is_by_hand) == (face.face_id, 2, True)
    assert lib.people.get(cara.person_id).confirmed == 1


def test_a_deleted_video_shows_nobody(lib: Library, tmp_path: Path) -> None:
    anna = enrolled(lib, tmp_path)
    lib.delete(next(video for video in lib.videos() if video.title == "first").video_id)
    assert lib.search("person:Anna").hits == ()
    assert lib.people.get(anna.person_id).faces == 0


def test_people_are_each_users_own(lib: Library, tmp_path: Path) -> None:
    anna = enrolled(lib, tmp_path)
    (first, *_) = lib.people.faces_of(anna.person_id)
    other = lib.as_user("jun")
    assert other.people.all() == []
    assert other.people.state().faces == 0
    for ask in (
        lambda: other.people.get(anna.person_id),
        lambda: other.people.rename(anna.person_id, "X"),
        lambda: other.people.remove(anna.person_id),
        lambda: other.people.crop(first.face_id),
        lambda: other.people.remove_faces([first.face_id]),
        lambda: other.people.enrol("X", faces=[first.face_id]),
        lambda: other.people.faces(lib.scenes(first.video_id)[0].scene_id),
        lambda: other.people.find_faces([first.video_id]),
    ):
        with pytest.raises((PersonNotFound, FaceNotFound, SceneNotFound, VideoNotFound)):
            ask()
    assert lib.people.get(anna.person_id) == anna


def test_off_means_off(lib: Library, tmp_path: Path) -> None:
    anna = enrolled(lib, tmp_path)
    lib.people.turn_off()
    assert (lib.people.is_on, lib.people.state().note, lib.people.all()) == (False, "off", [])
    with pytest.raises(PeopleOff):
        lib.people.find_faces()
    assert lib.search("person:Anna").notes == ("listing", "people_off")
    assert lib.search("person:Anna").hits == ()
    assert lib.people.remove(anna.person_id).photos == 1, "what is stored can be removed all the same"
    lib.people.turn_on()
    assert lib.people.all() == []


def test_without_models(tmp_path: Path) -> None:
    with Library.open(tmp_path / "library", profile="offline") as library:
        add_video(library, "first", [picture((ANNA, *LEFT))])
        assert library.people.state().note == "no_models"
        with pytest.raises(FaceModelsMissing) as caught:
            library.people.find_faces()
        assert "models pull faces" in caught.value.hint


def test_faces_are_looked_for_in_ones_own_videos(lib: Library) -> None:
    """So videos that others share are none that are still to be looked through."""
    jun = lib.as_user(lib.accounts.sign_in("https://login", "jun", "jun@example.com", True, "Jun").user_id)
    lib.people.as_operator().turn_on()
    second, first = (video for video in lib.videos() if video.title in ("first", "second"))  # newest first
    lib.people.find_faces([second.video_id])
    for video in (first, second):
        lib.sharing.share("video", video.video_id, jun.user_id)
    state = jun.people.state()
    assert (state.videos, state.scanned, state.faces) == (0, 0, 2), "Ben and Cara of the second one"
    assert jun.people.find_faces().videos == 0
    state = lib.people.state()
    assert (state.videos, state.scanned) == (3, 1)
