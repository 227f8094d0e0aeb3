// Plays a scene from its start to its end, or the clips of a reel one after the other. Below the video: buttons, why
// the scene was found, and the transcript with the current line marked.

class Player {
  constructor(host, out) {
    this.host = host;
    this.out = out;
    this.at = 0;
    this.handledPlays = null;
    this.bounded = true;
    this.video = h("video", { playsinline: true, preload: "auto" });
    this.video.disablePictureInPicture = true;
    this.time = h("span", { class: "time" });
    this.trackScene = h("span", { class: "scene" });
    this.trackHead = h("span", { class: "head" });
    this.track = h("div", { class: "track" }, h("span", { class: "rail" }), this.trackScene, this.trackHead);
    this.big = h("button", { class: "big", type: "button" }, icon("play", true));
    this.mute = h("button", { class: "tool", type: "button" });
    this.full = h("button", { class: "tool", type: "button" }, icon("full"));
    this.message = h("div", { class: "message", hidden: true });
    this.stage = h("div", { class: "stage" }, this.video, this.big,
      h("div", { class: "tools" }, this.mute, this.full), this.time, this.track, this.message);
    this.actions = h("div", { class: "actions" });
    this.explanation = h("section", { class: "explanation" });
    this.lines = h("section", { class: "lines" });
    host.append(h("div", { class: "panel" }, this.stage, this.actions, this.explanation, this.lines));
    this.wire();
  }

  wire() {
    const v = this.video;
    v.onloadedmetadata = () => this.metadataLoaded();
    v.onerror = () => this.failed();
    v.ontimeupdate = () => this.tick();
    v.onplay = () => { this.paintPlaying(); this.follow(); };
    v.onpause = () => this.paintPlaying();
    v.onseeked = () => this.tick();
    v.onended = () => this.reachedEnd();
    v.onvolumechange = () => this.paintMute();
    v.onclick = () => this.toggle();
    this.big.onclick = () => this.toggle();
    this.mute.onclick = () => { v.muted = !v.muted; };
    this.full.onclick = () => (document.fullscreenElement ? document.exitFullscreen() : this.stage.requestFullscreen());
    this.track.onpointerdown = (event) => this.scrub(event);
    this.onKey = (event) => {
      if (event.key !== " " || isTyping(event) || isOnControl(event) || event.defaultPrevented) return;
      event.preventDefault();
      this.toggle();
    };
    document.addEventListener("keydown", this.onKey);
  }

  get clip() {
    return this.data.clips[this.at];
  }

  update(data) {
    const before = this.data ? this.clip : null;
    const wasReel = this.data && this.data.reel;
    this.data = data;
    if (!data.clips.length) {
      this.host.firstChild.hidden = true;
      this.video.pause();
      this.identity = null;
      return;
    }
    this.host.firstChild.hidden = false;
    const identity = data.reel ? "reel" : data.clips[0].id;
    if (identity !== this.identity) {
      this.identity = identity;
      this.at = 0;
      this.open(this.clip, false);
    } else {
      this.keepPlace(before, wasReel);
    }
    if (data.select !== undefined && data.select !== this.chosen) {
      this.chosen = data.select;
      const at = data.clips.findIndex((clip) => clip.id === data.select);
      if (at >= 0 && at !== this.at && this.video.paused) { this.at = at; this.open(this.clip, false); }
    }
    // A player that is drawn for the first time starts if playing was requested before it was there.
    if (this.handledPlays === null) this.handledPlays = data.ignored_plays;
    if (data.play_count !== this.handledPlays) {
      this.handledPlays = data.play_count;
      this.restart();
    }
    this.paintLabels();
    this.paintActions();
    this.paintExplanation();
    this.paintLines();
    this.tick();
  }

  // The same clips with new links or trims: the position is kept.
  keepPlace(before, wasReel) {
    const { clips } = this.data;
    if (wasReel && before) {
      const now = clips.findIndex((clip) => clip.id === before.id);
      this.at = now >= 0 ? now : clamp(this.at, 0, clips.length - 1);
      if (now < 0) { this.open(this.clip, false); return; }
    }
    const clip = this.clip;
    if (this.renewing && clip.src && !this.out.pending) {
      const { time, playing } = this.renewing;
      this.renewing = null;
      this.load(clip, time, playing);
    } else if (!this.source && clip.src) {
      this.open(clip, false);
    } else if (before && this.video.paused && (before.start !== clip.start || before.end !== clip.end)) {
      // A clip is being trimmed: show the frame at the edge that moved.
      this.seek(before.start !== clip.start ? clip.start : Math.max(clip.start, clip.end - 0.05));
    }
  }

  open(clip, playing) {
    this.bounded = true;
    this.hideMessage();
    if (clip.media !== this.media || !this.source) this.load(clip, clip.start, playing);
    else {
      this.seek(clip.start);
      if (playing) this.play(); else this.video.pause();
    }
  }

