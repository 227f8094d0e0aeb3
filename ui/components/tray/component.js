// The bar at the bottom with the clips of the reel.

class Tray {
  constructor(host, out) {
    this.host = host;
    this.out = out;
    this.head = h("div", { class: "head" });
    this.strip = h("div", { class: "strip", role: "list" });
    this.actions = h("div", { class: "actions" });
    this.tray = h("section", { class: "tray" }, this.head, this.strip, this.actions);
    host.append(this.tray);
    this.history = new History(out, () => this.data.history);
  }

  update(data) {
    this.data = data;
    this.paint();
  }

  // The clips as the server has them, without those whose removal it has not answered yet.
  get clips() {
    const gone = new Set(this.out.waiting("remove", "clear").flatMap((value) => value.ids));
    return this.data.clips.filter((clip) => !gone.has(clip.id));
  }

  paint() {
    const { data, clips } = this;
    const key = JSON.stringify([clips.map((clip) => ({ ...clip, thumbnail: null })), data.labels, data.history]);
    if (key === this.key) return;
    this.key = key;
    const l = data.labels;
    const focused = focusedIn(this.host);
    this.tray.classList.toggle("empty", !clips.length);
    this.tray.setAttribute("aria-label", l.heading);
    this.head.replaceChildren(h("div", { class: "name" }, l.heading), h("div", { class: "muted total" }, l.total));
    this.strip.replaceChildren(...clips.map((clip) => this.clip(clip)));
    if (!clips.length) this.strip.replaceChildren(h("div", { class: "muted hint", role: "listitem" }, l.hint));
    const clear = h("button", { class: "btn clear", type: "button", disabled: !clips.length, data: { act: "clear" } }, l.clear);
    clear.onclick = () => { this.out.send("clear", { ids: this.clips.map((clip) => clip.id) }); this.paint(); };
    const create = h("button", { class: "btn primary create", type: "button", disabled: !clips.length, data: { act: "create" } }, l.create, icon("next"));
    create.onclick = () => this.out.send("create", null);
    this.actions.replaceChildren(...this.history.buttons(), clear, create);
    focusAgain(this.host, focused);
  }

  clip(clip) {
    const image = h("img", { src: clip.thumbnail || null, alt: "", draggable: "false" });
    image.onerror = () => {
      if (this.failed !== clip.thumbnail) { this.failed = clip.thumbnail; this.out.send("renew", null, true); }
    };
    const open = h("button", { class: "open", type: "button", "aria-label": clip.label, title: clip.label,
      disabled: Boolean(clip.unavailable), data: { act: `open ${clip.id}` } },
    clip.unavailable ? icon("gone") : image, h("span", { class: "badge" }, clip.duration));
    open.onclick = () => this.out.send("open", clip.scene, true);
    const remove = h("button", { class: "remove", type: "button", "aria-label": clip.remove_label, title: clip.remove_label,
      data: { act: `remove ${clip.id}` } }, icon("close"));
    remove.onclick = (event) => this.remove(clip.id, !event.detail);
    return h("div", { class: clip.unavailable ? "clip unavailable" : "clip", role: "listitem", data: { scene: clip.id } }, open, remove);
  }

  // `byKey`: the button was pressed by a key, and the focus goes to the next one.
  remove(id, byKey) {
    const at = this.clips.findIndex((clip) => clip.id === id);
    this.out.send("remove", { ids: [id] });
    this.paint();
    const next = this.clips[Math.min(at, this.clips.length - 1)];
    if (byKey && next) focusAgain(this.host, `remove ${next.id}`);
  }

  destroy() {
    this.history.close();
  }
}

export default function (component) {
  return mount(component, Tray);
}
