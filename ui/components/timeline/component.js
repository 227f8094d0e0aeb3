// The whole video as a strip of its scenes. Dragging over it moves the player; the scene at the playhead can be split
// there or merged with the next one. Keys: s splits, Shift+S merges; on the strip the arrows, Page Up and Down, Home, End.

const WIDE_PX = 44; // a scene that is drawn narrower has no picture
const MAX_ZOOM = 256;

class Timeline {
  constructor(host, out) {
    this.host = host;
    this.out = out;
    this.scenes = [];
    this.now = 0;
    this.zoom = 1;
    this.clockText = h("span", { class: "now mono" });
    this.split = h("button", { class: "btn", type: "button", data: { action: "split" } });
    this.merge = h("button", { class: "btn", type: "button", data: { action: "merge" } });
    this.undo = h("button", { class: "btn", type: "button", data: { action: "undo" } });
    this.smaller = h("button", { class: "btn zoom", type: "button" }, "−");
    this.larger = h("button", { class: "btn zoom", type: "button" }, "+");
    this.strip = h("div", { class: "strip", "aria-hidden": "true" });
    this.head = h("span", { class: "head" });
    this.track = h("div", { class: "track", role: "slider", tabindex: "0", "aria-valuemin": "0" }, this.strip, this.head);
    this.view = h("div", { class: "view" }, this.track);
    this.preview = h("div", { class: "preview", hidden: true, "aria-hidden": "true" });
    this.message = h("p", { class: "muted message", role: "status" });
    this.edits = h("details", { class: "edits" });
    host.append(
      h("div", { class: "bar" }, this.clockText, this.split, this.merge, this.undo,
        h("span", { class: "zooms" }, this.smaller, this.larger)),
      h("div", { class: "frame" }, this.view, this.preview), this.message, this.edits);
    this.wire();
  }

  wire() {
    this.split.onclick = () => this.sendSplit();
    this.merge.onclick = () => this.sendMerge();
    this.undo.onclick = () => this.sendUndo(null);
    this.smaller.onclick = () => this.setZoom(this.zoom / 2);
    this.larger.onclick = () => this.setZoom(this.zoom * 2);
    this.track.onpointerdown = (event) => this.scrub(event);
    this.track.ondblclick = () => this.select();
    this.track.onpointermove = (event) => this.showPreview(event);
    this.track.onpointerleave = () => { this.preview.hidden = true; };
    this.track.onkeydown = (event) => this.trackKey(event);
    this.view.onscroll = () => this.paintPictures();
    this.onPlayhead = (event) => {
      const { media, time } = event.detail;
      if (this.data && (media === undefined || media === this.data.media) && !this.dragging) this.place(time);
    };
    this.onKey = (event) => this.key(event);
    this.resized = new ResizeObserver(() => this.paintPictures());
    this.resized.observe(this.view);
    document.addEventListener("hx-playhead", this.onPlayhead);
    document.addEventListener("keydown", this.onKey);
  }

  update(data) {
    const key = `${data.version} ${data.labels.language}`;
    const [isNew, isFirst] = [key !== this.drawn, this.drawn === undefined];
    const selected = data.scenes.find(([id]) => id === data.selected);
    const moved = data.selected !== (this.data && this.data.selected);
    this.data = data;
    if (isNew) {
      this.drawn = key;
      this.scenes = data.scenes.map(([id, start, end, picture]) => ({ id, start, end, picture }));
      this.build();
    } else {
      // links of pictures are signed anew from time to time
      data.scenes.forEach(([, , , picture], at) => { this.scenes[at].picture = picture; });
    }
    if (selected && (moved || isFirst)) this.place(selected[1]);
    this.paintSelected();
    this.paintLabels();
    this.paintEdits();
    this.place(this.now);
  }

  // --- drawing --------------------------------------------------------------------------------

  build() {
    const { duration } = this.data;
    this.strip.replaceChildren(...this.scenes.map((scene, at) => {
      scene.el = h("span", { class: at % 2 ? "scene odd" : "scene", data: { scene: scene.id },
        style: { left: `${(scene.start / duration) * 100}%`, width: `${((scene.end - scene.start) / duration) * 100}%` } });
      return scene.el;
    }));
    this.current = null;
    this.track.setAttribute("aria-valuemax", duration.toFixed(1));
    this.paintPictures();
  }

