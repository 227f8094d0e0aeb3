// The editor of the reel: its title, and its clips as rows that can be dragged, trimmed on a filmstrip and removed.

const SHORTEST = 0.2;

class Reel {
  constructor(host, out) {
    this.host = host;
    this.out = out;
    this.clips = [];
    this.rows = new Map();
    this.title = h("input", { class: "title", type: "text" });
    this.title.onchange = () => this.out.send("title", this.title.value, true);
    this.title.onkeydown = (event) => { if (event.key === "Enter") this.title.blur(); };
    this.summary = h("span", { class: "summary", "aria-live": "polite" });
    this.list = h("div", { class: "list", role: "list" });
    host.append(h("div", { class: "head" }, this.title, this.summary), this.list);
    this.onKey = (event) => this.key(event);
    this.onPlayhead = (event) => { this.playhead = event.detail; };
    document.addEventListener("keydown", this.onKey);
    document.addEventListener("hx-playhead", this.onPlayhead);
  }

  update(data) {
    this.data = data;
    this.title.placeholder = data.labels.untitled;
    this.title.maxLength = data.max_title;
    this.title.setAttribute("aria-label", data.labels.title);
    if (this.host.getRootNode().activeElement !== this.title && !this.out.pending) this.title.value = data.title;
    // Until our operations are acknowledged, the data from the server are older than ours.
    if (!this.out.pending && !this.busy) {
      this.clips = data.clips.map((clip) => ({ ...clip }));
      this.selected = data.selected;
    }
    this.paint();
  }

  paint() {
    const wanted = new Set(this.clips.map((clip) => clip.id));
    for (const [id, row] of this.rows) if (!wanted.has(id)) { row.el.remove(); this.rows.delete(id); }
    this.clips.forEach((clip, at) => {
      let row = this.rows.get(clip.id);
      if (!row) { row = this.make(clip.id); this.rows.set(clip.id, row); }
      this.fill(row, clip, at);
      if (this.list.children[at] !== row.el) this.list.insertBefore(row.el, this.list.children[at] || null);
    });
    this.paintSummary();
  }

  paintSummary() {
    const l = this.data.labels;
    const total = this.clips.reduce((sum, clip) => sum + clip.end - clip.start, 0);
    const count = fillText(this.clips.length === 1 ? l.clips_one : l.clips_other, { n: this.clips.length });
    this.summary.textContent = `${count} · ${clock(total)} · ${this.out.pending ? l.saving : l.saved}`;
  }

  make(id) {
    const l = this.data.labels;
    const row = { id };
    row.grip = h("button", { class: "grip", type: "button", "aria-label": l.drag, title: l.drag }, icon("grip"));
    row.grip.onpointerdown = (event) => this.drag(event, id);
    row.image = h("img", { alt: "", draggable: "false" });
    row.image.onerror = () => { if (row.failed !== row.src) { row.failed = row.src; this.out.send("renew", null, true); } };
    row.name = h("span", { class: "name" });
    row.range = h("span", { class: "range mono" });
    row.frames = h("div", { class: "frames" });
    row.left = h("div", { class: "shade left" });
    row.right = h("div", { class: "shade right" });
    row.window = h("div", { class: "window" });
    row.from = this.handle(id, "start", l.trim_start);
    row.to = this.handle(id, "end", l.trim_end);
    row.film = h("div", { class: "film" }, row.frames, row.left, row.right, row.window, row.from, row.to);
    row.length = h("span", { class: "length mono" });
    row.whole = h("span", { class: "whole" });
    const button = (name, label, act) => {
      const b = h("button", { class: "tool", type: "button", "aria-label": label, title: label, data: { act: name } }, icon(name));
      b.onclick = (event) => { event.stopPropagation(); act(); };
      return b;
    };
    row.up = button("up", l.up, () => this.shift(id, -1));
    row.down = button("down", l.down, () => this.shift(id, 1));
    row.remove = button("close", l.remove, () => this.drop(id));
    row.thumbnail = h("button", { class: "thumbnail", type: "button" }, row.image);
    row.thumbnail.onclick = () => this.select(id, true);
    row.el = h("article", { class: "clip", role: "listitem", data: { scene: id } },
      row.grip, row.thumbnail,
      h("div", { class: "middle" }, h("div", { class: "words" }, row.name, " ", row.range), row.film),
      h("div", { class: "times" }, row.length, row.whole),
      h("div", { class: "tools" }, row.up, row.down, row.remove));
    row.el.onclick = () => this.select(id, false);
    return row;
  }

  fill(row, clip, at) {
    const l = this.data.labels;
    if (row.src !== clip.thumbnail) { row.src = clip.thumbnail; if (clip.thumbnail) row.image.src = clip.thumbnail; }
    const film = JSON.stringify([clip.frames, clip.id]);
    if (row.filmKey !== film) {
      row.filmKey = film;
      const count = 8;
      const span = clip.scene_end - clip.scene_start;
      row.frames.replaceChildren(...Array.from({ length: clip.frames.length ? count : 0 }, (_, i) => {
        const time = clip.scene_start + ((i + 0.5) / count) * span;
        const near = clip.frames.reduce((best, frame) => (Math.abs(frame.time - time) < Math.abs(best.time - time) ? frame : best));
        return h("img", { src: near.src, alt: "", draggable: "false" });
      }));
    }
    row.name.textContent = clip.title;
    row.thumbnail.setAttribute("aria-label", fillText(l.show, { title: clip.title }));
    row.range.textContent = `${precise(clip.start)} – ${precise(clip.end)}`;
    row.length.textContent = precise(clip.end - clip.start);
    row.whole.textContent = fillText(l.of, { whole: precise(clip.scene_end - clip.scene_start) });
    const span = clip.scene_end - clip.scene_start || 1;
    const from = ((clip.start - clip.scene_start) / span) * 100;
    const to = ((clip.end - clip.scene_start) / span) * 100;
    row.left.style.width = `${from}%`;
    row.right.style.left = `${to}%`;
    Object.assign(row.window.style, { left: `${from}%`, width: `${to - from}%` });
    row.from.style.left = `${from}%`;
    row.to.style.left = `${to}%`;
    for (const [handle, value] of [[row.from, clip.start], [row.to, clip.end]]) {
      handle.setAttribute("aria-valuemin", clip.scene_start.toFixed(2));
      handle.setAttribute("aria-valuemax", clip.scene_end.toFixed(2));
      handle.setAttribute("aria-valuenow", value.toFixed(2));
      handle.setAttribute("aria-valuetext", precise(value));
    }
    row.up.disabled = at === 0;
    row.down.disabled = at === this.clips.length - 1;
    row.el.classList.toggle("selected", clip.id === this.selected);
  }

