// The clips of the reel as rows, in their order: what each shows, how long it is, and the buttons that move, duplicate
// and remove it. Rows are dragged by their grips, and moved by keys.

const FILM_FRAMES = 8;

class Storyboard {
  // `reel` has the clips, and what is done with them.
  constructor(reel) {
    this.reel = reel;
    this.rows = new Map();
    this.el = h("div", { class: "list", role: "list" });
  }

  paint() {
    const { clips } = this.reel;
    const root = this.reel.host.getRootNode();
    const focused = root.activeElement;
    const wanted = new Set(clips.map((clip) => clip.id));
    for (const [id, row] of this.rows) if (!wanted.has(id)) { row.el.remove(); this.rows.delete(id); }
    clips.forEach((clip, at) => {
      let row = this.rows.get(clip.id);
      if (!row) { row = this.make(clip.id); this.rows.set(clip.id, row); }
      this.fill(row, clip, at);
      if (this.el.children[at] !== row.el) this.el.insertBefore(row.el, this.el.children[at] || null);
    });
    // a row that is moved loses the focus
    if (focused && focused !== root.activeElement && this.el.contains(focused)) focused.focus({ preventScroll: true });
  }

  paintSelected() {
    for (const row of this.rows.values()) {
      const on = row.id === this.reel.selected;
      row.el.classList.toggle("selected", on);
      row.el.setAttribute("aria-current", String(on));
    }
  }

  show(id, smoothly) {
    this.rows.get(id).el.scrollIntoView({ block: "nearest", behavior: smoothly && !reducedMotion() ? "smooth" : "auto" });
  }

  make(id) {
    const { reel } = this;
    const row = { id };
    row.grip = h("button", { class: "grip", type: "button" }, icon("grip"));
    row.grip.onpointerdown = (event) => this.drag(event, id);
    row.grip.onkeydown = (event) => {
      const step = { ArrowUp: -1, ArrowDown: 1, Home: -Infinity, End: Infinity }[event.key];
      if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      reel.shift(id, step);
    };
    row.image = h("img", { alt: "", draggable: "false" });
    row.image.onerror = () => { if (row.failed !== row.src) { row.failed = row.src; reel.out.send("renew", null, true); } };
    row.name = h("span", { class: "name" });
    row.range = h("span", { class: "range mono" });
    row.frames = h("div", { class: "frames" });
    row.left = h("div", { class: "shade left" });
    row.right = h("div", { class: "shade right" });
    row.window = h("div", { class: "window" });
    row.strategy = h("select", { class: "choice strategy", data: { act: "strategy" } });
    row.strategy.onclick = (event) => event.stopPropagation();
    row.strategy.onchange = () => reel.frame(id, row.strategy.value || null);
    row.film = h("div", { class: "film", "aria-hidden": "true" }, row.frames, row.left, row.right, row.window);
    row.reason = h("div", { class: "reason" });
    row.length = h("span", { class: "length mono" });
    row.whole = h("span", { class: "whole" });
    const button = (name, act) => {
      const b = h("button", { class: "tool", type: "button", data: { act: name } }, icon(name));
      b.onclick = (event) => { event.stopPropagation(); act(!event.detail); };
      return b;
    };
    row.up = button("up", (byKey) => reel.shift(id, -1, byKey));
    row.down = button("down", (byKey) => reel.shift(id, 1, byKey));
    row.duplicate = button("duplicate", () => reel.duplicate(id));
    row.remove = button("close", (byKey) => reel.drop(id, byKey));
    row.gone = h("span", { class: "gone" }, icon("gone"));
    row.thumbnail = h("button", { class: "thumbnail", type: "button" }, row.image, row.gone);
    row.thumbnail.onclick = (event) => { event.stopPropagation(); reel.select(id, true); };
    row.el = h("article", { class: "clip", role: "listitem", data: { scene: id } },
      row.grip, row.thumbnail,
      h("div", { class: "middle" }, h("div", { class: "title-line" }, h("div", { class: "title-text" }, row.name, " ", row.range), row.strategy), row.film, row.reason),
      h("div", { class: "times" }, row.length, row.whole),
      h("div", { class: "tools" }, row.up, row.down, row.duplicate, row.remove));
    row.el.onclick = () => reel.select(id, false);
    return row;
  }

  fill(row, clip, at) {
    const l = this.reel.data.labels;
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
    this.fillStrategy(row, clip);
    // the film is of the scene; a clip that reaches beyond it ends at its edges
    const share = (time) => clamp((time - clip.scene_start) / (clip.scene_end - clip.scene_start), 0, 1) * 100;
    const from = share(clip.start);
    const to = share(clip.end);
    row.left.style.width = `${from}%`;
    row.right.style.left = `${to}%`;
    Object.assign(row.window.style, { left: `${from}%`, width: `${to - from}%` });
    row.film.classList.toggle("grown-before", clip.start < clip.scene_start - 1e-6);
    row.film.classList.toggle("grown-behind", clip.end > clip.scene_end + 1e-6);
    row.up.disabled = at === 0;
    row.down.disabled = at === this.reel.clips.length - 1;
  }

  fillLabels(row, clip) {
    const l = this.reel.data.labels;
    const key = JSON.stringify([clip.label, l]);
    if (row.labelsKey === key) return;
    row.labelsKey = key;
    row.thumbnail.setAttribute("aria-label", fillText(l.show, { clip: clip.label }));
    const named = [[row.grip, l.drag], [row.up, l.up], [row.down, l.down], [row.duplicate, l.duplicate], [row.remove, l.remove]];
    for (const [element, action] of named) {
      element.setAttribute("aria-label", fillText(l.action_on, { action, clip: clip.label }));
      element.title = action;
    }
  }

  // Only pictures of another shape than the frame's have to be put into it in some way.
  fillStrategy(row, clip) {
    const { strategies, labels } = this.reel.data;
    row.strategy.hidden = !strategies.length || Boolean(clip.unavailable);
    const key = JSON.stringify([strategies, labels.strategy, clip.label]);
    if (row.strategyKey !== key) {
      row.strategyKey = key;
      row.strategy.replaceChildren(...strategies.map((one) => h("option", { value: one.value }, one.label)));
      row.strategy.setAttribute("aria-label", fillText(labels.action_on, { action: labels.strategy, clip: clip.label }));
      row.strategy.title = labels.strategy;
    }
    row.strategy.value = clip.strategy || "";
    row.strategy.classList.toggle("own", Boolean(clip.strategy));
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

  drag(event, id) {
    const { reel } = this;
    event.preventDefault();
    event.stopPropagation();
    const { el } = this.rows.get(id);
    el.classList.add("dragging");
    const order = () => reel.clips.map((clip) => clip.id).join();
    const before = order();
    const move = (e) => {
      const others = [...this.el.children].filter((child) => child !== el);
      const to = others.filter((child) => {
        const box = child.getBoundingClientRect();
        return e.clientY > box.top + box.height / 2;
      }).length;
      const at = reel.clips.findIndex((clip) => clip.id === id);
      if (to === at) return;
      reel.clips.splice(to, 0, reel.clips.splice(at, 1)[0]);
      reel.paint();
    };
    reel.whilePressed(move, () => {
      el.classList.remove("dragging");
      if (order() !== before) reel.sendMove(id);
    });
  }
}

ICONS.duplicate = ["M8.5 8.5h11v11h-11zM15.5 8.5v-4h-11v11h4"];
