// Videos whose file is missing or has changed, and a button that looks for the files, with a field for where.

class Relink {
  constructor(host, out) {
    this.host = host;
    this.out = out;
  }

  update(data) {
    // with `ack`: the button is disabled until what it started is acknowledged
    const key = JSON.stringify(data);
    if (key === this.key) return;
    this.key = key;
    this.draw(data);
  }

  draw(data) {
    if (!data.problems.length) { this.host.replaceChildren(); return; }
    const { labels } = data;
    const focused = focusedIn(this.host);
    const place = data.takes_path
      ? h("input", { class: "place", type: "text", value: typedFor(data.ids), placeholder: labels.where_hint, data: { act: "where" }, spellcheck: "false", autocomplete: "off" })
      : null;
    if (place) place.oninput = () => data.ids.forEach((id) => Relink.typed.set(id, place.value));
    const find = h("button", { class: "btn primary", type: "submit", data: { act: "find" } }, labels.find);
    const form = h("form", null, place ? h("label", null, labels.where, place) : "", find);
    form.onsubmit = (event) => {
      event.preventDefault();
      find.disabled = true;
      this.out.send("find", { ids: data.ids, path: place ? place.value.trim() : "" }, true);
    };
    this.host.replaceChildren(h("section", { class: "relink", "aria-live": "polite", "aria-label": labels.find },
      h("div", { class: "info" },
        data.problems.map((text) => h("div", { class: "said" }, text)),
        h("div", { class: "muted" }, labels.hint),
        data.notes.map((text) => h("div", { class: "note", role: "status" }, text))),
      form));
    focusAgain(this.host, focused);
  }
}

// What was typed, by video: a card with an error takes the place of the whole page, and of this panel.
Relink.typed = new Map();

function typedFor(ids) {
  return ids.map((id) => Relink.typed.get(id)).find((text) => text !== undefined) || "";
}

export default function (component) {
  return mount(component, Relink);
}
