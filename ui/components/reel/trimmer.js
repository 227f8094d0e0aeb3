// The chosen clip, opened: its video around it as a filmstrip with the sound below, the handles of its start and its end,
// and what is said in it (words.js). A clip may grow beyond its scene, up to the ends of its video.

const SHORTEST = 0.2; // seconds; what a clip can be trimmed to
const TILE_ASPECT = 16 / 9;
const FILM_PX = 56;

class Trimmer {
  // `reel` has the clips, and what is done with them.
  constructor(reel) {
    this.reel = reel;
    this.frames = h("div", { class: "strip" });
    this.sound = h("div", { class: "sound" });
    this.scene = h("div", { class: "scene" });
    this.left = h("div", { class: "shade left" });
    this.right = h("div", { class: "shade right" });
    this.grownBefore = h("div", { class: "grown" });
    this.grownBehind = h("div", { class: "grown" });
    this.window = h("div", { class: "window" });
    this.head = h("div", { class: "playhead", hidden: true });
    this.from = this.handle("start");
    this.to = this.handle("end");
    this.film = h("div", { class: "tape" }, this.frames, this.sound, this.left, this.right, this.grownBefore, this.grownBehind,
      this.window, this.head, this.from, this.to);
    this.film.onpointerdown = (event) => this.seek(event);
    this.name = h("h2", { class: "opened-name" });
    this.times = h("span", { class: "mono" });
    this.grown = h("span", { class: "beyond" });
    this.buttons = h("div", { class: "row trim-actions" });
    this.words = new Words((from, to) => this.cut(from, to));
    this.el = h("section", { class: "trimmer", hidden: true },
      h("div", { class: "opened-head" }, this.name, this.times, this.grown),
      h("div", { class: "track" }, this.scene), this.film, this.buttons, this.words.el);
  }

  get clip() {
    return this.reel.find(this.reel.selected);
  }

  // What the server sent for the clip that is chosen; null until it has.
  get opened() {
    const { opened } = this.reel.data;
    return opened && opened.id === this.reel.selected ? opened : null;
  }

  paint() {
    const { clip, opened } = this;
    const l = this.reel.data.labels;
    this.el.hidden = !clip || Boolean(clip.unavailable);
    if (this.el.hidden) return;
    this.el.toggleAttribute("data-waiting", !opened);
    this.el.dataset.clip = clip.id;
    this.name.textContent = clip.label;
    this.times.textContent = `${exact(clip.start)} – ${exact(clip.end)} · ${exact(clip.end - clip.start)}`;
    this.paintGrown(clip, l);
    if (!opened) return;
    this.fillFilm(opened);
    this.fillButtons(opened, l);
    this.words.paint(opened, clip, l);
    for (const [handle, label, value] of [[this.from, l.trim_start, clip.start], [this.to, l.trim_end, clip.end]]) {
      handle.setAttribute("aria-label", fillText(l.action_on, { action: label, clip: clip.label }));
      handle.title = label;
      handle.setAttribute("aria-valuemin", "0");
      handle.setAttribute("aria-valuemax", opened.duration.toFixed(2));
      handle.setAttribute("aria-valuenow", value.toFixed(2));
      handle.setAttribute("aria-valuetext", exact(value));
    }
    this.place(clip, opened);
  }

  place(clip, opened) {
    const share = (time) => clamp((time - opened.from) / (opened.to - opened.from), 0, 1) * 100;
    const between = (element, start, end) => {
      element.hidden = end - start < 1e-6;
      Object.assign(element.style, { left: `${share(start)}%`, width: `${share(end) - share(start)}%` });
    };
    this.left.style.width = `${share(clip.start)}%`;
    this.right.style.left = `${share(clip.end)}%`;
    between(this.window, clip.start, clip.end);
    between(this.scene, clip.scene_start, clip.scene_end);
    between(this.grownBefore, clip.start, Math.min(clip.scene_start, clip.end));
    between(this.grownBehind, Math.max(clip.scene_end, clip.start), clip.end);
    this.from.style.left = `${share(clip.start)}%`;
    this.to.style.left = `${share(clip.end)}%`;
  }

  paintGrown(clip, l) {
    const beyond = Math.max(0, clip.scene_start - clip.start) + Math.max(0, clip.end - clip.scene_end);
    this.grown.textContent = beyond > 0.005 ? fillText(l.beyond, { time: exact(beyond) }) : "";
  }

  // Where the player is, while it shows this clip.
  paintHead(playhead) {
    const { opened } = this;
    const shown = opened && playhead && playhead.id === opened.id && playhead.time >= opened.from && playhead.time <= opened.to;
    this.head.hidden = !shown;
    if (shown) this.head.style.left = `${((playhead.time - opened.from) / (opened.to - opened.from)) * 100}%`;
  }

  fillFilm(opened) {
    const width = this.film.clientWidth || 600;
    const key = JSON.stringify([opened.from, opened.to, opened.pieces, Math.round(width / 40)]);
    if (key === this.filmKey) return;
    this.filmKey = key;
    const count = Math.max(2, Math.round(width / (FILM_PX * TILE_ASPECT)));
    const span = opened.to - opened.from;
    this.frames.replaceChildren(...Array.from({ length: count }, (_, i) => {
      const time = opened.from + ((i + 0.5) / count) * span;
      const piece = opened.pieces.find((one) => time >= one.start && time < one.end);
      if (!piece) return h("div", { class: "tile" });
      const frame = clamp(Math.floor(((time - piece.start) / (piece.end - piece.start)) * piece.count), 0, piece.count - 1);
      return h("div", { class: "tile", style: { backgroundImage: `url("${piece.sprite}")`, backgroundSize: `${piece.count * 100}% 100%`,
        backgroundPosition: `${piece.count > 1 ? (frame / (piece.count - 1)) * 100 : 0}% 0` } });
    }));
    this.fillSound(opened);
  }

