// A video that opens at a scene's start and stops at its end, or plays several pieces one after the other;
// below it what can be done, why the scene is here, and the transcript running along.

class Player {
  constructor(host, out) {
    this.host = host;
    this.out = out;
    this.at = 0;
    this.played = null;
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
    this.why = h("section", { class: "why" });
    this.lines = h("section", { class: "lines" });
    host.append(h("div", { class: "panel" }, this.stage, this.actions, this.why, this.lines));
    this.wire();
  }

  wire() {
    const v = this.video;
    v.onloadedmetadata = () => this.arrive();
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
    // Drawn only now, it still starts for a click that was faster than it.
    if (this.played === null) this.played = data.played;
    if (data.play !== this.played) {
      this.played = data.play;
      this.restart();
    }
    this.paintLabels();
    this.paintActions();
    this.paintWhy();
    this.paintLines();
    this.tick();
  }

  // The same thing drawn again, perhaps with a fresh link or other trims: the position stays.
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
      // A trim is being set: show the frame at the edge that moved.
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
    this.wanted = { time, playing };
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

  arrive() {
    if (!this.wanted) return;
    const { time, playing } = this.wanted;
    this.wanted = null;
    this.video.currentTime = time;
    if (playing) this.play();
  }

  seek(time) {
    if (this.video.readyState >= 1 && !this.wanted) this.video.currentTime = time;
    else if (this.wanted) this.wanted.time = time;
  }

  play() {
    const started = this.video.play();
    // A browser may refuse to start with sound before the person has clicked: the button stays.
    if (started) started.catch(() => this.paintPlaying());
  }

  restart() {
    if (this.data.reel && this.data.select) {
      const at = this.data.clips.findIndex((clip) => clip.id === this.data.select);
      if (at >= 0) this.at = at;
    }
    this.open(this.clip, true);
    if (this.wanted) this.wanted.playing = true;
  }

  toggle() {
    if (!this.source) return;
    if (!this.message.hidden) {
      // It could not be loaded before; the person asks once more.
      this.askedFor = null;
      this.load(this.clip, this.video.currentTime || this.clip.start, true);
      return;
    }
    if (!this.video.paused) { this.video.pause(); return; }
    const { start, end } = this.clip;
    if (this.bounded && this.video.currentTime >= end - 0.06) {
      if (this.data.reel && this.at === this.data.clips.length - 1) { this.at = 0; this.open(this.clip, true); return; }
      this.seek(start);
    }
    if (this.wanted) this.wanted.playing = true; else this.play();
  }

  // Frame by frame while it plays: `timeupdate` alone comes four times a second and would overrun.
  follow() {
    if (this.frame) cancelAnimationFrame(this.frame);
    const step = () => {
      if (this.video.paused || !this.host.isConnected) { this.frame = null; return; }
      if (this.bounded && !this.wanted && this.video.currentTime >= this.clip.end) { this.reachedEnd(); return; }
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
      if (!this.wanted) this.follow();
      return;
    }
    this.video.pause();
    if (this.bounded) this.seek(this.clip.end);
    this.tick();
  }

  failed() {
    if (!this.source) return;
    const time = this.wanted ? this.wanted.time : this.video.currentTime;
    const playing = this.wanted ? this.wanted.playing : !this.video.paused;
    if (this.askedFor !== this.source) {
      this.askedFor = this.source;
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
    const now = this.wanted ? this.wanted.time : this.video.currentTime;
    if (reel) {
      const total = this.offset(clips.length);
      const here = clamp(this.offset(this.at) + now - this.clip.start, 0, total);
      this.time.textContent = `${precise(here)} / ${precise(total)}`;
      this.placeTrack(0, total ? here / total : 0, total ? here / total : 0);
      // The reel's rows trim to where the player stands.
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

  // Outside the scene nothing stops the video; inside it, the scene's end does.
  seekFree(time) {
    this.bounded = time >= this.clip.start - 0.05 && time < this.clip.end;
    this.seek(time);
  }

  // --- drawing --------------------------------------------------------------------------------

  paintLabels() {
    const l = this.data.labels;
    this.full.setAttribute("aria-label", l.full);
    this.full.title = l.full;
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

  paintWhy() {
    const { why } = this.data;
    const key = JSON.stringify(why);
    if (key === this.whyKey) return;
    this.whyKey = key;
    this.why.hidden = !why;
    if (!why) return;
    this.why.replaceChildren(
      h("div", { class: "caps" }, why.heading),
      ...why.rows.map((row) => h("div", { class: `reason ${row.name}${row.long ? " long" : ""}`, title: row.title },
        h("span", { class: "label" }, row.label),
        h("span", { class: "rail" }, h("span", { class: "fill", style: { width: `${clamp(row.fill, 0, 1) * 100}%` } })),
        h("span", { class: row.quiet ? "value muted" : "value" }, row.value))),
      why.note ? h("div", { class: "muted note" }, why.note) : "");
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
