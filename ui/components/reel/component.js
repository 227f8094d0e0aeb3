// The editor of the reel: its title, and its clips as rows that can be moved, trimmed on a filmstrip and removed, by
// pointer and by keys.

const SHORTEST = 0.2;
const FILM_FRAMES = 8;

class Reel {
  constructor(host, out) {
    this.host = host;
    this.out = out;
    this.clips = [];
    this.rows = new Map();
    this.title = h("input", { class: "title", type: "text" });
    this.title.onchange = () => { this.out.send("title", { title: this.title.value }, true); this.paintSummary(); };
    this.title.onkeydown = (event) => { if (event.key === "Enter") this.title.blur(); };
    this.summary = h("span", { class: "summary" });
    this.tools = h("span", { class: "history-tools" });
    this.list = h("div", { class: "list", role: "list" });
    this.said = h("div", { class: "hx-vh", role: "status" });
    host.append(h("div", { class: "head" }, this.title, this.summary, this.tools), this.list, this.said);
    this.history = new History(out, () => this.data.history);
    this.onKey = (event) => this.key(event);
    this.onPlayhead = (event) => this.follow(event.detail);
    document.addEventListener("keydown", this.onKey);
    document.addEventListener("hx-playhead", this.onPlayhead);
  }

  update(data) {
    this.data = data;
    this.title.placeholder = data.labels.untitled;
    this.title.maxLength = data.max_title;
    this.title.setAttribute("aria-label", data.labels.title);
    this.host.classList.toggle("none", !data.clips.length && !data.title && !this.out.pending);
    const isWriting = this.host.getRootNode().activeElement === this.title || this.out.waiting("title").length;
    if (!isWriting) this.title.value = data.title;
    const tools = JSON.stringify(data.history);
    if (tools !== this.toolsKey) {
      this.toolsKey = tools;
      const focused = focusedIn(this.host);
      this.tools.replaceChildren(...this.history.buttons());
      focusAgain(this.host, focused);
    }
    // what is being dragged stays as it is
    if (!this.busy) {
      this.clips = this.withWaiting(data.clips.map((clip) => ({ ...clip })));
      if (data.selected !== this.selectedByServer || !this.find(this.selected)) this.selected = data.selected;
      this.selectedByServer = data.selected;
    }
    this.paint();
  }

  // The clips as they will be when the server has handled what it has not answered yet.
  withWaiting(clips) {
    for (const { name, value } of this.out.items) {
      const at = value ? clips.findIndex((clip) => clip.id === value.id) : -1;
      if (name === "remove") clips = clips.filter((clip) => !value.ids.includes(clip.id));
      else if (name === "trim" && at >= 0) Object.assign(clips[at], { start: value.start, end: value.end });
      else if (name === "move" && at >= 0) {
        const [clip] = clips.splice(at, 1);
        const after = clips.findIndex((other) => other.id === value.after);
        const before = clips.findIndex((other) => other.id === value.before);
        clips.splice(after >= 0 ? after + 1 : before >= 0 ? before : clips.length, 0, clip);
      }
    }
    return clips;
  }

  // --- drawing ----------------------------------------------------------------------------------

  paint() {
    const root = this.host.getRootNode();
    const focused = root.activeElement;
    const wanted = new Set(this.clips.map((clip) => clip.id));
    for (const [id, row] of this.rows) if (!wanted.has(id)) { row.el.remove(); this.rows.delete(id); }
    this.clips.forEach((clip, at) => {
      let row = this.rows.get(clip.id);
      if (!row) { row = this.make(clip.id); this.rows.set(clip.id, row); }
      this.fill(row, clip, at);
      if (this.list.children[at] !== row.el) this.list.insertBefore(row.el, this.list.children[at] || null);
    });
    // a row that is moved loses the focus
    if (focused && focused !== root.activeElement && this.host.contains(focused)) focused.focus({ preventScroll: true });
    this.paintSummary();
  }

