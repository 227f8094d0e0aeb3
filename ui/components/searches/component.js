// Saved searches, and a table of the last ones: what was asked, what came, how long it took.

class Searches extends Redrawn {
  draw(data) {
    const l = data.labels;
    const focused = focusedIn(this.host);
    this.host.replaceChildren(
      h("section", null, h("h2", { class: "caps" }, l.saved),
        data.saved.length ? h("ul", { class: "saved" }, ...data.saved.map((one) => this.saved(one, l))) : h("p", { class: "muted" }, l.none_saved)),
      h("section", null, h("h2", { class: "caps" }, l.recent),
        data.recent.length ? this.table(data.recent, l) : h("p", { class: "muted" }, l.none_recent)));
    focusAgain(this.host, focused);
  }

  saved(one, l) {
    const remove = h("button", { class: "remove", type: "button", "aria-label": fillText(l.remove, { name: one.name }), title: l.remove_short, data: { act: `remove ${one.name}` } }, icon("close"));
    remove.onclick = () => this.out.send("remove", one.name);
    return h("li", null,
      h("a", { href: one.href, onclick: follow }, h("b", null, one.name), one.text ? h("span", { class: "muted" }, one.text) : ""), remove);
  }

  table(rows, l) {
    const when = new Intl.DateTimeFormat(this.host.closest("[lang]")?.lang || document.documentElement.lang || undefined, { dateStyle: "medium", timeStyle: "short" });
    return h("div", { class: "scroll" }, h("table", null,
      h("thead", null, h("tr", null, ...["when", "asked", "found", "took"].map((name) => h("th", { scope: "col", class: name }, l[name])))),
      h("tbody", null, ...rows.map((row) => h("tr", null,
        h("td", { class: "when muted" }, when.format(new Date(row.at))),
        h("td", { class: "asked" }, row.href ? h("a", { href: row.href, onclick: follow }, row.text || l.no_text) : h("span", null, [row.text, row.kind].filter(Boolean).join(" · ")), row.details ? h("div", { class: "muted" }, row.details) : ""),
        h("td", { class: "found" }, row.found, row.note ? h("div", { class: "muted" }, row.note) : ""),
        h("td", { class: "took mono", title: row.parts }, row.took))))));
  }
}

export default function (component) {
  return mount(component, Searches);
}