  // Pictures only where they can be seen: a long video has thousands of scenes.
  paintPictures() {
    if (!this.data) return;
    const width = this.track.clientWidth;
    const perSecond = width / this.data.duration;
    const from = (this.view.scrollLeft - 200) / perSecond;
    const to = (this.view.scrollLeft + this.view.clientWidth + 200) / perSecond;
    this.strip.classList.toggle("dense", width / Math.max(1, this.scenes.length) < 4);
    for (const scene of this.scenes) {
      const wanted = scene.picture && scene.end > from && scene.start < to && (scene.end - scene.start) * perSecond >= WIDE_PX;
      const picture = wanted ? scene.picture : null;
      if (picture === scene.shown) continue;
      scene.shown = picture;
      scene.el.style.backgroundImage = picture ? `url("${encodeURI(picture)}")` : "";
    }
  }

  paintSelected() {
    for (const scene of this.scenes) scene.el.classList.toggle("selected", scene.id === this.data.selected);
  }

  paintLabels() {
    const { labels: l, busy, edits } = this.data;
    this.isBusy = busy || this.out.waiting("split", "merge", "undo").length > 0;
    this.track.setAttribute("aria-label", l.slider);
    this.merge.replaceChildren(l.merge, h("span", { class: "key" }, "⇧S"));
    this.undo.textContent = l.undo;
    this.undo.hidden = !edits.length;
    this.undo.disabled = this.isBusy;
    for (const [button, label] of [[this.smaller, l.zoom_out], [this.larger, l.zoom_in]]) {
      button.setAttribute("aria-label", label);
      button.title = label;
    }
    this.smaller.disabled = this.zoom <= 1;
    this.larger.disabled = this.zoom >= MAX_ZOOM;
    this.message.textContent = this.isBusy ? l.busy : "";
    this.message.hidden = !this.isBusy;
  }

  paintEdits() {
    const { edits, labels: l } = this.data;
    const key = JSON.stringify([edits, this.isBusy, l.edits]);
    if (key === this.editsKey) return;
    this.editsKey = key;
    this.edits.hidden = !edits.length;
    this.edits.replaceChildren(h("summary", null, l.edits), h("ul", null, edits.map((edit) => {
      const button = h("button", { class: "btn", type: "button", disabled: this.isBusy, "aria-label": edit.undo }, l.undo_one);
      button.onclick = () => this.sendUndo(edit.id);
      return h("li", { data: { state: edit.state } }, h("span", null, edit.text), h("span", { class: "muted" }, edit.note), button);
    })));
  }

  // --- the playhead ---------------------------------------------------------------------------

  place(time) {
    const { duration, labels: l } = this.data;
    this.now = clamp(time, 0, duration);
    this.head.style.left = `${(this.now / duration) * 100}%`;
    const at = this.indexAt(this.now);
    const scene = this.scenes[at];
    if (scene !== this.current) {
      if (this.current) this.current.el.classList.remove("current");
      this.current = scene;
      if (scene) scene.el.classList.add("current");
    }
    const text = precise(this.now);
    this.clockText.textContent = scene ? fillText(l.position, { time: text, n: at + 1, m: this.scenes.length }) : text;
    this.track.setAttribute("aria-valuenow", this.now.toFixed(1));
    this.track.setAttribute("aria-valuetext", this.clockText.textContent);
    this.split.replaceChildren(fillText(l.split, { time: text }), h("span", { class: "key" }, "S"));
    const tooShort = !scene || Math.min(this.now - scene.start, scene.end - this.now) < this.data.minimum - 0.0005;
    this.split.disabled = this.isBusy || tooShort;
    this.split.title = tooShort ? l.too_short : "";
    this.merge.disabled = this.isBusy || at >= this.scenes.length - 1;
    if (this.zoom > 1 && !this.dragging) this.keepInView();
  }