  paintSummary() {
    const l = this.data.labels;
    const usable = this.clips.filter((clip) => !clip.unavailable);
    const total = usable.reduce((sum, clip) => sum + clip.end - clip.start, 0);
    const missing = this.clips.length - usable.length;
    const count = fillText(this.clips.length === 1 ? l.clips_one : l.clips_other, { n: this.clips.length });
    const parts = [count, clock(total), missing ? fillText(l.not_available, { n: missing }) : "", this.out.pending ? l.saving : l.saved];
    this.summary.textContent = parts.filter(Boolean).join(" · ");
  }

  make(id) {
    const row = { id };
    row.grip = h("button", { class: "grip", type: "button" }, icon("grip"));
    row.grip.onpointerdown = (event) => this.drag(event, id);
    row.grip.onkeydown = (event) => {
      const step = { ArrowUp: -1, ArrowDown: 1, Home: -Infinity, End: Infinity }[event.key];
      if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      this.shift(id, step);
    };
    row.image = h("img", { alt: "", draggable: "false" });
    row.image.onerror = () => { if (row.failed !== row.src) { row.failed = row.src; this.out.send("renew", null, true); } };
    row.name = h("span", { class: "name" });
    row.range = h("span", { class: "range mono" });
    row.frames = h("div", { class: "frames" });
    row.left = h("div", { class: "shade left" });
    row.right = h("div", { class: "shade right" });
    row.window = h("div", { class: "window" });
    row.from = this.handle(id, "start");
    row.to = this.handle(id, "end");
    row.film = h("div", { class: "film" }, row.frames, row.left, row.right, row.window, row.from, row.to);
    row.reason = h("div", { class: "reason" });
    row.length = h("span", { class: "length mono" });
    row.whole = h("span", { class: "whole" });
    const button = (name, act) => {
      const b = h("button", { class: "tool", type: "button", data: { act: name } }, icon(name));
      b.onclick = (event) => { event.stopPropagation(); act(!event.detail); };
      return b;
    };
    row.up = button("up", (byKey) => this.shift(id, -1, byKey));
    row.down = button("down", (byKey) => this.shift(id, 1, byKey));
    row.remove = button("close", (byKey) => this.drop(id, byKey));
    row.gone = h("span", { class: "gone" }, icon("gone"));
    row.thumbnail = h("button", { class: "thumbnail", type: "button" }, row.image, row.gone);
    row.thumbnail.onclick = (event) => { event.stopPropagation(); this.select(id, true); };
    row.el = h("article", { class: "clip", role: "listitem", data: { scene: id } },
      row.grip, row.thumbnail,
      h("div", { class: "middle" }, h("div", { class: "words" }, row.name, " ", row.range), row.film, row.reason),
      h("div", { class: "times" }, row.length, row.whole),
      h("div", { class: "tools" }, row.up, row.down, row.remove));
    row.el.onclick = () => this.select(id, false);
    return row;
  }

  fill(row, clip, at) {
    const l = this.data.labels;
    const gone = Boolean(clip.unavailable);
    if (row.src !== clip.thumbnail) {
      row.src = clip.thumbnail;
      if (clip.thumbnail) row.image.src = clip.thumbnail; else row.image.removeAttribute("src");
    }
    row.image.hidden = gone;
    row.gone.hidden = !gone;
    row.thumbnail.disabled = gone;
    row.film.hidden = gone;
    row.reason.hidden = !gone;
    row.reason.textContent = clip.unavailable;
    row.el.classList.toggle("unavailable", gone);
    this.fillFilm(row, clip);
    row.name.textContent = clip.title;
    row.range.textContent = `${precise(clip.start)} – ${precise(clip.end)}`;
    row.length.textContent = precise(clip.end - clip.start);
    row.whole.textContent = fillText(l.of, { whole: precise(clip.scene_end - clip.scene_start) });
    this.fillLabels(row, clip);
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
    this.paintSelected(row);
  }

