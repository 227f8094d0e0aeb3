// The line above the cards: what was found, or how many cards are chosen; and the switch between grid and list. Its
// height never changes, so that the cards stay where they are.

class GridHead {
  // `act` has the functions view(name), add() and clear().
  constructor(act) {
    this.act = act;
    this.left = h("div", { class: "left" });
    this.views = h("div", { class: "views", role: "group" });
    this.row = h("div", { class: "head" }, this.left, this.views);
  }

  paint(data, view, chosen) {
    if (!data) return;
    const key = JSON.stringify([data.status, data.labels, view, chosen]);
    if (key === this.key) return;
    this.key = key;
    const l = data.labels;
    this.left.replaceChildren(...(chosen ? this.chosen(l, chosen) : this.status(data.status)));
    this.views.setAttribute("aria-label", l.views);
    this.views.replaceChildren(...["grid", "list"].map((name) => {
      const button = h("button", { class: "view", type: "button", "aria-pressed": String(name === view), "aria-label": l[name], title: l[name] }, icon(name));
      button.onclick = () => this.act.view(name);
      return button;
    }));
  }

  chosen(l, count) {
    const add = h("button", { class: "btn", type: "button" }, icon("plus"), l.add, h("span", { class: "key", "aria-hidden": "true" }, "A"));
    add.onclick = this.act.add;
    const clear = h("button", { class: "btn", type: "button" }, l.clear);
    clear.onclick = this.act.clear;
    return [h("b", { role: "status" }, fillText(l.chosen, { n: count })), add, clear];
  }

  status(status) {
    if (!status) return [];
    const found = h("span", { class: status.far ? "hx-status far" : "hx-status", title: status.took, role: "status" },
      ...status.found.map(([text, strong]) => (strong ? h("b", null, text) : text)));
    if (!status.notes) return [found];
    // one line; all of it on demand, over the cards
    const notes = h("button", { class: "notes muted", type: "button", "aria-expanded": "false", title: status.notes }, status.notes);
    notes.onclick = () => {
      const open = notes.getAttribute("aria-expanded") !== "true";
      notes.setAttribute("aria-expanded", String(open));
    };
    return [found, h("div", { class: "notes-place" }, notes)];
  }
}
