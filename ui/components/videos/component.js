// The rows of the library: thumbnail, name, file facts, state or progress, and buttons.

class Videos {
  constructor(host, out) {
    this.host = host;
    this.out = out;
    this.rows = new Map();
    this.undo = h("div", { class: "undo", role: "status", hidden: true });
    this.list = h("div", { class: "list", role: "list" });
    host.append(this.undo, this.list);
  }

  update(data) {
    this.data = data;
    this.paintUndo();
    const wanted = new Set(data.rows.map((row) => row.id));
    for (const [id, row] of this.rows) if (!wanted.has(id)) { row.el.remove(); this.rows.delete(id); }
    data.rows.forEach((values, at) => {
      let row = this.rows.get(values.id);
      if (!row) { row = this.make(values.id); this.rows.set(values.id, row); }
      this.fill(row, values);
      if (this.list.children[at] !== row.el) this.list.insertBefore(row.el, this.list.children[at] || null);
    });
  }

  paintUndo() {
    const { undo } = this.data;
    this.undo.hidden = !undo;
    if (!undo) return;
    const button = h("button", { class: "btn", type: "button", data: { act: "undo" } }, undo.action);
    button.onclick = () => this.out.send("undo", undo.id);
    this.undo.replaceChildren(h("span", null, undo.text), button);
  }

  make(id) {
    const row = { id };
    row.image = h("img", { alt: "", draggable: "false", hidden: true });
    row.image.onerror = () => {
      row.image.hidden = true;
      if (row.failed !== row.src) { row.failed = row.src; this.out.send("renew", null, true); }
    };
    row.image.onload = () => { row.image.hidden = false; };
    row.thumbnail = h("button", { class: "thumbnail", type: "button" }, row.image);
    row.thumbnail.onclick = () => this.out.send("open", id);
    row.name = h("div", { class: "name" });
    row.meta = h("div", { class: "meta" });
    row.pill = h("span", { class: "state" });
    row.text = h("span", { class: "text" });
    row.sub = h("div", { class: "sub" });
    row.fill = h("span", { class: "fill" });
    row.rail = h("div", { class: "rail", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 }, row.fill);
    row.actions = h("div", { class: "actions" });
    row.el = h("article", { class: "video", role: "listitem", data: { video: id } }, row.thumbnail,
      h("div", { class: "info" }, row.name, row.meta),
      h("div", { class: "status" }, h("div", null, row.pill, row.text), row.sub, row.rail),
      row.actions);
    return row;
  }

  fill(row, values) {
    if (row.src !== values.thumbnail) {
      row.src = values.thumbnail;
      if (values.thumbnail) row.image.src = values.thumbnail; else row.image.hidden = true;
    }
    const key = JSON.stringify({ ...values, thumbnail: null });
    if (row.key === key) return;
    row.key = key;
    row.el.dataset.state = values.state;
    row.name.textContent = values.name;
    row.meta.textContent = values.meta;
    row.thumbnail.disabled = !values.openable;
    row.thumbnail.setAttribute("aria-label", values.open_label);
    row.pill.textContent = values.pill || "";
    row.pill.hidden = !values.pill;
    row.text.replaceChildren(values.strong ? h("span", { class: "strong" }, values.strong) : "", values.text || "");
    row.sub.textContent = values.sub || "";
    row.sub.hidden = !values.sub;
    row.rail.hidden = values.fraction === null;
    if (values.fraction !== null) {
      row.fill.style.width = `${clamp(values.fraction, 0, 1) * 100}%`;
      row.rail.setAttribute("aria-valuenow", String(Math.round(values.fraction * 100)));
    }
    row.actions.replaceChildren(...values.actions.map((action) => {
      const button = h("button", { class: action.quiet ? "btn quiet" : "btn", type: "button", data: { act: action.name }, title: action.label,
        "aria-label": action.label }, action.quiet ? icon("close") : action.label);
      button.onclick = () => this.out.send(action.name, row.id);
      return button;
    }));
  }
}

export default function (component) {
  return mount(component, Videos);
}