  paintSelected(row) {
    const on = row.id === this.selected;
    row.el.classList.toggle("selected", on);
    row.el.setAttribute("aria-current", String(on));
  }

  fillLabels(row, clip) {
    const l = this.data.labels;
    const key = JSON.stringify([clip.label, l]);
    if (row.labelsKey === key) return;
    row.labelsKey = key;
    row.thumbnail.setAttribute("aria-label", fillText(l.show, { clip: clip.label }));
    const named = [[row.grip, l.drag], [row.from, l.trim_start], [row.to, l.trim_end], [row.up, l.up], [row.down, l.down], [row.remove, l.remove]];
    for (const [element, action] of named) {
      element.setAttribute("aria-label", fillText(l.action_on, { action, clip: clip.label }));
      element.title = action;
    }
  }

  fillFilm(row, clip) {
    const key = JSON.stringify(clip.frames);
    if (row.filmKey === key) return;
    row.filmKey = key;
    const span = clip.scene_end - clip.scene_start;
    row.frames.replaceChildren(...Array.from({ length: clip.frames.length ? FILM_FRAMES : 0 }, (_, i) => {
      const time = clip.scene_start + ((i + 0.5) / FILM_FRAMES) * span;
      const near = clip.frames.reduce((best, frame) => (Math.abs(frame.time - time) < Math.abs(best.time - time) ? frame : best));
      return h("img", { src: near.src, alt: "", draggable: "false" });
    }));
  }

  // --- trimming ---------------------------------------------------------------------------------

  handle(id, edge) {
    const el = h("div", { class: `handle ${edge}`, role: "slider", tabindex: "0", "aria-orientation": "horizontal" });
    el.onpointerdown = (event) => {
      event.preventDefault();
      event.stopPropagation();
      if (id !== this.selected) this.select(id, false);
      this.busy = true;
      const { version } = this.out; // what arrives while the handle is held is not seen
      const box = this.rows.get(id).film.getBoundingClientRect();
      const move = (e) => {
        const clip = this.find(id);
        const share = clamp((e.clientX - box.left) / box.width, 0, 1);
        this.trim(id, edge, clip.scene_start + share * (clip.scene_end - clip.scene_start));
      };
      this.whilePressed(move, () => this.sendTrim(id, version));
    };
    el.onfocus = () => { if (id !== this.selected) this.select(id, false); };
    el.onclick = (event) => event.stopPropagation();
    el.onkeydown = (event) => {
      const step = { ArrowLeft: -0.1, ArrowDown: -0.1, ArrowRight: 0.1, ArrowUp: 0.1, PageDown: -1, PageUp: 1, Home: -Infinity, End: Infinity }[event.key];
      if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      this.trim(id, edge, this.find(id)[edge] + step);
      this.sendTrim(id);
    };
    return el;
  }

