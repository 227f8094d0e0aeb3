"""Signed links: the same between reruns, short-lived, and only to media of the library."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from itsdangerous import URLSafeSerializer

from heimdex_core.api.links import Links, load_secret
from heimdex_core.errors import LinkExpired, LinkInvalid
from tests.ui.fakes import Clock

SECRET = "a secret for the tests"  # noqa: S105
VIDEO = "videos/3f2c/source.mp4"


def make(root: Path, clock: Clock, secret: str = SECRET) -> Links:
    return Links(secret, root, file_ttl_s=3600, upload_ttl_s=900, now=clock)


def token_of(url: str) -> str:
    assert url.startswith("/files/")
    return url.removeprefix("/files/")


def test_a_link_opens_its_file(tmp_path: Path) -> None:
    links = make(tmp_path, Clock(1000.0))
    opened = links.open_file(token_of(links.file_url(tmp_path / VIDEO, "mina", download_name="바다.mp4")))
    assert opened.path == tmp_path.resolve() / VIDEO
    assert (opened.user_id, opened.content_type, opened.download_name) == ("mina", "video/mp4", "바다.mp4")


def test_two_links_of_the_same_hour_are_the_same_url(tmp_path: Path) -> None:
    clock = Clock(7200.0)
    links = make(tmp_path, clock)
    first = links.file_url(tmp_path / VIDEO, "mina")
    clock.at = 7200.0 + 3599
    assert links.file_url(tmp_path / VIDEO, "mina") == first
    clock.at = 7200.0 + 3600
    assert links.file_url(tmp_path / VIDEO, "mina") != first


@pytest.mark.parametrize(("made_at", "lives_s"), [(7200.0, 7200.0), (7200.0 + 3599, 3601.0)])
def test_a_link_is_valid_for_at_least_its_time(tmp_path: Path, made_at: float, lives_s: float) -> None:
    clock = Clock(made_at)
    links = make(tmp_path, clock)
    token = token_of(links.file_url(tmp_path / VIDEO, "mina"))
    clock.at = made_at + lives_s - 1
    links.open_file(token)
    clock.at = made_at + lives_s
    with pytest.raises(LinkExpired):
        links.open_file(token)


@pytest.mark.parametrize(
    "path",
    [
        "../outside.mp4",
        "videos/../../outside.mp4",
        "catalog.duckdb",
        ".secret",
        "videos/3f2c/video.json",
        "videos/3f2c/page.html",
        "logs/movie.mp4",
        "/etc/passwd",
    ],
)
def test_links_lead_only_to_media_of_the_library(tmp_path: Path, path: str) -> None:
    with pytest.raises(LinkInvalid):
        make(tmp_path, Clock(0.0)).file_url(Path(path), "mina")


@pytest.mark.parametrize("path", ["videos/../../x.mp4", "/etc/x.mp4", "catalog.duckdb", "videos/a/b.svg"])
def test_a_signed_path_outside_the_library_is_refused(tmp_path: Path, path: str) -> None:
    # The path is checked again even if the signature is valid.
    forged = URLSafeSerializer(SECRET, salt="heimdex.file").dumps({"p": path, "u": "mina", "e": 10**10})
    with pytest.raises(LinkInvalid):
        make(tmp_path, Clock(0.0)).open_file(forged)


def test_a_symbolic_link_out_of_the_library_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside.mp4"
    outside.write_bytes(b"x")
    root = tmp_path / "library"
    (root / "videos" / "v").mkdir(parents=True)
    (root / "videos" / "v" / "source.mp4").symlink_to(outside)
    links = make(root, Clock(0.0))
    token = token_of(links.file_url(root / "videos" / "v" / "source.mp4", "mina"))
    with pytest.raises(LinkInvalid):
        links.open_file(token)


@pytest.mark.parametrize(
    "target",
    [
        "../../.secret",
        "../../catalog.duckdb",
        "../other/source.mp4",
        "../../exports/jun/reel.mp4",
        "video.json",
        "..",
        "source.mp4",  # itself
        "/etc/passwd",
    ],
)
def test_a_symbolic_link_to_anything_but_media_of_its_video_is_refused(tmp_path: Path, target: str) -> None:
    folder = tmp_path / "videos" / "v"
    folder.mkdir(parents=True)
    (tmp_path / "exports" / "jun").mkdir(parents=True)
    (tmp_path / "videos" / "other").mkdir()
    for name in (".secret", "catalog.duckdb", "videos/other/source.mp4", "exports/jun/reel.mp4", "videos/v/video.json"):
        (tmp_path / name).write_text("x")
    (folder / "source.mp4").symlink_to(target)
    links = make(tmp_path, Clock(0.0))
    with pytest.raises(LinkInvalid):
        links.open_file(token_of(links.file_url(folder / "source.mp4", "mina")))


def test_a_symbolic_link_to_media_of_its_own_video_is_followed(tmp_path: Path) -> None:
    folder = tmp_path / "videos" / "v"
    folder.mkdir(parents=True)
    (folder / "source.mp4").write_text("x")
    (folder / "preview.mp4").symlink_to("source.mp4")
    links = make(tmp_path, Clock(0.0))
    opened = links.open_file(token_of(links.file_url(folder / "preview.mp4", "mina")))
    assert opened.path == (folder / "source.mp4").resolve()


def test_a_folder_that_is_a_symbolic_link_leads_to_no_other_video(tmp_path: Path) -> None:
    (tmp_path / "videos" / "other" / "gen").mkdir(parents=True)
    (tmp_path / "videos" / "other" / "gen" / "a.webp").write_text("x")
    (tmp_path / "videos" / "v").symlink_to("other")
    links = make(tmp_path, Clock(0.0))
    with pytest.raises(LinkInvalid):
        links.open_file(token_of(links.file_url(tmp_path / "videos" / "v" / "gen" / "a.webp", "mina")))


def test_a_changed_or_foreign_token_is_refused(tmp_path: Path) -> None:
    links = make(tmp_path, Clock(0.0))
    token = token_of(links.file_url(tmp_path / VIDEO, "mina"))
    for bad in (token[:-1] + ("A" if token[-1] != "A" else "B"), "", "nonsense", "x." + token.partition(".")[2]):
        with pytest.raises(LinkInvalid):
            links.open_file(bad)
    with pytest.raises(LinkInvalid):
        make(tmp_path, Clock(0.0), "another secret").open_file(token)


def test_a_token_of_another_kind_is_refused(tmp_path: Path) -> None:
    links = make(tmp_path, Clock(0.0))
    with pytest.raises(LinkInvalid):
        links.open_upload(token_of(links.file_url(tmp_path / VIDEO, "mina")))
    with pytest.raises(LinkInvalid):
        links.open_file(links.upload_token("mina", "en"))


def test_an_upload_token_expires_after_fifteen_minutes(tmp_path: Path) -> None:
    clock = Clock(50.0)
    links = make(tmp_path, clock)
    token = links.upload_token("mina", "ko")
    clock.at = 50.0 + 899
    assert links.open_upload(token) == ("mina", "ko")
    clock.at = 50.0 + 900
    with pytest.raises(LinkExpired):
        links.open_upload(token)


def test_uploaded_subtitles_belong_to_their_user(tmp_path: Path) -> None:
    links = make(tmp_path, Clock(0.0))
    token = links.part_token("abc.part.srt", "mina")
    assert links.open_part(token, "mina") == "abc.part.srt"
    with pytest.raises(LinkInvalid):
        links.open_part(token, "jun")
    for name in ("../abc.srt", "", "..", ".", "a\0b.srt", "a" * 256):
        with pytest.raises(LinkInvalid):
            links.open_part(links.part_token(name, "mina"), "mina")


def test_the_key_file_is_created_once_and_only_readable_by_its_owner(tmp_path: Path) -> None:
    first = load_secret(None, tmp_path)
    assert len(first) >= 40
    assert load_secret(None, tmp_path) == first
    assert stat.S_IMODE((tmp_path / ".secret").stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == [".secret"]
    assert load_secret("configured", tmp_path) == "configured"
