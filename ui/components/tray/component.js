// The bar at the bottom with the clips of the reel.

class Tray {
  constructor(host, out) {
    this.host = host;
    this.out = out;
    this.head = h("div", { class: "head" });
    this.strip = h("div", { class: "strip", role: "list" });
    this.actions = h("div", { class: "actions" });
    this.tray = h("div", { class: "tray" }, this.head, this.strip, this.actions);
    host.append(this.tray);
  }

  update(data) {
    const key = JSON.stringify(data.clips.map((clip) => ({ ...clip, thumbnail: null })).concat([data.labels]));
    this.data = data;
    if (key === this.key) return;
    this.key = key;
    const l = data.labels;
    this.tray.classList.toggle("empty", !data.clips.length);
    this.head.replaceChildren(
      h("div", { class: "name" }, l.heading),
      h("div", { class: "muted" }, l.total));
    this.strip.replaceChildren(...data.clips.map((clip) => this.clip(clip)));
    if (!data.clips.length) this.strip.replaceChildren(h("div", { class: "muted hint" }, l.hint));
    const clear = h("button", { class: "btn clear", type: "button", disabled: !data.clips.length }, l.clear);
    clear.onclick = () => this.out.send("clear", null);
    const create = h("button", { class: "btn primary create", type: "button", disabled: !data.clips.length }, l.create, icon("next"));
    create.onclick = () => this.out.send("create", null);
    this.actions.replaceChildren(clear, create);
  }

  clip(clip) {
    const image = h("img", { src: clip.thumbnail || null, alt: "", draggable: "false" });
    image.onerror = () => {
      if (this.failed !== clip.thumbnail) { this.failed = clip.thumbnail; this.out.send("renew", null, true); }
    };
    const open = h("button", { class: "open", type: "button", "aria-label": clip.label, title: clip.label },
      image, h("span", { class: "badge" }, clip.duration));
    open.onclick = () => this.out.send("open", clip.id, true);
    const remove = h("button", { class: "remove", type: "button", "aria-label": this.data.labels.remove, title: this.data.labels.remove }, icon("close"));
    remove.onclick = () => this.out.send("remove", clip.id);
    return h("div", { class: "clip", role: "listitem", data: { scene: clip.id } }, open, remove);
  }
}

export default function (component) {
  return mount(component, Tray);
}