  indexAt(time) {
    let [low, high] = [0, this.scenes.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.scenes[middle].start <= time + 0.0005) low = middle; else high = middle - 1;
    }
    return low;
  }

  keepInView() {
    const x = (this.now / this.data.duration) * this.track.clientWidth;
    const { scrollLeft, clientWidth } = this.view;
    if (x < scrollLeft || x > scrollLeft + clientWidth) this.view.scrollLeft = x - clientWidth / 4;
  }

  setZoom(zoom) {
    this.zoom = clamp(zoom, 1, MAX_ZOOM);
    this.track.style.width = `${this.zoom * 100}%`;
    this.view.scrollLeft = (this.now / this.data.duration) * this.track.clientWidth - this.view.clientWidth / 2;
    this.paintPictures();
    this.paintLabels();
    this.place(this.now);
  }

  timeAt(event) {
    const box = this.track.getBoundingClientRect();
    return clamp((event.clientX - box.left) / box.width, 0, 1) * this.data.duration;
  }

  seek(time) {
    this.place(time);
    document.dispatchEvent(new CustomEvent("hx-seek", { detail: { time: this.now } }));
  }

  scrub(event) {
    if (event.button) return;
    event.preventDefault();
    this.track.focus({ preventScroll: true });
    this.track.setPointerCapture(event.pointerId);
    this.dragging = true;
    const move = (e) => {
      this.wanted = this.timeAt(e);
      this.place(this.wanted);
      this.showPreview(e);
      // one seek for each frame that is drawn; a browser drops what comes faster
      if (!this.seeking) this.seeking = requestAnimationFrame(() => { this.seeking = null; this.seek(this.wanted); });
    };
    const stop = () => {
      this.track.removeEventListener("pointermove", move);
      this.dragging = false;
    };
    this.track.addEventListener("pointermove", move);
    this.track.addEventListener("pointerup", stop, { once: true });
    this.track.addEventListener("pointercancel", stop, { once: true });
    move(event);
  }

  showPreview(event) {
    if (!this.data || event.pointerType === "touch") return;
    const time = this.timeAt(event);
    const at = this.indexAt(time);
    const scene = this.scenes[at];
    if (!scene) return;
    if (this.previewed !== scene) {
      this.previewed = scene;
      this.preview.replaceChildren(scene.picture ? h("img", { src: scene.picture, alt: "", draggable: "false" }) : "", h("span", { class: "mono" }));
    }
    this.preview.lastChild.textContent = fillText(this.data.labels.position, { time: precise(time), n: at + 1, m: this.scenes.length });
    this.preview.hidden = false;
    const frame = this.view.getBoundingClientRect();
    const half = this.preview.offsetWidth / 2;
    this.preview.style.left = `${clamp(event.clientX - frame.left, half, Math.max(half, frame.width - half))}px`;
  }

  // --- what the user does ---------------------------------------------------------------------

  sendSplit() {
    if (this.split.disabled) return;
    this.out.send("split", { at: Math.round(this.now * 1000) / 1000 });
    this.afterEdit();
  }

  sendMerge() {
    if (this.merge.disabled) return;
    const at = this.indexAt(this.now);
    this.out.send("merge", { ids: [this.scenes[at].id, this.scenes[at + 1].id] });
    this.afterEdit();
  }

  sendUndo(id) {
    if (this.isBusy) return;
    this.out.send("undo", { id });
    this.afterEdit();
  }

  afterEdit() {
    this.paintLabels();
    this.paintEdits();
    this.place(this.now);
  }

  select() {
    const scene = this.scenes[this.indexAt(this.now)];
    if (scene) this.out.send("select", { id: scene.id, play: true }, true);
  }

  trackKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = this.indexAt(this.now);
    const step = event.shiftKey ? 5 : 1;
    const starts = (n) => (this.scenes[clamp(n, 0, this.scenes.length - 1)] || { start: 0 }).start;
    const act = {
      ArrowLeft: () => this.seek(this.now - step),
      ArrowRight: () => this.seek(this.now + step),
      PageUp: () => this.seek(starts(at + 1)),
      PageDown: () => this.seek(this.now - starts(at) > 0.5 ? starts(at) : starts(at - 1)),
      Home: () => this.seek(0),
      End: () => this.seek(this.data.duration),
      Enter: () => this.select(),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  key(event) {
    if (isTyping(event) || event.defaultPrevented || keyOf(event) !== "s") return;
    event.preventDefault();
    if (event.shiftKey) this.sendMerge(); else this.sendSplit();
  }

  destroy() {
    this.resized.disconnect();
    document.removeEventListener("hx-playhead", this.onPlayhead);
    document.removeEventListener("keydown", this.onKey);
  }
}

export default function (component) {
  return mount(component, Timeline);
}