  load(clip, time, playing) {
    this.media = clip.media;
    this.source = clip.src;
    this.afterLoad = { time, playing };
    this.video.poster = clip.poster || "";
    if (!clip.src) {
      this.video.removeAttribute("src");
      this.showMessage(this.data.labels.no_media);
      return;
    }
    this.hideMessage();
    this.video.src = clip.src;
    this.video.load();
  }

  metadataLoaded() {
    if (!this.afterLoad) return;
    const { time, playing } = this.afterLoad;
    this.afterLoad = null;
    this.video.currentTime = time;
    if (playing) this.play();
  }

  seek(time) {
    if (this.video.readyState >= 1 && !this.afterLoad) this.video.currentTime = time;
    else if (this.afterLoad) this.afterLoad.time = time;
  }

  play() {
    const started = this.video.play();
    // Browsers may refuse to play sound before the first click: then the play button stays visible.
    if (started) started.catch(() => this.paintPlaying());
  }

  restart() {
    if (this.data.reel && this.data.select) {
      const at = this.data.clips.findIndex((clip) => clip.id === this.data.select);
      if (at >= 0) this.at = at;
    }
    this.open(this.clip, true);
    if (this.afterLoad) this.afterLoad.playing = true;
  }

  toggle() {
    if (!this.source) return;
    if (!this.message.hidden) {
      // Loading has failed before: try again.
      this.renewedFor = null;
      this.load(this.clip, this.video.currentTime || this.clip.start, true);
      return;
    }
    if (!this.video.paused) { this.video.pause(); return; }
    const { start, end } = this.clip;
    if (this.bounded && this.video.currentTime >= end - 0.06) {
      if (this.data.reel && this.at === this.data.clips.length - 1) { this.at = 0; this.open(this.clip, true); return; }
      this.seek(start);
    }
    if (this.afterLoad) this.afterLoad.playing = true; else this.play();
  }

  // Checks every frame while the video plays: `timeupdate` comes four times a second, too late to stop at the end.
  follow() {
    if (this.frame) cancelAnimationFrame(this.frame);
    const step = () => {
      if (this.video.paused || !this.host.isConnected) { this.frame = null; return; }
      if (this.bounded && !this.afterLoad && this.video.currentTime >= this.clip.end) { this.reachedEnd(); return; }
      this.tick();
      this.frame = requestAnimationFrame(step);
    };
    this.frame = requestAnimationFrame(step);
  }

  reachedEnd() {
    this.frame = null;
    if (this.data.reel && this.at < this.data.clips.length - 1) {
      this.at += 1;
      this.open(this.clip, true);
      if (!this.afterLoad) this.follow();
      return;
    }
    this.video.pause();
    if (this.bounded) this.seek(this.clip.end);
    this.tick();
  }

  failed() {
    if (!this.source) return;
    const time = this.afterLoad ? this.afterLoad.time : this.video.currentTime;
    const playing = this.afterLoad ? this.afterLoad.playing : !this.video.paused;
    if (this.renewedFor !== this.source) {
      this.renewedFor = this.source;
      this.renewing = { time, playing };
      this.out.send("renew", null, true);
    } else {
      this.showMessage(this.data.labels.unplayable);
    }
  }

  showMessage(text) {
    this.message.textContent = text;
    this.message.hidden = false;
    this.big.hidden = true;
  }

  hideMessage() {
    this.message.hidden = true;
    this.big.hidden = false;
  }

  // --- the clock and the track ----------------------------------------------------------------

  offset(at) {
    return this.data.clips.slice(0, at).reduce((sum, clip) => sum + clip.end - clip.start, 0);
  }

  tick() {
    if (!this.data || !this.data.clips.length) return;
    const { clips, reel, duration } = this.data;
    const now = this.afterLoad ? this.afterLoad.time : this.video.currentTime;
    if (reel) {
      const total = this.offset(clips.length);
      const here = clamp(this.offset(this.at) + now - this.clip.start, 0, total);
      this.time.textContent = `${precise(here)} / ${precise(total)}`;
      this.placeTrack(0, total ? here / total : 0, total ? here / total : 0);
      // the reel editor trims to the playhead
      document.dispatchEvent(new CustomEvent("hx-playhead", { detail: { id: this.clip.id, time: now } }));
    } else {
      this.time.textContent = `${timecode(now)} — ${timecode(this.clip.end)}`;
      const whole = duration || this.clip.end || 1;
      this.placeTrack(this.clip.start / whole, this.clip.end / whole, now / whole);
    }
    this.paintCurrentLine(now);
  }

  placeTrack(from, to, head) {
    this.trackScene.style.left = `${clamp(from, 0, 1) * 100}%`;
    this.trackScene.style.width = `${clamp(to - from, 0, 1) * 100}%`;
    this.trackHead.style.left = `${clamp(head, 0, 1) * 100}%`;
  }

  scrub(event) {
    const move = (e) => {
      const box = this.track.getBoundingClientRect();
      this.jump(clamp((e.clientX - box.left) / box.width, 0, 1));
    };
    const stop = () => {
      document.removeEventListener("pointermove", move);
      document.removeEventListener("pointerup", stop);
    };
    event.preventDefault();
    move(event);
    document.addEventListener("pointermove", move);
    document.addEventListener("pointerup", stop);
  }

