// The list of the library: search, order and filters, the rows with their states, what can be done with several of them,
// and deleted videos.

ICONS.share = ["M14 8a3 3 0 10-6 0 3 3 0 006 0M4.5 19.5c.7-4 3.2-6 6.5-6 1.4 0 2.6.3 3.6 1M18.5 14v6M15.5 17h6"];
ICONS.leave = ["M10 4.5H5.5v15H10M9.5 12h10M15.5 7.5L20 12l-4.5 4.5"];
ICONS.edit = ["M5 19l1-4L16.5 4.5l3 3L9 18z"];
const TYPING_PAUSE_MS = 250;

class Videos {
  constructor(host, out) {
    this.host = host;
    this.out = out;
    this.rows = new Map();
    this.chosen = new Set();
    this.undo = h("div", { class: "undo", role: "status", hidden: true });
    this.makeTools();
    this.bulk = h("div", { class: "bulk", role: "group", hidden: true });
    this.queue = h("div", { class: "queue muted", hidden: true });
    this.list = h("div", { class: "list", role: "list" });
    this.empty = h("div", { class: "none", hidden: true });
    this.more = h("button", { class: "btn more", type: "button", hidden: true });
    this.more.onclick = () => this.out.send("more", null, true);
    this.deleted = h("details", { class: "deleted", hidden: true });
    host.append(this.undo, this.tools, this.bulk, this.queue, this.list, this.empty, this.more, this.deleted);
  }

  makeTools() {
    this.all = h("input", { type: "checkbox" });
    this.all.onchange = () => { for (const id of this.shownIds()) if (this.all.checked) this.chosen.add(id); else this.chosen.delete(id); this.paintChosen(); };
    this.search = h("input", { type: "search", class: "field" });
    this.search.oninput = () => { clearTimeout(this.typing); this.typing = setTimeout(() => this.sendView({ query: this.search.value }), TYPING_PAUSE_MS); };
    this.search.onkeydown = (event) => { if (event.key === "Enter") { clearTimeout(this.typing); this.sendView({ query: this.search.value }); } };
    this.sort = h("select", { class: "field" });
    this.sort.onchange = () => this.sendView({ sort: this.sort.value });
    this.filters = h("div", { class: "filters", role: "group" });
    this.tools = h("div", { class: "tools", hidden: true }, this.all, this.search, this.sort, this.filters);
  }

  update(data) {
    this.data = data;
    this.paintUndo();
    this.paintTools();
    this.paintRows();
    this.paintChosen();
    this.paintDeleted();
    this.queue.hidden = !data.queue;
    this.queue.textContent = data.queue;
    this.more.hidden = !data.more;
    this.more.textContent = data.more || "";
  }

  // --- search, order and filters ---

  get view() {
    return Object.assign({}, this.data.view, ...this.out.waiting("view"));
  }

  sendView(change) {
    this.out.send("view", { ...this.view, ...change }, true);
    this.paintTools();
  }

  paintTools() {
    const { data, view } = this;
    const l = data.labels;
    this.tools.hidden = !data.total;
    this.all.setAttribute("aria-label", l.choose_all);
    this.search.setAttribute("aria-label", l.search);
    this.search.placeholder = l.search;
    if (this.host.getRootNode().activeElement !== this.search && !this.typingIsOpen()) this.search.value = view.query;
    const key = JSON.stringify([data.sorts, data.filters, view.sort, view.show, l.sort, l.filter]);
    if (this.toolsKey === key) return;
    this.toolsKey = key;
    this.sort.setAttribute("aria-label", l.sort);
    this.sort.replaceChildren(...data.sorts.map(({ name, label }) => h("option", { value: name, selected: name === view.sort }, label)));
    this.filters.setAttribute("aria-label", l.filter);
    const focused = focusedIn(this.host);
    this.filters.replaceChildren(...data.filters.map(({ name, label }) => {
      const button = h("button", { class: "pill", type: "button", "aria-pressed": String(name === view.show), data: { act: `show-${name}` } }, label);
      button.onclick = () => this.sendView({ show: name });
      return button;
    }));
    focusAgain(this.host, focused);
  }

  typingIsOpen() {
    return this.out.waiting("view").some((value) => value.query === this.search.value);
  }

  // --- rows ---

  // Of deleted videos only the server's answer brings the rows back.
  get gone() {
    const bulk = this.out.waiting("bulk").filter((value) => value.action === "delete").flatMap((value) => value.ids);
    return new Set([...this.out.waiting("delete"), ...bulk]);
  }

