// The editor of the reel: which reel it is (menu.js), its title, its clips as rows (storyboard.js), and the chosen one
// opened below, to be trimmed (trimmer.js).

class Reel {
  constructor(host, out) {
    this.host = host;
    this.out = out;
    this.clips = [];
    this.title = h("input", { class: "title", type: "text" });
    this.title.onchange = () => { this.out.send("title", { title: this.title.value }, true); this.paintSummary(); };
    this.title.onkeydown = (event) => { if (event.key === "Enter") this.title.blur(); };
    this.summary = h("span", { class: "summary" });
    this.tools = h("span", { class: "history-tools" });
    this.menu = new ReelMenu(out);
    this.storyboard = new Storyboard(this);
    this.trimmer = new Trimmer(this);
    this.said = h("div", { class: "hx-vh", role: "status" });
    host.append(this.menu.el, h("div", { class: "head" }, this.title, this.summary, this.tools), this.storyboard.el, this.trimmer.el, this.said);
    this.history = new History(out, () => this.data.history);
    this.onKey = (event) => this.key(event);
    this.onPlayhead = (event) => this.follow(event.detail);
    document.addEventListener("keydown", this.onKey);
    document.addEventListener("hx-playhead", this.onPlayhead);
    this.resized = new ResizeObserver(() => this.data && this.trimmer.paint());
    this.resized.observe(host);
  }

  update(data) {
    this.data = data;
    this.title.placeholder = data.labels.untitled;
    this.title.maxLength = data.max_title;
    this.title.setAttribute("aria-label", data.labels.title);
    this.host.classList.toggle("none", !data.clips.length && !data.title && !this.out.pending);
    const isWriting = this.host.getRootNode().activeElement === this.title || this.out.waiting("title").length;
    if (!isWriting) this.title.value = data.title;
    this.menu.paint(data);
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
      else if (name === "strategy" && at >= 0) clips[at].strategy = value.strategy;
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
    this.storyboard.paint();
    this.paintSelected();
    this.paintSummary();
  }

  paintSelected() {
    this.storyboard.paintSelected();
    this.trimmer.paint();
    this.trimmer.paintHead(this.playhead);
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

  whilePressed(move, done) {
    this.busy = true;
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

  sendTrim(id, version = this.out.version) {
    const { start, end } = this.find(id);
    this.out.send("trim", { id, start, end, version }, (earlier) => earlier.id === id);
    this.paintSummary();
  }

  // While the reel plays, the clip that plays is the selected one.
  follow(playhead) {
    const before = this.playhead;
    this.playhead = playhead;
    this.trimmer.paintHead(playhead);
    if (!playhead.playing || (before && before.playing && before.id === playhead.id) || !this.find(playhead.id)) return;
    if (playhead.id !== this.selected) this.select(playhead.id, false);
  }

  trimToPlayhead(edge) {
    const { playhead } = this;
    const id = playhead && playhead.playing ? playhead.id : this.selected;
    const clip = this.find(id);
    if (!clip || clip.unavailable || !playhead || playhead.id !== id) return;
    if (edge === "start") clip.start = clamp(playhead.time, 0, clip.end - SHORTEST);
    else clip.end = Math.max(clip.start + SHORTEST, playhead.time);
    this.paint();
    this.sendTrim(id);
  }

  // --- selecting, moving, removing --------------------------------------------------------------

  select(id, play) {
    this.selected = id;
    this.paintSelected();
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
    const row = this.storyboard.rows.get(id);
    this.storyboard.show(id, false);
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
    if (byKey && next) this.storyboard.rows.get(next.id).remove.focus({ preventScroll: true });
  }

  frame(id, strategy) {
    this.find(id).strategy = strategy;
    this.out.send("strategy", { id, strategy, version: this.out.version }, (earlier) => earlier.id === id);
    this.paintSummary();
  }

  duplicate(id) {
    this.out.send("duplicate", { id });
  }

  move(step) {
    const at = this.clips.findIndex((clip) => clip.id === this.selected);
    const next = this.clips[clamp(at + step, 0, this.clips.length - 1)];
    if (!next || next.id === this.selected) return;
    this.select(next.id, false);
    this.storyboard.show(next.id, true);
  }

  key(event) {
    if (isTyping(event) || event.defaultPrevented) return;
    const key = keyOf(event);
    const act = {
      n: () => (event.shiftKey ? this.shift(this.selected, 1) : this.move(1)),
      p: () => (event.shiftKey ? this.shift(this.selected, -1) : this.move(-1)),
      "[": () => this.trimToPlayhead("start"),
      "]": () => this.trimToPlayhead("end"),
      d: () => this.selected && this.duplicate(this.selected),
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
    this.resized.disconnect();
    document.removeEventListener("keydown", this.onKey);
    document.removeEventListener("hx-playhead", this.onPlayhead);
  }
}

export default function (component) {
  return mount(component, Reel);
}