  jump(share) {
    const { clips, reel, duration } = this.data;
    if (!reel) { this.seekFree(share * (duration || this.clip.end)); return; }
    let rest = share * this.offset(clips.length);
    let at = 0;
    while (at < clips.length - 1 && rest >= clips[at].end - clips[at].start) { rest -= clips[at].end - clips[at].start; at += 1; }
    const playing = !this.video.paused;
    if (at !== this.at) { this.at = at; this.open(this.clip, playing); }
    this.seek(this.clip.start + rest);
  }

  // A video that is played from inside the scene stops at the end of the scene; from outside it, it plays on.
  seekFree(time) {
    this.bounded = time >= this.clip.start - 0.05 && time < this.clip.end;
    this.seek(time);
  }

  // --- drawing --------------------------------------------------------------------------------

  paintLabels() {
    const l = this.data.labels;
    this.full.setAttribute("aria-label", l.fullscreen);
    this.full.title = l.fullscreen;
    this.video.setAttribute("aria-label", l.video);
    this.paintMute();
    this.paintPlaying();
  }

  paintMute() {
    const label = this.video.muted ? this.data.labels.unmute : this.data.labels.mute;
    this.mute.replaceChildren(icon(this.video.muted ? "muted" : "sound"));
    this.mute.setAttribute("aria-label", label);
    this.mute.title = label;
  }

  paintPlaying() {
    const playing = !this.video.paused;
    this.stage.classList.toggle("playing", playing);
    this.big.replaceChildren(icon(playing ? "pause" : "play", true));
    this.big.setAttribute("aria-label", playing ? this.data.labels.pause : this.data.labels.play);
  }

  paintActions() {
    const { actions, labels: l } = this.data;
    const key = JSON.stringify([actions, l]);
    if (key === this.actionsKey) return;
    this.actionsKey = key;
    this.actions.replaceChildren(...(actions || []).map((action) => {
      const button = h("button", {
        class: action.primary ? "btn primary" : "btn", type: "button", disabled: action.disabled,
        "aria-label": action.title, title: action.title, data: { action: action.name },
      }, action.icon ? icon(action.icon) : "", action.label || "", action.key ? h("span", { class: "key" }, action.key) : "");
      button.onclick = (event) => {
        this.out.send(action.name, action.value === undefined ? null : action.value);
        if (event.detail) button.blur();
      };
      return button;
    }));
    this.actions.hidden = !(actions || []).length;
  }

  paintExplanation() {
    const { explanation } = this.data;
    const key = JSON.stringify(explanation);
    if (key === this.explanationKey) return;
    this.explanationKey = key;
    this.explanation.hidden = !explanation;
    if (!explanation) return;
    this.explanation.replaceChildren(
      h("div", { class: "caps" }, explanation.heading),
      ...explanation.rows.map((row) => h("div", { class: `reason ${row.name}${row.long ? " long" : ""}`, title: row.title },
        h("span", { class: "label" }, row.label),
        h("span", { class: "rail" }, h("span", { class: "fill", style: { width: `${clamp(row.fill, 0, 1) * 100}%` } })),
        h("span", { class: row.quiet ? "value muted" : "value" }, row.value))),
      explanation.note ? h("div", { class: "muted note" }, explanation.note) : "");
  }

  paintLines() {
    const { lines, labels: l } = this.data;
    const key = JSON.stringify([lines, l.transcript, l.rough]);
    if (key === this.linesKey) return;
    this.linesKey = key;
    this.current = null;
    this.lines.hidden = !lines;
    if (!lines) return;
    this.rows = lines.map((line) => {
      const row = h("button", { class: line.inside ? "line inside" : "line", type: "button" },
        h("span", { class: "at mono" }, clock(line.start)), h("span", { class: "words" }, marked(line.text)));
      row.onclick = () => {
        this.seekFree(line.start);
        if (this.video.paused) this.play();
      };
      return { line, row };
    });
    this.box = h("div", { class: "box" }, this.rows.map(({ row }) => row));
    this.lines.replaceChildren(
      h("div", { class: "spread" }, h("div", { class: "caps" }, l.transcript), l.rough ? h("span", { class: "rough" }, l.rough) : ""),
      lines.length ? this.box : h("div", { class: "muted none" }, l.no_speech));
  }

  paintCurrentLine(now) {
    if (!this.rows) return;
    const found = this.rows.find(({ line }) => now >= line.start - 0.02 && now < line.end);
    if (found === this.current) return;
    if (this.current) this.current.row.classList.remove("current");
    this.current = found;
    if (!found) return;
    found.row.classList.add("current");
    const top = found.row.offsetTop - this.box.offsetTop;
    if (top < this.box.scrollTop || top + found.row.offsetHeight > this.box.scrollTop + this.box.clientHeight) {
      this.box.scrollTop = Math.max(0, top - 24);
    }
  }

  destroy() {
    document.removeEventListener("keydown", this.onKey);
    if (this.frame) cancelAnimationFrame(this.frame);
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
  }
}

export default function (component) {
  return mount(component, Player);
}