  paintRows() {
    const { data, gone } = this;
    const shown = data.rows.filter((row) => !gone.has(row.id));
    const wanted = new Set(shown.map((row) => row.id));
    for (const [id, row] of this.rows) if (!wanted.has(id)) { row.el.remove(); this.rows.delete(id); this.chosen.delete(id); }
    shown.forEach((values, at) => {
      let row = this.rows.get(values.id);
      if (!row) { row = this.make(values.id); this.rows.set(values.id, row); }
      this.fill(row, values);
      if (this.list.children[at] !== row.el) this.list.insertBefore(row.el, this.list.children[at] || null);
    });
    this.empty.hidden = shown.length > 0 || !data.total;
    if (this.empty.hidden) return;
    const all = h("button", { class: "btn", type: "button" }, data.labels.show_all);
    all.onclick = () => { this.search.value = ""; this.sendView({ query: "", show: "all" }); };
    this.empty.replaceChildren(h("p", { class: "muted" }, data.labels.none), all);
  }

  make(id) {
    const row = { id };
    row.box = h("input", { type: "checkbox" });
    row.box.onclick = (event) => this.choose(id, row.box.checked, event.shiftKey);
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
    row.info = h("div", { class: "info" }, row.name, row.meta);
    row.pill = h("span", { class: "state" });
    row.text = h("span", { class: "text" });
    row.sub = h("div", { class: "sub" });
    row.fill = h("span", { class: "fill" });
    row.rail = h("div", { class: "rail", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 }, row.fill);
    row.actions = h("div", { class: "actions" });
    row.el = h("article", { class: "video", role: "listitem", data: { video: id } }, row.box, row.thumbnail, row.info,
      h("div", { class: "status" }, h("div", null, row.pill, row.text), row.sub, row.rail),
      row.actions);
    return row;
  }

