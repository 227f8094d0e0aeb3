// In and out of the short on a filmstrip that reaches beyond the scene.

class Film {
  constructor(editor) {
    this.editor = editor;
    this.frames = h("div", { class: "frames" });
    this.left = h("div", { class: "shade left" });
    this.right = h("div", { class: "shade right" });
    this.scene = h("div", { class: "scene" });
    this.window = h("div", { class: "window" });
    this.head = h("span", { class: "head" });
    this.from = this.handle("start");
    this.to = this.handle("end");
    this.strip = h("div", { class: "strip" }, this.frames, this.left, this.right, this.scene, this.window, this.head, this.from, this.to);
    this.range = h("span", { class: "mono muted" });
    this.strip.onclick = (event) => { if (event.target === this.strip || event.target.tagName === "IMG" || event.target.classList.contains("shade")) editor.seek(this.timeAt(event)); };
    this.el = h("section", { class: "film" }, h("div", { class: "spread" }, h("h2", { class: "caps" }), this.range), this.strip);
  }

  get span() {
    const { draft, data } = this.editor;
    return [Math.min(data.span[0], draft.start), Math.max(data.span[1], draft.end)];
  }

  share(time) {
    const [from, to] = this.span;
    return ((time - from) / (to - from || 1)) * 100;
  }

  timeAt(event) {
    const box = this.strip.getBoundingClientRect();
    const [from, to] = this.held || this.span;
    return from + clamp((event.clientX - box.left) / box.width, 0, 1) * (to - from);
  }

  paint() {
    const { draft, data } = this.editor;
    const l = data.labels;
    this.el.querySelector("h2").textContent = l.film;
    this.range.textContent = `${precise(draft.start)} – ${precise(draft.end)}`;
    const key = JSON.stringify(data.frames);
    if (key !== this.framesKey) {
      this.framesKey = key;
      this.frames.replaceChildren(...data.frames.map((src) => h("img", { src, alt: "", draggable: "false" })));
    }
    const [a, b] = [this.share(draft.start), this.share(draft.end)];
    this.left.style.width = `${a}%`;
    this.right.style.left = `${b}%`;
    Object.assign(this.window.style, { left: `${a}%`, width: `${b - a}%` });
    Object.assign(this.scene.style, { left: `${this.share(data.scene[0])}%`, width: `${this.share(data.scene[1]) - this.share(data.scene[0])}%` });
    for (const [handle, label, value] of [[this.from, l.in, draft.start], [this.to, l.out, draft.end]]) {
      handle.style.left = `${this.share(value)}%`;
      handle.setAttribute("aria-label", label);
      handle.title = label;
      handle.setAttribute("aria-valuemin", 0);
      handle.setAttribute("aria-valuemax", data.media.duration.toFixed(2));
      handle.setAttribute("aria-valuenow", value.toFixed(2));
      handle.setAttribute("aria-valuetext", precise(value));
    }
  }

  follow(now) {
    this.head.style.left = `${clamp(this.share(now), 0, 100)}%`;
  }

  handle(edge) {
    const { editor } = this;
    const el = h("div", { class: `handle ${edge}`, role: "slider", tabindex: 0, "aria-orientation": "horizontal", data: { act: edge } });
    el.onpointerdown = (event) => {
      event.preventDefault();
      event.stopPropagation();
      el.focus({ preventScroll: true });
      editor.video.pause();
      this.held = this.span;
      editor.stage.whilePressed((e) => { editor.stage.moved = true; editor.trim(edge, this.timeAt(e)); }, () => editor.sendTrim());
      document.addEventListener("pointerup", () => { this.held = null; }, { once: true });
    };
    el.onkeydown = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const frame = 1 / (editor.data.media.fps || 25);
      const unit = event.shiftKey ? 1 : frame;
      const step = { ArrowLeft: -unit, ArrowDown: -unit, ArrowRight: unit, ArrowUp: unit, PageDown: -5, PageUp: 5 }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      editor.trim(edge, editor.draft[edge] + step);
      editor.sendTrim();
    };
    return el;
  }
}
