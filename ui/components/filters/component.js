// The order of the results and the filters. Choices show how many scenes they would leave.

const FIELD_TYPES = { text: "text", seconds: "number", day: "date" };

class Filters {
  constructor(host, out) {
    this.host = host;
    this.out = out;
    this.order = h("section", null);
    this.body = h("div", { class: "body" });
    this.summary = h("summary", null);
    this.details = h("details", { class: "filters" }, this.summary, this.body);
    this.details.open = matchMedia("(min-width: 901px)").matches;
    host.append(this.order, this.details);
    this.fields = new Map();
  }

  update(data) {
    this.data = data;
    const shape = JSON.stringify([data.labels, data.fields.map((field) => field.name)]);
    if (shape !== this.shape) { this.shape = shape; this.build(); }
    this.paintOrder();
    this.paintHead();
    for (const field of data.fields) this.paintField(field);
    this.paintGroups();
  }

  set(name, value) {
    this.out.send("set", { name, value }, (earlier) => earlier.name === name);
    this.update(this.data);
  }

  // What the server has not answered yet, else what it has sent.
  current(name, value) {
    const waiting = this.out.waiting("set").filter((change) => change.name === name);
    return waiting.length ? waiting[waiting.length - 1].value : value;
  }

  paintHead() {
    const { count, labels: l } = this.data;
    const clear = h("button", { class: "link", type: "button", hidden: !count, data: { act: "clear" } }, l.clear);
    clear.onclick = (event) => { event.preventDefault(); this.out.send("clear", null, true); };
    const focused = focusedIn(this.summary);
    this.summary.replaceChildren(h("span", { class: "caps" }, l.heading), count ? h("span", { class: "count" }, count) : "", clear);
    focusAgain(this.summary, focused);
  }

  // --- the order --------------------------------------------------------------------------------

  paintOrder() {
    const { sorts, labels: l } = this.data;
    const sort = this.current("sort", this.data.sort);
    const grouped = this.current("grouped", this.data.grouped);
    const key = JSON.stringify([sorts, sort, grouped, l]);
    if (key === this.orderKey) return;
    this.orderKey = key;
    const focused = focusedIn(this.order);
    const pills = sorts.map(([name, label]) => {
      const pill = h("button", { class: "pill", type: "button", "aria-pressed": String(name === sort), data: { act: `sort ${name}` } }, label);
      pill.onclick = () => this.set("sort", name);
      return pill;
    });
    this.order.replaceChildren(
      h("div", { class: "caps" }, l.order),
      h("div", { class: "pills", role: "group", "aria-label": l.order }, ...pills),
      this.box(l.grouped, grouped, (on) => this.set("grouped", on), "grouped"));
    focusAgain(this.order, focused);
  }

  box(label, on, change, act, count) {
    const input = h("input", { type: "checkbox", data: { act } });
    input.checked = on;
    input.onchange = () => change(input.checked);
    return h("label", { class: "check", title: label }, input, h("span", { class: "name" }, label),
      count === undefined ? "" : h("span", { class: "count muted" }, count));
  }

  // --- fields -----------------------------------------------------------------------------------

  build() {
    this.fields.clear();
    this.orderKey = this.groupsKey = null;
    this.groups = h("div", { class: "groups" });
    const rows = [];
    for (const field of this.data.fields) {
      const input = h("input", { type: FIELD_TYPES[field.kind], id: `hx-filter-${field.name}`, min: field.kind === "seconds" ? 0 : null,
        step: field.kind === "seconds" ? "any" : null, maxlength: field.kind === "text" ? 200 : null, autocomplete: "off", data: { act: field.name } });
      input.onchange = () => this.set(field.name, input.value.trim() || null);
      input.onkeydown = (event) => { if (event.key === "Enter" && !event.isComposing) input.blur(); };
      this.fields.set(field.name, input);
      const cell = h("label", { class: `field ${field.kind}` }, h("span", { class: "muted" }, field.label), input);
      // from and to stand beside each other
      if (field.beside && rows.length) rows[rows.length - 1].append(cell); else rows.push(h("div", { class: "fields" }, cell));
    }
    this.body.replaceChildren(this.groups, ...rows);
  }

  paintField(field) {
    const input = this.fields.get(field.name);
    const value = this.current(field.name, field.value);
    if (input.getRootNode().activeElement !== input) input.value = value === null ? "" : value;
  }

  // --- choices ----------------------------------------------------------------------------------

  paintGroups() {
    const groups = this.data.groups.map((group) => {
      const on = new Set(this.current(group.name, group.on));
      return { ...group, choices: group.choices.map((choice) => ({ ...choice, on: on.has(choice.value) })) };
    });
    const key = JSON.stringify([groups, this.data.labels, [...(this.unfolded || [])]]);
    if (key === this.groupsKey) return;
    this.groupsKey = key;
    const focused = focusedIn(this.groups);
    this.groups.replaceChildren(...groups.map((group) => this.group(group)));
    focusAgain(this.groups, focused);
  }

  group(group) {
    const { choices } = group;
    const chosen = choices.filter((choice) => choice.on).map((choice) => choice.value);
    const open = this.unfolded && this.unfolded.has(group.name);
    const shown = open ? choices : choices.filter((choice, at) => at < group.first || choice.on);
    const rows = shown.map((choice) => this.box(choice.label, choice.on, (on) => {
      const kept = group.single ? [] : chosen.filter((value) => value !== choice.value);
      this.set(group.name, on ? [...kept, choice.value] : kept.filter((value) => value !== choice.value));
    }, `${group.name} ${choice.value}`, choice.count));
    const more = h("button", { class: "link", type: "button", data: { act: `more ${group.name}` } }, open ? this.data.labels.fewer : fillText(this.data.labels.more, { n: choices.length - shown.length }));
    more.onclick = () => {
      this.unfolded = this.unfolded || new Set();
      if (open) this.unfolded.delete(group.name); else this.unfolded.add(group.name);
      this.paintGroups();
    };
    return h("div", { class: "group", role: "group", "aria-label": group.label },
      h("div", { class: "muted" }, group.label), ...rows, open || shown.length < choices.length ? more : "");
  }
}

export default function (component) {
  return mount(component, Filters);
}
