"""OpenTimelineIO (https://opentimelineio.readthedocs.io), written with its library."""

from __future__ import annotations

from fractions import Fraction

from heimdex_core.types.timelines import Timeline, TimelineClip


def write_otio(timeline: Timeline) -> str:
    """The timeline as JSON, with a video track and an audio track."""
    import opentimelineio as otio  # 65 ms, which other commands need not wait for

    def time(frames: int, rate: Fraction) -> otio.opentime.RationalTime:
        return otio.opentime.RationalTime(frames, float(rate))

    def clip_of(clip: TimelineClip) -> otio.schema.Clip:
        source = clip.source
        media = otio.schema.ExternalReference(
            target_url=source.url,
            available_range=otio.opentime.TimeRange(
                time(source.start_frame, source.rate), time(source.frame_count, source.rate)
            ),
        )
        media.name = source.name
        used = otio.opentime.TimeRange(
            time(source.start_frame + clip.source_in, source.rate), time(clip.record_frames, timeline.rate)
        )
        metadata = {"title": source.title, "text": clip.text, "variable_rate": source.is_variable_rate}
        return otio.schema.Clip(source.name, media, used, metadata={"heimdex": metadata})

    def gap_of(clip: TimelineClip) -> otio.schema.Gap:
        used = otio.opentime.TimeRange(time(0, timeline.rate), time(clip.record_frames, timeline.rate))
        return otio.schema.Gap(source_range=used)

    made = otio.schema.Timeline(timeline.title, global_start_time=time(0, timeline.rate))
    made.metadata["heimdex"] = {"drop_frame": timeline.is_drop_frame}
    video = otio.schema.Track("V1", kind=otio.schema.TrackKind.Video)
    video.extend([clip_of(clip) for clip in timeline.clips])
    made.tracks.append(video)
    if any(clip.source.audio_channels for clip in timeline.clips):
        audio = otio.schema.Track("A1", kind=otio.schema.TrackKind.Audio)
        audio.extend([clip_of(clip) if clip.source.audio_channels else gap_of(clip) for clip in timeline.clips])
        made.tracks.append(audio)
    text: str = made.to_json_string(indent=2)
    return text + "\n"
