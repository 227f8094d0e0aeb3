// The source with the crop over it, and the keyframes of the crop on a track below.

class Stage {
  constructor(editor) {
    this.editor = editor;
    this.before = h("div", { class: "shade" });
    this.behind = h("div", { class: "shade" });
    this.box = h("div", { class: "box", role: "slider", tabindex: 0, "aria-valuemin": 0, "aria-valuemax": 100 });
    this.picture = h("div", { class: "picture" }, editor.video, this.before, this.behind, this.box);
    this.play = h("button", { class: "btn square", type: "button", data: { act: "play" } });
    this.play.onclick = () => editor.toggle();
    this.clock = h("span", { class: "mono" });
    this.about = h("span", { class: "muted about" });
    this.tools = h("span", { class: "row tools" });
    this.progress = h("div", { class: "progress" });
    this.keys = h("div", { class: "keys", role: "group" });
    this.el = h("section", { class: "stage" }, h("h2", { class: "caps" }), this.picture, this.keys,
      h("div", { class: "bar" }, this.play, this.clock, this.about, this.tools), this.progress);
    this.box.onpointerdown = (event) => this.drag(event);
    this.box.onkeydown = (event) => {
      const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 }[event.key];
      if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      this.put(this.centre(this.editor.now) + step / 100);
      this.send();
    };
  }

  // Whether the crop moves across the picture, or up and down (a source narrower than 9:16), and its share of that side.
  get across() {
    const { width, height } = this.editor.data.media;
    return width / height >= 9 / 16;
  }

  get share() {
    const { width, height } = this.editor.data.media;
    const ratio = (9 / 16) * (height / width);
    return this.across ? ratio : 1 / ratio;
  }

  get follows() {
    return this.editor.draft.strategy === "smart_crop";
  }

  // The middle of the crop, kept inside the picture, as a share of the side along which it moves.
  centre(time) {
    const { crop } = this.editor.draft;
    const half = this.share / 2;
    return clamp(this.follows && crop && crop.length ? positionAt(crop, time)[this.across ? 0 : 1] : 0.5, half, 1 - half);
  }

  paint() {
    const { data, draft } = this.editor;
    const l = data.labels;
    const { planning } = data;
    this.el.firstChild.textContent = data.media.title;
    this.picture.style.aspectRatio = `${data.media.width} / ${data.media.height}`;
    this.picture.style.maxWidth = `calc(46dvh * ${data.media.width / data.media.height})`;
    this.box.setAttribute("aria-label", l.crop);
    this.keys.setAttribute("aria-label", l.keyframes);
    const hasBox = draft.strategy === "center_crop" || draft.strategy === "smart_crop";
    for (const part of [this.box, this.before, this.behind]) part.hidden = !hasBox;
    this.keys.hidden = !this.follows;
    this.about.textContent = planning ? "" : this.follows ? (draft.crop ? fillText(draft.crop.length === 1 ? l.path_one : l.path, { n: draft.crop.length }) : l.no_path) : "";
    this.progress.replaceChildren(planning ? h("span", { class: "muted" }, planning.text) : "",
      planning ? h("div", { class: "rail", role: "progressbar", "aria-label": l.plan, "aria-valuenow": Math.round(planning.fraction * 100), "aria-valuemin": 0, "aria-valuemax": 100 },
        h("span", { class: "fill", style: { width: `${planning.fraction * 100}%` } })) : "");
    const button = (name, label, act, disabled) => {
      const b = h("button", { class: "btn", type: "button", disabled, data: { act: name } }, label);
      b.onclick = act;
      return b;
    };
    this.tools.replaceChildren(
      hasBox ? button("keyframe", l.add_keyframe, () => this.addKeyframe()) : "",
      planning ? button("stop", planning.stop, () => this.editor.out.send("stop", null, true))
        : this.follows ? button("plan", l.plan, () => { this.editor.out.send("plan", null, true); this.paint(); }, this.editor.out.waiting("plan").length > 0) : "",
      draft.crop ? button("reset", l.reset, () => this.editor.sendCrop(null)) : "");
    this.paintKeys();
    this.paintPlaying();
  }

  paintPlaying() {
    const { paused } = this.editor.video;
    this.play.replaceChildren(icon(paused ? "play" : "pause", true));
    if (this.editor.data) this.play.setAttribute("aria-label", this.editor.data.labels[paused ? "play" : "pause"]);
  }

  follow(now) {
    const { draft } = this.editor;
    this.clock.textContent = `${timecode(now)}`;
    const share = Math.min(1, this.share);
    const at = this.centre(now);
    const [from, to] = [at - share / 2, at + share / 2];
    const [side, size, end] = this.across ? ["left", "width", "right"] : ["top", "height", "bottom"];
    Object.assign(this.box.style, { inset: 0, width: "", height: "", [side]: `${from * 100}%`, [end]: "auto", [size]: `${share * 100}%` });
    Object.assign(this.before.style, { inset: 0, [end]: "auto", [size]: `${from * 100}%` });
    Object.assign(this.behind.style, { inset: 0, [side]: `${to * 100}%` });
    this.box.setAttribute("aria-valuenow", Math.round(at * 100));
    this.box.setAttribute("aria-valuetext", `${Math.round(at * 100)}%`);
    const span = draft.end - draft.start || 1;
    if (this.head) this.head.style.left = `${clamp((now - draft.start) / span, 0, 1) * 100}%`;
  }

  // --- the crop ---------------------------------------------------------------------------------

  drag(event) {
    event.preventDefault();
    this.box.focus({ preventScroll: true });
    this.editor.video.pause();
    const frame = this.picture.getBoundingClientRect();
    const size = this.across ? frame.width : frame.height;
    const origin = this.across ? event.clientX : event.clientY;
    const began = this.centre(this.editor.now);
    const move = (e) => { this.moved = true; this.put(began + ((this.across ? e.clientX : e.clientY) - origin) / size); };
    this.whilePressed(move, () => this.send());
  }

  whilePressed(move, done) {
    const { editor } = this;
    editor.busy = true;
    this.moved = false;
    const stop = () => {
      document.removeEventListener("pointermove", move);
      document.removeEventListener("pointerup", stop);
      document.removeEventListener("pointercancel", stop);
      editor.busy = false;
      if (this.moved) done();
      editor.update(editor.data);
    };
    document.addEventListener("pointermove", move);
    document.addEventListener("pointerup", stop);
    document.addEventListener("pointercancel", stop);
  }

  // Puts the middle of the crop to a place at the playhead: changes the keyframe there, or adds one.
  put(position) {
    const { editor } = this;
    const half = this.share / 2;
    const value = clamp(position, half, 1 - half);
    const crop = (this.follows && editor.draft.crop ? editor.draft.crop : []).map((one) => [...one]);
    const time = Math.round(editor.now * 1000) / 1000;
    const near = 0.5 / (editor.data.media.fps || 25);
    let at = crop.findIndex((one) => Math.abs(one[0] - time) <= near);
    if (at < 0) {
      const place = crop.length ? positionAt(crop, time) : [0.5, 0.5];
      crop.push([time, place[0], place[1], false]);
      crop.sort((a, b) => a[0] - b[0]);
      at = crop.findIndex((one) => one[0] === time);
    }
    crop[at][this.across ? 1 : 2] = Math.round(value * 10000) / 10000;
    editor.draft.crop = crop;
    editor.draft.strategy = "smart_crop";
    this.keys.hidden = false;
    this.paintKeys();
    editor.tick();
  }

  send() {
    this.editor.sendCrop(this.editor.draft.crop);
  }

  addKeyframe() {
    this.put(this.centre(this.editor.now));
    this.send();
    this.editor.say(fillText(this.editor.data.labels.keyframe_added, { time: precise(this.editor.now) }));
  }

  // --- the keyframes ----------------------------------------------------------------------------

  paintKeys() {
    const { draft, data } = this.editor;
    const key = JSON.stringify([draft.crop, draft.start, draft.end, data.labels.keyframe]);
    if (key === this.keysKey) return;
    this.keysKey = key;
    const focused = focusedIn(this.keys);
    const span = draft.end - draft.start || 1;
    this.head = h("span", { class: "head" });
    const shown = (draft.crop || []).map((one, at) => [one, at]).filter(([one]) => one[0] >= draft.start - 0.001 && one[0] <= draft.end + 0.001);
    this.keys.replaceChildren(h("span", { class: "rail" }), ...shown.map(([one, at]) => this.keyframe(one, at, (one[0] - draft.start) / span)), this.head);
    focusAgain(this.keys, focused);
  }

  keyframe(one, at, share) {
    const l = this.editor.data.labels;
    const percent = Math.round(one[this.across ? 1 : 2] * 100);
    const text = fillText(one[3] ? l.keyframe_cut : l.keyframe, { time: precise(one[0]), percent });
    const el = h("div", { class: one[3] ? "keyframe cut" : "keyframe", role: "slider", tabindex: 0, title: `${text}. ${l.keyframe_keys}`, "aria-label": text,
      "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": percent, "aria-valuetext": text, style: { left: `${share * 100}%` }, data: { act: `keyframe ${at}` } });
    el.onfocus = () => { if (this.editor.video.paused) this.editor.seek(one[0]); };
    el.onkeydown = (event) => this.keyframeKey(event, at);
    el.onpointerdown = (event) => {
      event.preventDefault();
      el.focus({ preventScroll: true });
      const box = this.keys.getBoundingClientRect();
      const { start, end } = this.editor.draft;
      this.whilePressed((e) => { this.moved = true; this.shift(at, start + clamp((e.clientX - box.left) / box.width, 0, 1) * (end - start)); }, () => this.send());
    };
    return el;
  }

  // Moves a keyframe in time, between the one before it and the next.
  shift(at, time) {
    const crop = this.editor.draft.crop.map((one) => [...one]);
    const frame = 1 / (this.editor.data.media.fps || 25);
    const low = at ? crop[at - 1][0] + frame : 0;
    const high = at + 1 < crop.length ? crop[at + 1][0] - frame : this.editor.data.media.duration;
    crop[at][0] = Math.round(clamp(time, low, Math.max(low, high)) * 1000) / 1000;
    this.editor.draft.crop = crop;
    this.paintKeys();
    this.editor.seek(crop[at][0]);
  }

  keyframeKey(event, at) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { editor } = this;
    const crop = editor.draft.crop.map((one) => [...one]);
    const frame = (event.shiftKey ? 10 : 1) / (editor.data.media.fps || 25);
    const side = this.across ? 1 : 2;
    const half = this.share / 2;
    const place = (by) => { crop[at][side] = clamp(crop[at][side] + by, half, 1 - half); editor.sendCrop(crop); };
    const act = {
      ArrowLeft: () => { this.shift(at, crop[at][0] - frame); this.send(); },
      ArrowRight: () => { this.shift(at, crop[at][0] + frame); this.send(); },
      ArrowUp: () => place(0.01),
      ArrowDown: () => place(-0.01),
      c: () => { crop[at][3] = !crop[at][3]; editor.sendCrop(crop); },
      Delete: () => this.remove(at),
      Backspace: () => this.remove(at),
    }[keyOf(event)];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  remove(at) {
    const crop = this.editor.draft.crop.filter((_, n) => n !== at);
    this.editor.sendCrop(crop.length ? crop : null);
    const left = this.keys.querySelectorAll(".keyframe");
    (left[Math.min(at, left.length - 1)] || this.box).focus({ preventScroll: true });
  }
}

// Where the middle of a crop is, as CropPath.at (heimdex_core/types/crop.py) has it. Keyframes are [time, x, y, cut].
function positionAt(crop, time) {
  let n = crop.findIndex((one) => one[0] > time);
  if (n < 0) n = crop.length;
  const before = crop[Math.max(n - 1, 0)];
  const after = crop[Math.min(n, crop.length - 1)];
  if (n === 0 || before === after || after[3]) return [before[1], before[2]];
  const share = (time - before[0]) / (after[0] - before[0]);
  return [before[1] + share * (after[1] - before[1]), before[2] + share * (after[2] - before[2])];
}