  handle(id, edge, label) {
    const el = h("div", { class: `handle ${edge}`, role: "slider", tabindex: "0", "aria-label": label, title: label });
    el.onpointerdown = (event) => {
      event.preventDefault();
      event.stopPropagation();
      this.busy = true;
      this.selected = id;
      const box = this.rows.get(id).film.getBoundingClientRect();
      const move = (e) => {
        const clip = this.find(id);
        const share = clamp((e.clientX - box.left) / box.width, 0, 1);
        this.trim(id, edge, clip.scene_start + share * (clip.scene_end - clip.scene_start));
      };
      this.whilePressed(move, () => { this.busy = false; this.commit(); });
    };
    el.onclick = (event) => event.stopPropagation();
    el.onkeydown = (event) => {
      const step = { ArrowLeft: -0.1, ArrowRight: 0.1, PageDown: -1, PageUp: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      this.trim(id, edge, this.find(id)[edge] + step);
      this.commit();
    };
    return el;
  }

  whilePressed(move, done) {
    const stop = () => {
      document.removeEventListener("pointermove", move);
      document.removeEventListener("pointerup", stop);
      document.removeEventListener("pointercancel", stop);
      done();
    };
    document.addEventListener("pointermove", move);
    document.addEventListener("pointerup", stop);
    document.addEventListener("pointercancel", stop);
  }

  find(id) {
    return this.clips.find((clip) => clip.id === id);
  }

  trim(id, edge, time) {
    const clip = this.find(id);
    const shortest = Math.min(SHORTEST, clip.scene_end - clip.scene_start);
    if (edge === "start") clip.start = clamp(time, clip.scene_start, clip.end - shortest);
    else clip.end = clamp(time, clip.start + shortest, clip.scene_end);
    this.paint();
  }

  commit() {
    this.out.send("arrange", this.clips.map(({ id, start, end }) => ({ id, start, end })), true);
    this.paintSummary();
  }

  select(id, play) {
    this.selected = id;
    this.paint();
    this.out.send("select", { id, play }, true);
  }

  shift(id, step) {
    const at = this.clips.findIndex((clip) => clip.id === id);
    const to = clamp(at + step, 0, this.clips.length - 1);
    if (at < 0 || at === to) return;
    this.clips.splice(to, 0, this.clips.splice(at, 1)[0]);
    this.paint();
    this.commit();
  }

  drop(id) {
    const at = this.clips.findIndex((clip) => clip.id === id);
    if (at < 0) return;
    this.clips.splice(at, 1);
    const next = this.clips[Math.min(at, this.clips.length - 1)];
    if (this.selected === id) this.selected = next ? next.id : null;
    this.paint();
    this.commit();
  }

  drag(event, id) {
    event.preventDefault();
    event.stopPropagation();
    const { el } = this.rows.get(id);
    this.busy = true;
    el.classList.add("dragging");
    const move = (e) => {
      const others = [...this.list.children].filter((child) => child !== el);
      const to = others.filter((child) => {
        const box = child.getBoundingClientRect();
        return e.clientY > box.top + box.height / 2;
      }).length;
      const at = this.clips.findIndex((clip) => clip.id === id);
      if (to === at) return;
      this.clips.splice(to, 0, this.clips.splice(at, 1)[0]);
      this.paint();
    };
    this.whilePressed(move, () => {
      el.classList.remove("dragging");
      this.busy = false;
      this.commit();
    });
  }

  move(step) {
    const at = this.clips.findIndex((clip) => clip.id === this.selected);
    const next = this.clips[clamp(at + step, 0, this.clips.length - 1)];
    if (!next || next.id === this.selected) return;
    this.select(next.id, false);
    this.rows.get(next.id).el.scrollIntoView({ block: "nearest", behavior: "smooth" });
  }

  trimToPlayhead(edge) {
    if (this.selected && this.playhead && this.playhead.id === this.selected) {
      this.trim(this.selected, edge, this.playhead.time);
      this.commit();
    }
  }

  key(event) {
    if (isTyping(event) || event.defaultPrevented) return;
    const act = {
      j: () => this.move(1),
      k: () => this.move(-1),
      J: () => this.shift(this.selected, 1),
      K: () => this.shift(this.selected, -1),
      "[": () => this.trimToPlayhead("start"),
      "]": () => this.trimToPlayhead("end"),
      Backspace: () => this.drop(this.selected),
      Delete: () => this.drop(this.selected),
      Enter: () => this.selected && this.select(this.selected, true),
    }[event.key];
    if (!act || (event.key === "Enter" && isOnControl(event))) return;
    event.preventDefault();
    act();
  }

  destroy() {
    document.removeEventListener("keydown", this.onKey);
    document.removeEventListener("hx-playhead", this.onPlayhead);
  }
}

export default function (component) {
  return mount(component, Reel);
}
