"""ASS, SAMI, TTML and the text formats called .sub: the dialogue, with what was left out counted."""

from __future__ import annotations

import gzip
from pathlib import Path

import pysubs2
import pytest

from heimdex_core import errors
from heimdex_core.media.subtitles import read_subtitles
from heimdex_core.types import Transcript


def read(
    tmp_path: Path,
    text: str,
    name: str,
    encoding: str = "utf-8",
    *,
    language: str | None = None,
    fps: float = 25.0,
) -> Transcript:
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return read_subtitles(path, language=language, fps=fps)


def lines_of(transcript: Transcript) -> list[tuple[float, float, str]]:
    return [(round(s.start_s, 3), round(s.end_s, 3), s.text) for s in transcript.segments]


# --- ASS ------------------------------------------------------------------------------------------

ASS_HEAD = (
    "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname\nStyle: Default,Arial\n\n[Events]\n"
)
ASS_FORMAT = "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"


def ass(*events: str, layout: str = ASS_FORMAT) -> str:
    return ASS_HEAD + layout + "\n".join(events) + "\n"


def said(start: str, end: str, text: str, effect: str = "") -> str:
    return f"Dialogue: 0,{start},{end},Default,,0,0,0,{effect},{text}"


def test_only_the_dialogue_of_ass_is_read(tmp_path: Path) -> None:
    text = ass(
        said("0:00:01.00", "0:00:02.50", r"{\an7\pos(0,0)\p1}m 312 36 l 403 36 403 292 312 292{\p0}"),
        said("0:00:03.00", "0:00:05.00", r"The captain{TL note: literally boss} raises\Nthe {\i1}anchor{\i0}"),
        said("0:00:05.50", "0:00:06.00", r"{\k20}sa{\k30}ku{\k40}ra"),
        "Comment: 0,0:00:06.00,0:00:07.00,Default,,0,0,0,,must not appear",
        said("0:00:07.00", "0:00:07.10", "sa", "fx"),
        said("0:00:08.00", "0:00:09.00", r"no{\p1}m 0 0{\p0}w, in two, \hparts", "Scroll up;10"),
        said("0:00:xx.00", "0:00:09.00", "lost"),
    )
    found = read(tmp_path, text, "a.ass")
    assert lines_of(found) == [
        (3.0, 5.0, "The captain raises the anchor"),
        (5.5, 6.0, "sakura"),
        (8.0, 9.0, "now, in two, parts"),
    ]
    assert found.notes == ("subtitles_lines_unreadable:1", "subtitles_not_dialogue:3")


def test_the_order_of_the_fields_is_the_files_own(tmp_path: Path) -> None:
    layout = "Format: Start, End, Style, Text\n"
    text = ass("Dialogue: 0:00:01.00,0:00:02.00,Default,one, two", layout=layout)
    assert lines_of(read(tmp_path, text, "a.ass")) == [(1.0, 2.0, "one, two")]


def test_ssa_broken_styles_and_wrong_names(tmp_path: Path) -> None:
    text = (
        "[Script Info]\nScriptType: v4.00\n[V4 Styles]\nStyle: Default,Arial,x,&Hzz\n"
        "[Fonts]\nfontname: a.ttf\nDialogue: no\n[Events]\n"
        "Format: Marked, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
        "Dialogue: Marked=0,0:00:01.00,0:00:02.00,Default,,0000,0000,0000,,one\n"
    )
    assert lines_of(read(tmp_path, text, "a.srt")) == [(1.0, 2.0, "one")]


def test_the_layers_of_one_line_are_one_line(tmp_path: Path) -> None:
    events = [said("0:00:01.00", "0:00:02.00", text) for text in ("fill", "fill", "other", "fill")]
    found = read(tmp_path, ass(*events), "a.ass")
    assert lines_of(found) == [(1.0, 2.0, "fill other")]


# --- SAMI -----------------------------------------------------------------------------------------

SAMI_HEAD = (
    '<SAMI>\r\n<HEAD>\r\n<TITLE>x</TITLE>\r\n<STYLE TYPE="text/css"><!--\r\nP {font-family:Gulim;}\r\n'
    ".KRCC {Name:Korean; lang:ko-KR; SAMIType:CC;}\r\n.ENCC {Name:English; lang:en-US; SAMIType:CC;}\r\n"
    "--></STYLE>\r\n</HEAD>\r\n<BODY>\r\n"
)
DRAMA = SAMI_HEAD + (
    "<SYNC Start=1000><P Class=KRCC>배가 항구를<br>떠난다\r\n"
    "<SYNC Start=3500><P Class=KRCC>&nbsp;\r\n"
    '<SYNC Start=4000><P Class=KRCC><font color="#ffff00">안녕하세요</font>\r\n'
    "<SYNC Start=6000><P Class=KRCC>&nbsp;\r\n</BODY></SAMI>\r\n"
)


