// The bar of the page, and a query set: its name, guidelines and queries.

function head({ sets: choices, views, labels }) {
  const select = h("select", { class: "field", "aria-label": labels.set, data: { act: "set" } },
    choices.map((set) => h("option", { value: set.href, selected: set.current }, set.text)));
  select.onchange = () => go(select.value);
  return [h("div", { class: "head" },
    choices.length ? h("label", { class: "row" }, h("span", { class: "muted" }, labels.set), select) : null,
    h("nav", { class: "views", "aria-label": labels.views }, views.map((view) =>
      linkTo(view.href, view.text, { class: "view", "aria-current": view.current ? "page" : null, data: { act: view.name } }))))];
}

// A field with a button that sends what was entered.
function entry(out, name, { label, action, value = "", max, act = name, long = false }) {
  const field = h(long ? "textarea" : "input", { class: "field", maxlength: max, "aria-label": label, placeholder: label, rows: long ? 5 : null, data: { act: `${act}-field` } });
  field.value = value;
  const form = h("form", { class: long ? "entry long" : "entry" }, field, h("button", { class: "btn", type: "submit", data: { act } }, action));
  form.onsubmit = (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (!text && !long) return;
    out.send(name, { text });
    if (!value) field.value = "";
  };
  return form;
}

function sets({ heading, create, rename, guidelines, files, remove, labels }, out) {
  return [
    h("h2", { class: "caps" }, heading),
    guidelines ? h("section", null, h("h3", { class: "caps" }, labels.guidelines), h("p", { class: "muted" }, labels.guidelines_hint), entry(out, "guidelines", { ...guidelines, long: true })) : null,
    rename ? h("section", null, h("h3", { class: "caps" }, labels.rename), entry(out, "rename", rename)) : null,
    h("section", null, h("h3", { class: "caps" }, labels.create), entry(out, "create", create)),
    files ? h("section", null, h("h3", { class: "caps" }, labels.import), h("p", { class: "muted" }, labels.import_hint), opensFile(out, "import", labels.import_action, files)) : null,
    remove ? h("section", null, sends(out, "remove_set", null, remove.text, { kind: "btn quiet" })) : null,
  ];
}

function queries({ heading, rows, add, columns, empty, labels }, out) {
  return [
    h("div", { class: "spread" }, h("h2", { class: "title" }, heading)),
    add ? entry(out, "add_query", add) : null,
    rows.length ? h("div", { class: "scrolls", tabindex: 0, role: "region", "aria-label": heading }, h("table", null,
      h("thead", null, h("tr", null, columns.map((column, at) => h("th", { scope: "col", class: at ? "number" : "" }, column)), h("th", null, h("span", { class: "hx-vh" }, labels.actions)))),
      h("tbody", null, rows.map((row) => h("tr", { data: { query: row.text } },
        h("th", { scope: "row" }, linkTo(row.href, row.text, { class: "plain", title: labels.search })),
        row.values.map((value) => h("td", { class: "number" }, value)),
        h("td", { class: "actions" },
          linkTo(row.judge, labels.judge, { class: "btn small", "aria-label": row.judge_label }),
          row.fixed ? null : sends(out, "remove_query", row.text, icon("close"), { kind: "btn quiet small", "aria-label": row.remove_label, title: row.remove_label, act: `remove-${row.text}` }))))))) :
      h("p", { class: "muted none" }, empty),
  ];
}

// Links, each with a line about it; the ones that are removable have a button for that.
function list({ heading, rows }, out) {
  return [h("h2", { class: "caps" }, heading), h("ul", { class: "list" }, rows.map((row) => h("li", null,
    linkTo(row.href, [h("span", null, row.text), h("span", { class: "muted" }, row.about)], { class: "item", "aria-current": row.current ? "true" : null, data: { act: row.id } }),
    row.removable ? sends(out, "delete", row.id, icon("close"), { kind: "btn quiet small", "aria-label": row.remove_label, title: row.remove_label, act: `remove-${row.id}` }) : null)))];
}

// What to do first, where there is nothing yet: [{text, done}] and a link.
function steps({ title, text, list, link, more }) {
  return [h("div", { class: "start" }, h("h2", null, title), h("p", { class: "muted" }, text),
    list.length ? h("ol", null, list.map((step) => h("li", { class: step.done ? "done" : "" }, step.done ? icon("check") : null, step.text))) : null,
    link ? linkTo(link.href, link.text, { class: "btn primary" }) : null, " ",
    more ? linkTo(more.href, more.text, { class: "btn" }) : null)];
}
