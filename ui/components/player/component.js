// Plays a scene from its start to its end, or the clips of a reel one after the other. Below the video: buttons, why the
// scene was found, and the transcript (details.js, transcript.js). track.js has the position, hover.js the pictures above
// it, region.js the box that can be drawn on the picture, shuttle.js the keys, and dock.js what is different on narrow
// screens.

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
    this.speed = h("span", { class: "speed", hidden: true });
    this.track = new Track((share) => this.jump(share));
    this.hover = new Hover(this.track);
    this.big = h("button", { class: "big", type: "button" }, icon("play", true));
    this.mute = h("button", { class: "tool", type: "button" });
    this.full = h("button", { class: "tool", type: "button" }, icon("full"));
    this.help = h("button", { class: "tool help", type: "button" }, "?");
    this.message = h("div", { class: "message", hidden: true });
    this.stage = h("div", { class: "stage" }, this.video, this.big, this.time, this.speed, this.track.el, this.message);
    this.region = new Region(this.stage, this.video, (data) => this.out.send("picture", { data }, true));
    this.stage.append(h("div", { class: "tools" }, this.help, this.region.button, this.mute, this.full));
    this.details = new Details(out);
    this.transcript = new Transcript((time) => { this.seekFree(time); if (this.video.paused) this.play(); });
    this.dock = new Dock(this.stage, this.video);
    this.shuttle = new Shuttle(this);
    host.append(h("div", { class: "panel" }, this.dock.slot, this.details.actions, this.details.explanation, this.transcript.section));
    this.wire();
  }

  wire() {
    const v = this.video;
    v.onloadedmetadata = () => this.metadataLoaded();
    v.onerror = () => this.failed();
    v.ontimeupdate = () => this.tick();
    v.onplay = () => {
      this.paintPlaying();
      this.follow();
      // what plays stays in the player when the results change
      if (this.data.unpinned) this.out.send("keep", this.clip.id, true);
    };
    v.onpause = () => this.paintPlaying();
    v.onseeked = () => this.tick();
    v.onended = () => this.reachedEnd();
    v.onvolumechange = () => this.paintMute();
    v.onclick = () => this.toggle();
    v.onratechange = () => this.paintSpeed();
    this.big.onclick = () => this.toggle();
    this.mute.onclick = () => { v.muted = !v.muted; };
    this.full.onclick = () => this.toggleFull();
    this.help.onclick = () => document.dispatchEvent(new CustomEvent("hx-keys"));
    this.listeners = {
      keydown: (event) => this.shuttle.key(event),
      "hx-toggle": () => this.toggle(),
      "hx-seek": (event) => {
        if (this.data.reel) return;
        this.seekFree(event.detail.time);
        if (event.detail.play) this.play();
      },
      // the reel editor shows the frame at the edge that is dragged
      "hx-show-frame": (event) => this.showFrame(event.detail),
    };
    for (const [name, listener] of Object.entries(this.listeners)) document.addEventListener(name, listener);
  }

  toggleFull() {
    if (document.fullscreenElement) document.exitFullscreen(); else this.stage.requestFullscreen();
  }

  showFrame({ id, time }) {
    const at = this.data.clips.findIndex((clip) => clip.id === id);
    if (at < 0) return;
    this.video.pause();
    if (at !== this.at) { this.at = at; this.open(this.clip, false); }
    this.seek(time);
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
    this.host.classList.toggle("big", Boolean(data.big));
    this.host.classList.toggle("portrait", Boolean(data.portrait));
    this.host.classList.toggle("square", Boolean(data.square));
    this.host.classList.toggle("reel", Boolean(data.reel));
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
      this.dock.show();
      this.restart();
    }
    this.paintLabels();
    this.paintFit();
    this.details.paint(data);
    this.transcript.paint(data.lines, data.labels);
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

  // The clip of a reel as it is put into the frame: "crop", "blur" over its own picture, or "fit" on black.
  paintFit() {
    const { fit, poster } = this.clip;
    this.stage.dataset.fit = fit || "fit";
    this.stage.style.setProperty("--hx-behind", fit === "blur" && poster ? `url("${poster}")` : "none");
  }

  open(clip, playing) {
    this.bounded = true;
    this.paintFit();
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
    if (this.moving) { this.stop(); return; }
    this.shuttle.stop();
    const { start, end } = this.clip;
    if (this.bounded && this.video.currentTime >= end - 0.06) {
      if (this.data.reel && this.at === this.data.clips.length - 1) { this.at = 0; this.open(this.clip, true); return; }
      this.seek(start);
    }
    if (this.afterLoad) this.afterLoad.playing = true; else this.play();
  }

  // Whether the picture moves by itself, forwards or backwards.
  get moving() {
    return !this.video.paused || this.shuttle.reverse > 0;
  }

  stop() {
    this.shuttle.stop();
    this.video.pause();
    this.paintPlaying();
  }

  get now() {
    return this.afterLoad ? this.afterLoad.time : this.video.currentTime;
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
    const { now } = this;
    if (reel) {
      const total = this.offset(clips.length);
      const here = clamp(this.offset(this.at) + now - this.clip.start, 0, total);
      this.time.textContent = `${precise(here)} / ${precise(total)}`;
      this.track.paint(0, here, here, total || 1);
    } else {
      const whole = duration || this.clip.end || 1;
      // beyond the scene, the end of the video is the one that lies ahead
      this.time.textContent = `${timecode(now)} — ${timecode(now <= this.clip.end ? this.clip.end : whole)}`;
      this.track.paint(this.clip.start, this.clip.end, now, whole);
      this.hover.set(this.data.sprites || null, whole);
    }
    this.transcript.follow(now);
    // the reel editor trims to the playhead, the timeline of a video shows it
    const { id, media } = this.clip;
    document.dispatchEvent(new CustomEvent("hx-playhead", { detail: { id, media, time: now, playing: !this.video.paused } }));
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

  // Go forwards or backwards by some seconds.
  nudge(seconds) {
    const { clips, reel, duration } = this.data;
    if (reel) {
      const total = this.offset(clips.length);
      this.jump(clamp((this.offset(this.at) + this.now - this.clip.start + seconds) / (total || 1), 0, 1));
    } else {
      this.seekFree(clamp(this.now + seconds, 0, (duration || this.clip.end) - 0.01));
    }
  }

  // Show the next or the previous frame. Its middle is asked for, so that rounding does not show the one before it.
  stepFrame(count) {
    this.stop();
    const fps = this.data.fps || 25;
    const time = (Math.floor(this.now * fps + 0.01) + count + 0.5) / fps;
    if (this.data.reel) this.seek(clamp(time, this.clip.start, this.clip.end));
    else this.seekFree(clamp(time, 0, (this.data.duration || this.clip.end) - 0.01));
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
    this.help.setAttribute("aria-label", l.keys);
    this.help.title = l.keys;
    this.video.setAttribute("aria-label", l.video);
    this.track.el.setAttribute("aria-label", l.position);
    this.dock.label(l.close);
    this.region.label(l);
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
    const playing = this.moving;
    this.stage.classList.toggle("playing", playing);
    this.big.replaceChildren(icon(playing ? "pause" : "play", true));
    this.big.setAttribute("aria-label", playing ? this.data.labels.pause : this.data.labels.play);
  }

  paintSpeed() {
    const rate = this.shuttle.reverse ? -this.shuttle.reverse : this.video.playbackRate;
    this.speed.hidden = rate === 1;
    this.speed.textContent = `${rate}×`.replace("-", "−");
  }

  destroy() {
    for (const [name, listener] of Object.entries(this.listeners)) document.removeEventListener(name, listener);
    this.shuttle.stop();
    this.dock.destroy();
    this.region.destroy();
    if (this.frame) cancelAnimationFrame(this.frame);
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
  }
}

export default function (component) {
  return mount(component, Player);
}