  fill(row, values) {
    if (row.src !== values.thumbnail) {
      row.src = values.thumbnail;
      if (values.thumbnail) row.image.src = values.thumbnail; else row.image.hidden = true;
    }
    const isPending = this.out.waiting("cancel", "retry").includes(row.id) || this.out.waiting("bulk").some((value) => value.ids.includes(row.id));
    const key = JSON.stringify([{ ...values, thumbnail: null }, isPending]);
    if (row.key === key) return;
    row.key = key;
    row.values = values;
    row.el.dataset.state = values.state;
    row.box.setAttribute("aria-label", fillText(this.data.labels.choose, { title: values.name }));
    if (!row.input) this.paintName(row);
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
      row.rail.setAttribute("aria-label", values.name);
    }
    const actions = JSON.stringify([values.actions, isPending, values.name]);
    if (row.actionsKey === actions) return;
    row.actionsKey = actions;
    const focused = focusedIn(row.actions);
    row.actions.replaceChildren(...values.actions.map((action) => this.button(row, action, isPending)));
    focusAgain(row.actions, focused);
  }

  button(row, action, isPending) {
    const title = `${action.label}: ${row.values.name}`;
    const button = h("button", { class: action.quiet ? "btn quiet" : "btn", type: "button", data: { act: action.name }, title: action.quiet ? action.label : null,
      "aria-label": title, disabled: isPending && action.name !== "open" }, action.quiet ? icon(action.icon) : action.label);
    button.onclick = () => {
      if (action.name === "rename") { this.rename(row); return; }
      this.out.send(action.name, row.id);
      if (action.name === "delete") this.paintRows(); else this.fill(row, row.values);
    };
    return button;
  }

  // --- renaming ---

  paintName(row) {
    const renamed = this.out.waiting("rename").filter((value) => value.id === row.id).pop();
    const name = renamed ? renamed.title : row.values.name;
    if (!row.values.openable) { row.name.replaceChildren(name); return; }
    row.name.replaceChildren(h("a", { href: row.values.href, onclick: follow }, name));
  }

  rename(row) {
    if (row.input) { row.input.focus(); return; }
    row.input = h("input", { type: "text", class: "field", value: row.values.name, maxlength: this.data.max_title, "aria-label": fillText(this.data.labels.rename, { title: row.values.name }) });
    const close = (isSaved) => {
      if (!row.input) return;
      const title = row.input.value.trim();
      row.input = null;
      if (isSaved && title && title !== row.values.name) this.out.send("rename", { id: row.id, title }, (value) => value.id === row.id);
      this.paintName(row);
      const button = row.actions.querySelector('[data-act="rename"]');
      if (button) button.focus();
    };
    row.input.onkeydown = (event) => {
      event.stopPropagation();
      // while Korean is being composed, Enter ends the syllable
      if ((event.key !== "Enter" && event.key !== "Escape") || event.isComposing) return;
      event.preventDefault(); // else the button that gets the focus would be pressed
      close(event.key === "Enter");
    };
    row.input.onblur = () => close(true);
    row.name.replaceChildren(row.input);
    row.input.focus();
    row.input.select();
  }

  // --- several videos ---

  shownIds() {
    return [...this.list.children].map((el) => el.dataset.video);
  }

  choose(id, isChosen, isRange) {
    const ids = this.shownIds();
    const from = isRange && this.lastChosen ? ids.indexOf(this.lastChosen) : ids.indexOf(id);
    const [low, high] = [from, ids.indexOf(id)].sort((a, b) => a - b);
    for (const one of ids.slice(Math.max(low, 0), high + 1)) if (isChosen) this.chosen.add(one); else this.chosen.delete(one);
    this.lastChosen = id;
    this.paintChosen();
  }

  paintChosen() {
    const l = this.data.labels;
    const ids = this.shownIds();
    for (const row of this.rows.values()) {
      row.box.checked = this.chosen.has(row.id);
      row.el.classList.toggle("chosen", row.box.checked);
    }
    const count = ids.filter((id) => this.chosen.has(id)).length;
    this.all.checked = count > 0 && count === ids.length;
    this.all.indeterminate = count > 0 && count < ids.length;
    this.bulk.hidden = !count;
    const able = (action) => ids.filter((id) => this.chosen.has(id) && this.rows.get(id).values.can.includes(action));
    const key = JSON.stringify([count, l.chosen_other, ...this.data.bulk.map(({ name }) => able(name).length)]);
    if (!count || this.bulkKey === key) return;
    this.bulkKey = key;
    this.bulk.setAttribute("aria-label", l.bulk);
    const focused = focusedIn(this.host);
    const clear = h("button", { class: "btn", type: "button", data: { act: "bulk-none" } }, l.choose_none);
    clear.onclick = () => { this.chosen.clear(); this.paintChosen(); };
    this.bulk.replaceChildren(h("span", { class: "count" }, fillText(count === 1 ? l.chosen_one : l.chosen_other, { n: count })),
      ...this.data.bulk.map(({ name, label }) => {
        const some = able(name);
        const text = some.length && some.length < count ? `${label} (${some.length})` : label;
        const button = h("button", { class: "btn", type: "button", disabled: !some.length, data: { act: `bulk-${name}` } }, text);
        button.onclick = () => {
          this.out.send("bulk", { action: name, ids: some });
          this.chosen.clear();
          this.paintRows();
          this.paintChosen();
        };
        return button;
      }), clear);
    focusAgain(this.host, focused);
  }

  // --- deleted videos ---

  paintUndo() {
    const { undo } = this.data;
    const key = JSON.stringify(undo);
    if (this.undoKey === key) return;
    this.undoKey = key;
    this.undo.hidden = !undo;
    if (!undo) return;
    const button = h("button", { class: "btn", type: "button", data: { act: "undo" } }, undo.action);
    button.onclick = () => { button.disabled = true; this.out.send("undo", undo.ids); };
    this.undo.replaceChildren(h("span", null, undo.text), button);
  }

  paintDeleted() {
    const { deleted, labels } = this.data;
    const key = JSON.stringify([deleted, labels.deleted]);
    if (this.deletedKey === key) return;
    this.deletedKey = key;
    this.deleted.hidden = !deleted.length;
    this.deleted.replaceChildren(h("summary", null, labels.deleted), ...deleted.map((one) => {
      const button = h("button", { class: "btn", type: "button", "aria-label": `${labels.restore}: ${one.name}`, data: { act: "restore" } }, labels.restore);
      button.onclick = () => { button.disabled = true; this.out.send("restore", one.id); };
      return h("div", { class: "gone", data: { deleted: one.id } }, h("div", { class: "info" }, h("div", { class: "name" }, one.name), h("div", { class: "muted" }, one.text)), button);
    }));
  }
}

export default function (component) {
  return mount(component, Videos);
}