@pytest.mark.parametrize("encoding", ["cp949", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_korean_smi(tmp_path: Path, encoding: str) -> None:
    found = read(tmp_path, DRAMA, "drama.smi", encoding)
    assert lines_of(found) == [(1.0, 3.5, "배가 항구를 떠난다"), (4.0, 6.0, "안녕하세요")]
    expected = () if encoding.startswith("utf-8") else (f"subtitles_encoding:{encoding}",)
    assert (found.language, found.notes) == ("ko", expected)


def test_smi_as_people_write_it(tmp_path: Path) -> None:
    """Without a head, without P, quoted, closed, in lower case, with an entity without semicolon, with <notes>."""
    text = (
        '<sync start="1000"><p class="KRCC">하나</p></sync>\n'
        "<SYNC Start=2000><P Class=KRCC>&nbsp\n"
        '<SYNC START=3000><FONT COLOR="FFFF00">둘 <노래></FONT>\n'
        "<SYNC Start = 4000 ><P Class=KRCC>\n"
        "<SYNC Start=5000 End=5500><P Class=KRCC ID=Source>셋 &amp; 넷<!-- no -->\n"
        "<SYNC Start=abc><P Class=KRCC>언제\n"
        "<SYNC Start=8000><P Class=KRCC>다섯"
    )
    found = read(tmp_path, text, "a.smi")
    assert lines_of(found) == [(1.0, 2.0, "하나"), (3.0, 4.0, "둘 <노래>"), (5.0, 5.5, "셋 & 넷"), (8.0, 9.0, "다섯")]
    assert found.notes == ("subtitles_lines_unreadable:1",)


TWO_LANGUAGES = SAMI_HEAD + (
    "<SYNC Start=1000><P Class=KRCC>배가 떠난다<P Class=ENCC>The ship leaves and it is late\n"
    "<SYNC Start=2000><P Class=KRCC>&nbsp;<P Class=ENCC>&nbsp;\n"
    "<SYNC Start=3000><P Class=ENCC>What are you doing on the bridge\n"
    "<SYNC Start=3500><P Class=KRCC>다리에서 뭐 해\n"
    "<SYNC Start=5000><P Class=KRCC>&nbsp;\n<SYNC Start=6000><P Class=ENCC>&nbsp;\n"
    "<SYNC Start=7000><P Class=KRCC>끝\n<SYNC Start=8000><P Class=KRCC>&nbsp;\n</BODY></SAMI>"
)


@pytest.mark.parametrize(
    ("language", "lines", "left_out"),
    [
        ("ko", [(1.0, 2.0, "배가 떠난다"), (3.5, 5.0, "다리에서 뭐 해"), (7.0, 8.0, "끝")], 2),
        (None, [(1.0, 2.0, "배가 떠난다"), (3.5, 5.0, "다리에서 뭐 해"), (7.0, 8.0, "끝")], 2),
        ("en", [(1.0, 2.0, "The ship leaves and it is late"), (3.0, 6.0, "What are you doing on the bridge")], 3),
    ],
)
@pytest.mark.parametrize("declared", [True, False])
def test_one_language_of_an_smi(
    tmp_path: Path, language: str | None, lines: list[tuple[float, float, str]], left_out: int, declared: bool
) -> None:
    text = TWO_LANGUAGES if declared else TWO_LANGUAGES[TWO_LANGUAGES.index("<SYNC") :]
    found = read(tmp_path, text, "a.smi", "cp949", language=language)
    assert lines_of(found) == lines
    assert found.language == (language or "ko")
    assert found.notes[-1] == f"subtitles_lines_in_other_languages:{left_out}"


def test_a_line_that_nothing_clears_does_not_stay_for_minutes(tmp_path: Path) -> None:
    text = "<SAMI><SYNC Start=1000><P Class=KRCC>하나<SYNC Start=200000><P Class=KRCC>둘</SAMI>"
    assert lines_of(read(tmp_path, text, "a.smi"))[0] == (1.0, 16.0, "하나")


# --- .sub -----------------------------------------------------------------------------------------


def test_microdvd_counts_frames(tmp_path: Path) -> None:
    text = "{1}{1}25.000\n{25}{50}{y:i}one|{c:$0000FF}two\n{75}{}three {note}\n{300}{350}four\n"
    found = read(tmp_path, text, "a.sub", fps=23.976)
    assert lines_of(found) == [(1.0, 2.0, "one two"), (3.0, 4.0, "three {note}"), (12.0, 14.0, "four")]


def test_microdvd_without_a_rate_has_the_videos(tmp_path: Path) -> None:
    found = read(tmp_path, "{24}{48}one\n{x}{90}lost\n", "a.sub", fps=24.0)
    assert lines_of(found) == [(1.0, 2.0, "one")]
    assert found.notes == ("subtitles_lines_unreadable:1",)


def test_subviewer(tmp_path: Path) -> None:
    text = (
        "[INFORMATION]\n[TITLE]x\n[AUTHOR]y\n[END INFORMATION]\n[SUBTITLE]\n"
        "[COLF]&HFFFFFF,[STYLE]bd,[SIZE]18,[FONT]Arial\n"
        "00:00:01.00,00:00:03.50\none[br]two\n\n00:00:04.00,00:00:06.00\n1984\n[END SUBTITLE]\n"
    )
    assert lines_of(read(tmp_path, text, "a.sub")) == [(1.0, 3.5, "one two"), (4.0, 6.0, "1984")]


def test_subviewer_1(tmp_path: Path) -> None:
    head = "[TITLE]\nx\n[BEGIN]\n******** START SCRIPT ********\n"
    text = head + "[00:00:01]\none|two\n\n[00:00:03]\n\n[00:00:05]\nthree\n[00:00:07]\n"
    assert lines_of(read(tmp_path, text, "a.sub")) == [(1.0, 3.0, "one two"), (5.0, 7.0, "three")]


def test_mpl2(tmp_path: Path) -> None:
    assert lines_of(read(tmp_path, "[10][25]/one|two\n[30][]three\n", "a.sub")) == [
        (1.0, 2.5, "one two"),
        (3.0, 4.0, "three"),
    ]


def test_another_format_under_the_name(tmp_path: Path) -> None:
    assert lines_of(read(tmp_path, "1\n00:00:01,000 --> 00:00:02,000\none\n", "a.sub")) == [(1.0, 2.0, "one")]
    assert lines_of(read(tmp_path, DRAMA, "a.srt"))[1] == (4.0, 6.0, "안녕하세요")


# --- TTML -----------------------------------------------------------------------------------------

TT = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<tt xmlns="http://www.w3.org/ns/ttml" xml:lang="en"'
    ' xmlns:ttp="http://www.w3.org/ns/ttml#parameter" {attributes}><head><metadata><ttm:title>no</ttm:title>'
    "</metadata></head><body>{body}</body></tt>"
)


def tt(body: str, attributes: str = 'xmlns:ttm="x"') -> str:
    return TT.replace("{body}", body).replace("{attributes}", attributes)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_ttml(tmp_path: Path, encoding: str) -> None:
    body = (
        '<div><p begin="00:00:01.000" end="00:00:03.000">one<br/><span tts:color="red">two</span></p>'
        '<p begin="4s" dur="1500ms">Tom &amp; Jerry &lt;3 vector&lt;int&gt; {x}</p>'
        '<p begin="soon" end="9s">lost</p><p begin="10s" end="11s">  </p></div>'
    )
    found = read(tmp_path, tt(body, 'xmlns:ttm="x" xmlns:tts="y"'), "a.ttml", encoding)
    assert lines_of(found) == [(1.0, 3.0, "one two"), (4.0, 5.5, "Tom & Jerry <3 vector<int> {x}")]
    assert found.language == "en"
    assert found.notes[-1] == "subtitles_lines_unreadable:1"


@pytest.mark.parametrize(
    ("attributes", "begin", "seconds"),
    [
        ('ttp:frameRate="24"', "00:00:10:12", 10.5),
        ('ttp:frameRate="24"', "240f", 10.0),
        ('ttp:frameRate="30" ttp:frameRateMultiplier="1000 1001"', "300f", 10.01),
        ('ttp:tickRate="10000000"', "25000000t", 2.5),
        ("", "2.5h", 9000.0),
        ("", "1.5m", 90.0),
        ("", "00:00:10:05", 10.2),  # of the video's 25 frames
    ],
)
def test_times_of_ttml(tmp_path: Path, attributes: str, begin: str, seconds: float) -> None:
    body = f'<div><p begin="{begin}" dur="1s">one</p></div>'
    found = read(tmp_path, tt(body, f'xmlns:ttm="x" {attributes}'), "a.ttml")
    assert found.segments[0].start_s == pytest.approx(seconds)


def test_times_count_from_the_element_around(tmp_path: Path) -> None:
    body = (
        '<div begin="10s"><p begin="1s" end="2s">one</p></div>'
        '<div timeContainer="seq"><p dur="2s">first</p><p begin="1s" dur="2s">second</p></div>'
        '<div><p><span begin="20s" end="21s">a</span> <span begin="22s" end="23s">b</span></p></div>'
    )
    assert lines_of(read(tmp_path, tt(body), "a.ttml")) == [
        (0.0, 2.0, "first"),
        (3.0, 5.0, "second"),
        (11.0, 12.0, "one"),
        (20.0, 21.0, "a"),
        (22.0, 23.0, "b"),
    ]


def test_timed_spans_of_a_timed_line_are_word_times(tmp_path: Path) -> None:
    body = '<div><p begin="1s" end="3s"><span begin="0s">the</span> <span begin="1s">harbour</span></p></div>'
    (segment,) = read(tmp_path, tt(body), "a.ttml").segments
    assert segment.text == "the harbour"
    assert [(w.text, w.start_s, w.end_s) for w in segment.words] == [("the", 1.0, 2.0), ("harbour", 2.0, 3.0)]


def test_one_language_of_a_ttml(tmp_path: Path) -> None:
    body = '<div xml:lang="ko"><p begin="1s" end="2s">하나</p></div>'
    body += '<div xml:lang="de"><p begin="1s" end="2s">eins</p></div>'
    found = read(tmp_path, tt(body), "a.dfxp", language="de")
    assert (lines_of(found), found.language) == ([(1.0, 2.0, "eins")], "de")
    assert found.notes == ("subtitles_lines_in_other_languages:1",)


def test_ttml_that_is_not_quite_xml(tmp_path: Path) -> None:
    """An old namespace with a prefix, an undeclared entity, a bare ampersand, and the end missing."""
    text = (
        '<tt:tt xmlns:tt="http://www.w3.org/2006/10/ttaf1"><tt:body><tt:div>'
        '<tt:p begin="1s" end="2s">Tom & Jerry&nbsp;&copy;</tt:p><tt:p begin="3s" end="4s">cut'
    )
    found = read(tmp_path, text, "a.dfxp")
    assert lines_of(found) == [(1.0, 2.0, "Tom & Jerry ©")]
    assert found.notes == ("subtitles_cut_short",)


def test_entities_cannot_be_declared(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE tt [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>' + tt('<div><p begin="1s" end="2s">&b;</p></div>')[39:]
    with pytest.raises(errors.SubtitlesUnreadable):
        read(tmp_path, bomb, "a.ttml")


def test_deep_xml_is_given_up(tmp_path: Path) -> None:
    deep = tt('<div><p begin="1s" end="2s">one</p>' + "<div>" * 100_000)
    found = read(tmp_path, deep, "a.ttml")
    assert (lines_of(found), found.notes) == ([(1.0, 2.0, "one")], ("subtitles_cut_short",))


# --- what is no text ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x00\x00\x01\xba" + bytes(100), "VobSub"),
        (b"PK\x03\x04" + bytes(100), "archive"),
        (gzip.compress(b"1\n00:00:01,000 --> 00:00:02,000\none\n", mtime=0), "archive"),
        (b"<!DOCTYPE html><html><body>404 Not Found</body></html>", "web page"),
        (b'{"error": "not found"}', "JSON"),
        (b"just prose", "no times"),
        (b"1\n00:xx:01 --> 00:yy:02\none\n", "none of its times"),
    ],
)
def test_the_reason_says_what_the_file_is(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.srt"
    path.write_bytes(content)
    with pytest.raises(errors.SubtitlesUnreadable, match=reason):
        read_subtitles(path)


# --- against another reader -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["srt", "vtt", "ass", "ssa", "microdvd", "mpl2", "ttml"])
def test_what_pysubs2_writes(tmp_path: Path, kind: str) -> None:
    written = pysubs2.SSAFile()
    said = [(1.0, 2.0, "We sail at dawn, he said"), (3.0, 4.5, "새벽에 떠난다\nin 1984"), (5.0, 6.0, "2024")]
    for start_s, end_s, text in said:
        written.append(pysubs2.SSAEvent(round(start_s * 1000), round(end_s * 1000), text.replace("\n", "\\N")))
    path = tmp_path / "a.sub"
    written.save(str(path), format_=kind, fps=25.0)
    # MPL2 has tenths, MicroDVD frames of 40 ms
    tolerance = {"microdvd": 0.04, "mpl2": 0.1}.get(kind, 0.001)
    found = lines_of(read_subtitles(path))
    assert [text for _, _, text in found] == [text.replace("\n", " ") for _, _, text in said]
    times = [time for start_s, end_s, _ in said for time in (start_s, end_s)]
    assert [time for start_s, end_s, _ in found for time in (start_s, end_s)] == pytest.approx(times, abs=tolerance)