  // The waveform of each scene comes by itself, as its picture does: it is made when it is asked for the first time.
  fillSound(opened) {
    const span = opened.to - opened.from;
    this.sound.replaceChildren(...opened.pieces.filter((piece) => piece.sound).map((piece) => {
      const part = h("div", { class: "wave", style: { left: `${((piece.start - opened.from) / span) * 100}%`, width: `${((piece.end - piece.start) / span) * 100}%` } });
      Trimmer.peaks(piece.sound).then((peaks) => {
        if (!peaks.length) return;
        const [top, bottom] = [peaks.map((peak, i) => `${i},${1 - peak}`), peaks.map((peak, i) => `${i},${1 + peak}`).reverse()];
        const shape = h("svg", { viewBox: `0 0 ${peaks.length - 1 || 1} 2`, preserveAspectRatio: "none", "aria-hidden": "true" },
          h("path", { d: `M${[...top, ...bottom].join("L")}Z` }));
        part.replaceChildren(shape);
      });
      return part;
    }));
  }

  static peaks(url) {
    const path = url.split("?")[0];
    if (!Trimmer.known.has(path)) {
      Trimmer.known.set(path, fetch(url).then((answer) => (answer.ok ? answer.json() : { peaks: [] })).then((found) => found.peaks)
        .catch(() => { Trimmer.known.delete(path); return []; }));
    }
    return Trimmer.known.get(path);
  }

  fillButtons(opened, l) {
    const key = JSON.stringify([opened.id, opened.actions, l]);
    if (key === this.buttonsKey) return;
    this.buttonsKey = key;
    const focused = focusedIn(this.buttons);
    const button = (name, label, act) => {
      const b = h("button", { class: "pill", type: "button", data: { act: name } }, label);
      b.onclick = act;
      return b;
    };
    const { id } = opened;
    this.buttons.replaceChildren(
      button("play", l.play_clip, () => this.reel.select(id, true)),
      button("in", l.trim_in, () => this.reel.trimToPlayhead("start")),
      button("out", l.trim_out, () => this.reel.trimToPlayhead("end")),
      button("whole", l.whole_scene, () => { const { clip } = this; this.set(clip.scene_start, clip.scene_end); }),
      ...opened.actions.map((action) => button(action.name, action.label, () => this.reel.out.send(action.name, { id, ...action.value }))));
    focusAgain(this.buttons, focused);
  }

  // --- trimming ---------------------------------------------------------------------------------

  handle(edge) {
    const el = h("div", { class: `handle ${edge}`, role: "slider", tabindex: "0", "aria-orientation": "horizontal", data: { act: edge } });
    el.onpointerdown = (event) => {
      event.preventDefault();
      event.stopPropagation();
      const { opened } = this;
      if (!opened) return;
      el.focus({ preventScroll: true });
      const { version } = this.reel.out; // what arrives while the handle is held is not seen
      const box = this.film.getBoundingClientRect();
      const move = (e) => {
        const share = clamp((e.clientX - box.left) / box.width, 0, 1);
        this.trim(edge, opened.from + share * (opened.to - opened.from));
      };
      this.reel.whilePressed(move, () => this.reel.sendTrim(opened.id, version));
    };
    el.onkeydown = (event) => {
      const { opened, clip } = this;
      const frame = 1 / ((opened && opened.fps) || 25);
      const sign = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
      const step = sign ? sign * (event.shiftKey ? 1 : frame) : { PageDown: -5, PageUp: 5 }[event.key];
      if (!opened || event.ctrlKey || event.metaKey || event.altKey || (!step && event.key !== "Home")) return;
      event.preventDefault();
      event.stopPropagation();
      this.trim(edge, step ? clip[edge] + step : clip[`scene_${edge}`]);
      this.reel.sendTrim(opened.id);
    };
    return el;
  }

  trim(edge, time) {
    const { clip, opened } = this;
    if (edge === "start") clip.start = clamp(time, 0, clip.end - SHORTEST);
    else clip.end = clamp(time, clip.start + SHORTEST, Math.max(opened.duration, clip.end));
    this.reel.paint();
    // the player shows the frame at the edge
    this.show(edge === "start" ? clip.start : Math.max(clip.start, clip.end - 0.05));
  }

  set(start, end) {
    const { clip, opened } = this;
    if (!opened || end - start < SHORTEST) return;
    Object.assign(clip, { start, end });
    this.reel.paint();
    this.show(start);
    this.reel.sendTrim(opened.id);
  }

  cut(from, to) {
    this.set(from, Math.max(to, from + SHORTEST));
  }

  show(time) {
    document.dispatchEvent(new CustomEvent("hx-show-frame", { detail: { id: this.reel.selected, time } }));
  }

  // A click on the film shows that frame in the player.
  seek(event) {
    const { opened } = this;
    if (!opened) return;
    const box = this.film.getBoundingClientRect();
    this.show(opened.from + clamp((event.clientX - box.left) / box.width, 0, 1) * (opened.to - opened.from));
  }
}
Trimmer.known = new Map();

// Minutes, seconds and hundredths: frames are closer to each other than tenths of a second.
function exact(seconds) {
  const hundredths = Math.round(Math.max(0, seconds) * 100);
  return `${clock(Math.floor(hundredths / 100))}.${String(hundredths % 100).padStart(2, "0")}`;
}