  whilePressed(move, done) {
    const stop = () => {
      document.removeEventListener("pointermove", move);
      document.removeEventListener("pointerup", stop);
      document.removeEventListener("pointercancel", stop);
      this.busy = false;
      done();
      this.update(this.data);
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
    // the player shows the frame at the edge
    const shown = edge === "start" ? clip.start : Math.max(clip.start, clip.end - 0.05);
    document.dispatchEvent(new CustomEvent("hx-show-frame", { detail: { id, time: shown } }));
  }

  sendTrim(id, version = this.out.version) {
    const { start, end } = this.find(id);
    this.out.send("trim", { id, start, end, version }, (earlier) => earlier.id === id);
    this.paintSummary();
  }

  // While the reel plays, the clip that plays is the selected one.
  follow(playhead) {
    const before = this.playhead;
    this.playhead = playhead;
    if (!playhead.playing || (before && before.playing && before.id === playhead.id) || !this.find(playhead.id)) return;
    this.selected = playhead.id;
    for (const row of this.rows.values()) this.paintSelected(row);
  }

  trimToPlayhead(edge) {
    const { playhead } = this;
    const id = playhead && playhead.playing ? playhead.id : this.selected;
    const clip = this.find(id);
    if (!clip || clip.unavailable || !playhead || playhead.id !== id) return;
    const shortest = Math.min(SHORTEST, clip.scene_end - clip.scene_start);
    if (edge === "start") clip.start = clamp(playhead.time, clip.scene_start, clip.end - shortest);
    else clip.end = clamp(playhead.time, clip.start + shortest, clip.scene_end);
    this.paint();
    this.sendTrim(id);
  }

  // --- selecting, moving, removing --------------------------------------------------------------

  select(id, play) {
    this.selected = id;
    for (const row of this.rows.values()) this.paintSelected(row);
    this.out.send("select", { id, play }, true);
  }

  // `byKey`: a button was pressed by a key, and the focus shall stay near it.
  shift(id, step, byKey) {
    const at = this.clips.findIndex((clip) => clip.id === id);
    const to = clamp(at + step, 0, this.clips.length - 1);
    if (at < 0 || at === to) return;
    this.clips.splice(to, 0, this.clips.splice(at, 1)[0]);
    this.sendMove(id);
    this.paint();
    const row = this.rows.get(id);
    row.el.scrollIntoView({ block: "nearest" });
    // a button that is disabled at the end of the list gives the focus to the other one
    const { activeElement } = this.host.getRootNode();
    if (byKey && activeElement === row.up && row.up.disabled) row.down.focus();
    if (byKey && activeElement === row.down && row.down.disabled) row.up.focus();
    const values = { clip: this.clips[to].label, n: to + 1, total: this.clips.length };
    this.said.textContent = fillText(this.data.labels.moved, values);
  }

  sendMove(id) {
    const at = this.clips.findIndex((clip) => clip.id === id);
    const neighbour = (to) => (this.clips[to] ? this.clips[to].id : null);
    this.out.send("move", { id, after: neighbour(at - 1), before: neighbour(at + 1) });
  }

  drop(id, byKey) {
    const at = this.clips.findIndex((clip) => clip.id === id);
    if (at < 0) return;
    this.clips.splice(at, 1);
    const next = this.clips[Math.min(at, this.clips.length - 1)];
    if (this.selected === id) this.selected = next ? next.id : null;
    this.out.send("remove", { ids: [id] });
    this.paint();
    if (byKey && next) this.rows.get(next.id).remove.focus({ preventScroll: true });
  }

  drag(event, id) {
    event.preventDefault();
    event.stopPropagation();
    const { el } = this.rows.get(id);
    this.busy = true;
    el.classList.add("dragging");
    const order = () => this.clips.map((clip) => clip.id).join();
    const before = order();
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
      if (order() !== before) this.sendMove(id);
    });
  }

  move(step) {
    const at = this.clips.findIndex((clip) => clip.id === this.selected);
    const next = this.clips[clamp(at + step, 0, this.clips.length - 1)];
    if (!next || next.id === this.selected) return;
    this.select(next.id, false);
    this.rows.get(next.id).el.scrollIntoView({ block: "nearest", behavior: reducedMotion() ? "auto" : "smooth" });
  }

  key(event) {
    if (isTyping(event) || event.defaultPrevented) return;
    const key = keyOf(event);
    const act = {
      n: () => (event.shiftKey ? this.shift(this.selected, 1) : this.move(1)),
      p: () => (event.shiftKey ? this.shift(this.selected, -1) : this.move(-1)),
      "[": () => this.trimToPlayhead("start"),
      "]": () => this.trimToPlayhead("end"),
      Backspace: () => this.drop(this.selected, false),
      Delete: () => this.drop(this.selected, false),
      Enter: () => this.selected && this.select(this.selected, true),
    }[key];
    if (!act || (event.key === "Enter" && isOnControl(event))) return;
    event.preventDefault();
    act();
  }

  destroy() {
    this.history.close();
    document.removeEventListener("keydown", this.onKey);
    document.removeEventListener("hx-playhead", this.onPlayhead);
  }
}

export default function (component) {
  return mount(component, Reel);
}
