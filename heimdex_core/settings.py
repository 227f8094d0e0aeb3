"""Every default has its one home here. Environment variables HEIMDEX_<NAME> override."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

SearchName = Literal["local", "lancedb"]
DetectorName = Literal["content", "adaptive", "threshold", "hash"]
_ORIGIN = re.compile(r"https?://[a-z0-9.\[\]:_-]+")
_DOMAIN = re.compile(r"@[^@\s]+")
_HOST = re.compile(r"\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\*")

VERSION = "0.1.0"
"""Of this software."""


class Settings(BaseSettings):
    """Values of the environment, checked; units are in the names."""

    model_config = SettingsConfigDict(env_prefix="HEIMDEX_", env_file=".env", extra="ignore", frozen=True)

    # library and people
    library: Path = Path("data/library")
    user_id: str = "local"
    admins: Annotated[tuple[str, ...] | None, NoDecode] = Field(
        None, description="verified e-mail addresses of the admins of a shared library, separated by commas"
    )
    sign_in_allowed: Annotated[tuple[str, ...] | None, NoDecode] = Field(
        None, description="verified e-mail addresses, and @domains, of who may sign in, separated by commas"
    )
    group_readable: bool = Field(False, description="the group of the library's folder may read it")
    profile: Literal["auto", "offline", "laptop", "studio"] = "auto"
    models_dir: Path | None = Field(None, description="~/.cache/heimdex/models when unset")
    speech_model: str | None = Field(None, description="instead of the profile's, for example whisper:medium")
    text_model: str | None = Field(None, description="instead of the profile's, for example sentence:BAAI/bge-m3")
    vision_model: str | None = Field(None, description="instead of the profile's, for example openclip:NAME/PRETRAINED")
    caption_model: str | None = Field(None, description="describes scenes in words; none when unset")
    ocr_model: str | None = Field(None, description="reads text in pictures, for example rapidocr:ocr; none when unset")
    device: Literal["auto", "cpu", "cuda"] = "auto"

    # upload
    max_file_bytes: int = Field(1_073_741_824, gt=0)
    max_duration_s: float = Field(600.0, gt=0)
    max_frame_bytes: int = Field(
        384 * 1024**2, ge=1024**2, description="width x height x bytes per pixel, of which at least 4 are counted"
    )
    upload_token_s: int = Field(15 * 60, gt=0)
    min_free_bytes: int = Field(200 * 1024 * 1024, ge=0, description="left free on the disk when writing")

    # transcript
    language: str = "auto"
    audio_track: int | None = Field(None, ge=1, description="the sound track to use, from 1; chosen when unset")
    no_speech_limit: float = Field(0.8, ge=0, le=1)

    # scenes
    detector: DetectorName = "content"
    content_threshold: float = Field(27.0, gt=0)
    gradual_transitions: bool = Field(True, description="`content` also finds dissolves and fades, and omits flashes")
    adaptive_threshold: float = Field(3.0, gt=0)
    adaptive_window: int = Field(2, ge=1)
    adaptive_min_content: float = Field(15.0, ge=0)
    fade_threshold: float = Field(12.0, ge=0)
    hash_threshold: float = Field(0.35, gt=0, le=1, description="share of differing bits between neighbouring frames")
    min_scene_s: float = Field(1.0, gt=0)
    divide_long_takes: bool = True
    divide_min_s: float = Field(5.0, gt=0)
    divide_max_s: float = Field(45.0, gt=0)

    # keyframes
    candidate_side_px: int = Field(512, ge=64)
    candidate_interval_s: float = Field(1.0, gt=0)
    keyframes_per_scene: int = Field(3, ge=1, le=12)
    keyframe_short_scene_s: float = Field(2.0, ge=0, description="a shorter scene has one keyframe, at its middle")
    keyframe_quality: int = Field(90, ge=1, le=100)
    keyframe_min_brightness: float = 15.0
    keyframe_min_sharpness: float = 50.0
    thumbnail_width_px: int = Field(320, ge=16)
    thumbnail_quality: int = Field(80, ge=1, le=100)

    # on-screen text
    ocr_min_confidence: float = Field(0.8, ge=0, le=1, description="lines that were read with less are left out")

    # text embedding
    context_below_chars: int = Field(200, ge=0)
    context_within_s: float = Field(3.0, ge=0)
    context_weight: float = Field(0.35, ge=0, le=1, description="share of the neighbours in a short scene's meaning")

    # vision embedding
    vision_pooling: Literal["mean", "max"] = "mean"
    vision_prompts: tuple[str, ...] = Field(
        ("{}", "a photo of {}", "a video frame of {}"), min_length=1, description="a query is put into each, averaged"
    )

    # preview
    preview_height_px: int = Field(720, ge=144)

    # search
    search: SearchName | None = Field(
        None, description="what a new library is searched with; one that exists keeps what it has when unset"
    )
    weight_transcript: float = Field(0.45, ge=0, le=1)
    weight_vision: float = Field(0.35, ge=0, le=1)
    weight_lexical: float = Field(0.20, ge=0, le=1)
    fusion: str = "minmax"
    rrf_k: int = Field(60, ge=1)
    channel_depth: int = Field(1000, ge=1)
    face_threshold: float = Field(
        0.363, gt=0, le=1, description="least cosine of two faces of one person; docs/people.md says where it is from"
    )
    people_weight: float = Field(
        0.5, ge=0, le=1, description="weight of a person whom the query names beside what it looks for"
    )
    keyframe_temperature: float = Field(
        0.1, ge=0, description="how the keyframes of a scene are averaged: 0 only the best one, inf all alike"
    )
    channel_timeout_s: float = Field(1.5, gt=0)
    max_query_chars: int = Field(1000, ge=1)
    result_limit: int = Field(20, ge=1)
    sprite_cache_bytes: int = Field(256 * 1024**2, ge=0, description="the oldest sprites are removed above this size")
    search_cache_size: int = Field(96, ge=1, description="channel answers kept for re-ranking; three per query")

    # reels
    max_reel_scenes: int = Field(50, ge=1)
    max_title_chars: int = Field(200, ge=1)
    reel_height_px: int = Field(720, ge=360, le=1080)
    reel_fps: float = Field(30.0, gt=0)
    pause_min_s: float = Field(0.8, gt=0, description="a longer silence in speech can be cut out")
    pause_kept_s: float = Field(0.15, ge=0, description="what is left of it beside each word")
    render_timeout_s: float = Field(600.0, gt=0)
    # measured on 720p: 2.5 x quicker than medium at the same CRF, SSIM .990 instead of .994, a smaller file
    render_preset: str = "veryfast"
    render_crf: int = Field(20, ge=0, le=51)
    export_ttl_s: int = Field(24 * 3600, gt=0)

    # shorts
    short_max_s: float = Field(180.0, gt=0, description="the longest short")
    short_warn_s: float = Field(170.0, gt=0, description="from which length on a short is said to be long")
    short_daily_limit: int = Field(10, ge=0, description="shorts of one user in 24 hours; 0 for no limit")
    short_preset: str = Field("slow", description="speed for libx264; slower makes smaller files")
    short_max_fps: float = Field(30.0, gt=0, description="quicker sources keep every second frame, or every third")

    # work
    database_url: SecretStr | None = Field(
        None, description="Postgres URL for catalog and jobs; files in the library when unset"
    )
    cache: Path | None = Field(
        None, description="the copies of libraries in object storage; ~/.cache/heimdex/libraries when unset"
    )
    cache_bytes: int = Field(20 * 1000**3, ge=0, description="copies above this size are removed, the oldest first")
    jobs_url: SecretStr | None = Field(None, description="deprecated: Postgres URL for the jobs alone")
    ingest_queue: Literal["ingest", "ingest-gpu"] = Field("ingest", description="the queue that new videos go to")
    stage_retries: int = Field(2, ge=0)
    retry_backoff_s: float = Field(2.0, gt=0)
    ingest_concurrency: int = Field(1, ge=1)
    worker_threads: int = Field(0, ge=0, description="threads for models and decoding; 0 chooses from the cores")
    abandoned_after_s: int = Field(24 * 3600, gt=0)
    media_memory_bytes: int = Field(
        4 * 1024**3, gt=0, description="resident memory at which a process that reads a video is ended (Linux only)"
    )
    media_stall_s: float = Field(120.0, gt=0, description="after so long without progress it is ended as well")

    # waiting for other processes
    lock_timeout_s: float = Field(10.0, gt=0, description="how long a lock of the library is awaited")

    # lib.sql
    sql_timeout_s: float = Field(60.0, gt=0, description="a query that takes longer is stopped")
    sql_memory_bytes: int = Field(1024**3, ge=32 * 1024**2, description="for one user's rows, queries and a result")
    sql_threads: int = Field(2, ge=1, le=64)

    # object storage of a library at s3://; credentials and address are those of AWS_*
    storage_attempts: int = Field(8, ge=1, description="how often a request that fails is sent before giving up")
    storage_backoff_s: float = Field(0.1, gt=0, description="pause before the second one, doubled each time, up to 5 s")
    storage_public_url: str | None = Field(
        None, description="address of the storage for browsers, where it is not that of AWS_ENDPOINT_URL"
    )

    # watched folders
    watch_roots: str | None = Field(None, description="folders below which the app may watch one, joined by os.pathsep")
    watch_interval_s: float = Field(10.0, gt=0)
    watch_settle_s: float = Field(10.0, ge=0, description="how long a new file must not change before it is taken")
    watch_ahead: int = Field(8, ge=1, description="no more files are taken while so many videos wait to be indexed")
    watch_max_entries: int = Field(200_000, ge=1)

    # the server and its links
    allowed_hosts: Annotated[tuple[str, ...] | None, NoDecode] = Field(
        None, description="host names of the app besides localhost and IP addresses, separated by commas"
    )
    token: SecretStr | None = Field(None, description="of the user for whom `mcp` answers; the single user when unset")
    metrics_token: SecretStr | None = Field(
        None, description="bearer token of /metrics, at least 16 characters; the route is off when unset", min_length=16
    )
    log_format: Literal["text", "json"] = Field("text", description="`json` writes an object a line, with ids")
    secret: SecretStr | None = None
    link_ttl_s: int = Field(3600, gt=0)

    # the HTTP API
    api_requests_per_minute: int = Field(600, ge=0, description="of one token; 0 for no limit")
    api_cors_origins: Annotated[tuple[str, ...] | None, NoDecode] = Field(
        None, description="pages of these origins may use the API, separated by commas; * for all"
    )
    oidc_issuer: str | None = Field(
        None, description="sign-in service whose tokens the API takes, as in their claim iss"
    )
    oidc_audience: str | None = Field(None, description="what their claim aud has to name")

    @field_validator("admins", "sign_in_allowed", mode="before")
    @classmethod
    def _addresses(cls, value: object, info: ValidationInfo) -> object:
        """Addresses in lower case, as those of users are kept; who may sign in is also given as @example.com."""
        if not isinstance(value, str):
            return value
        addresses = [part.strip().lower() for part in value.split(",") if part.strip()]
        takes_domains = info.field_name == "sign_in_allowed"
        for address in addresses:
            is_domain = takes_domains and _DOMAIN.fullmatch(address)
            if not is_domain and ("@" not in address.strip("@") or " " in address):
                example = "anna@example.com,@example.com" if takes_domains else "anna@example.com,ben@example.com"
                raise ValueError(f"{address} is no e-mail address; write {example}")
        return tuple(addresses)

    @field_validator("api_cors_origins", mode="before")
    @classmethod
    def _origins(cls, value: object) -> object:
        """Origins as browsers send them: scheme and host, without a path."""
        if not isinstance(value, str):
            return value
        origins = tuple(value.replace(",", " ").split())
        for origin in origins:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin} is no origin; write https://videos.example.com or *")
        return origins

    @model_validator(mode="after")
    def _audience(self) -> Settings:
        if self.oidc_issuer is not None and not self.oidc_audience:
            raise ValueError(
                "HEIMDEX_OIDC_ISSUER needs HEIMDEX_OIDC_AUDIENCE: else tokens for other programs are taken"
            )
        return self

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _host_names(cls, value: object) -> object:
        """Names as browsers send them: in lower case, names in other scripts in their ASCII form."""
        if not isinstance(value, str):
            return value
        names = value.replace(",", " ").lower().split()
        names = [name if name.isascii() else name.encode("idna").decode() for name in names]
        for name in names:
            if not _HOST.fullmatch(name):
                raise ValueError(f"{name} is no host name; write videos.example.com, .example.com or *, without a port")
        return tuple(names)


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The process's settings, read once."""
    return Settings()  # every field has a default


def default_weights(settings: Settings) -> dict[str, float]:
    """Channel weights before anybody chooses."""
    return {
        "transcript": settings.weight_transcript,
        "vision": settings.weight_vision,
        "lexical": settings.weight_lexical,
    }


PRESETS: dict[str, dict[str, float]] = {
    "balanced": {"transcript": 0.45, "vision": 0.35, "lexical": 0.20},
    "visual": {"transcript": 0.20, "vision": 0.65, "lexical": 0.15},
    "dialogue": {"transcript": 0.65, "vision": 0.15, "lexical": 0.20},
    "keywords": {"transcript": 0.25, "vision": 0.15, "lexical": 0.60},
}
