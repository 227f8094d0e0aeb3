// People as cards, the faces of one of them, and groups of faces that nobody has named.

class People extends Redrawn {
  constructor(host, out) {
    super(host, out);
    this.chosen = new Set();
  }

  draw(data) {
    this.data = data;
    const l = data.labels;
    if (this.shownId !== (data.shown && data.shown.id)) this.chosen.clear();
    this.shownId = data.shown && data.shown.id;
    const focused = focusedIn(this.host);
    this.host.replaceChildren(
      h("section", null, h("h2", { class: "caps" }, l.named),
        data.people.length ? h("ul", { class: "people" }, ...data.people.map((one) => this.person(one, l))) : h("p", { class: "muted" }, l.none_named)),
      data.shown ? this.faces(data.shown, l) : "",
      h("section", null, h("h2", { class: "caps" }, l.unnamed),
        data.clusters.length ? h("ul", { class: "clusters" }, ...data.clusters.map((one) => this.cluster(one, l))) : h("p", { class: "muted" }, l.none_unnamed)),
      h("datalist", { id: "hx-people-names" }, ...data.people.map((one) => h("option", { value: one.name }))));
    focusAgain(this.host, focused);
  }

  person(one, l) {
    const name = h("b", null, one.name);
    const show = this.button(l.show, `show ${one.id}`, () => this.out.send("show", this.shownId === one.id ? null : one.id, true));
    show.setAttribute("aria-expanded", String(this.shownId === one.id));
    const more = h("div", { class: "more" });
    const rename = this.button(l.rename, `rename ${one.id}`, () => this.ask(more, l, one.name, l.save, (text) => this.out.send("rename", { id: one.id, name: text })));
    const others = this.data.people.filter((other) => other.id !== one.id);
    const merge = this.button(l.merge, `merge ${one.id}`, () => this.chooseOther(more, l, one, others));
    const remove = this.button(l.remove, `remove ${one.id}`, () => this.confirm(more, l, fillText(l.confirm_remove, { name: one.name }), l.remove, () => this.out.send("remove", one.id)));
    return h("li", { class: this.shownId === one.id ? "person on" : "person" },
      h("div", { class: "face" }, one.image ? h("img", { src: one.image, alt: "", loading: "lazy" }) : h("span", { "aria-hidden": "true" }, [...one.name][0].toUpperCase())),
      h("div", { class: "about" }, name, h("div", { class: "muted" }, one.counts),
        h("div", { class: "acts" }, h("a", { class: "link", href: one.href, onclick: follow }, l.search), show, rename, others.length ? merge : "", remove), more));
  }

  faces(shown, l) {
    const act = () => {
      const chosen = shown.faces.filter((face) => this.chosen.has(face.id));
      acts.querySelectorAll("button").forEach((button) => { button.disabled = !chosen.length || (button === remove && !chosen.every((face) => face.removable)); });
    };
    const more = h("div", { class: "more" });
    const ids = () => [...this.chosen];
    const remove = this.button(l.remove_faces, "remove_faces", () => this.confirm(more, l, l.confirm_remove_faces, l.remove_faces, () => this.out.send("remove_faces", { faces: ids() })));
    const acts = h("div", { class: "acts" }, h("span", { class: "muted" }, l.choose),
      this.button(l.not_person, "refuse", () => this.out.send("refuse", { id: shown.id, faces: ids() })),
      this.button(l.split, "split", () => this.ask(more, l, "", l.split, (text) => this.out.send("split", { id: shown.id, faces: ids(), name: text }))),
      shown.faces.some((face) => face.removable) ? remove : "");
    const grid = h("ul", { class: "faces" }, ...shown.faces.map((face) => {
      const button = h("button", { type: "button", class: "pick", "aria-pressed": String(this.chosen.has(face.id)), "aria-label": face.text, data: { act: `pick ${face.id}` } },
        h("img", { src: face.image, alt: "", loading: "lazy" }), h("span", { class: face.by_hand ? "" : "mono" }, face.text));
      button.onclick = () => {
        if (!this.chosen.delete(face.id)) this.chosen.add(face.id);
        button.setAttribute("aria-pressed", String(this.chosen.has(face.id)));
        act();
      };
      return h("li", null, button);
    }));
    const section = h("section", null, h("div", { class: "spread" }, h("h2", { class: "caps" }, shown.heading), this.button(l.close, "close", () => this.out.send("show", null, true))), acts, more, grid);
    act();
    return section;
  }

  cluster(one, l) {
    const more = h("div", { class: "more" });
    const name = this.button(l.name, `name ${one.id}`, () => this.ask(more, l, "", l.save, (text) => this.out.send("name", { id: one.id, name: text })));
    const remove = this.button(l.remove_faces, `remove ${one.id}`, () => this.confirm(more, l, l.confirm_remove_faces, l.remove_faces, () => this.out.send("remove_faces", { faces: one.faces })));
    return h("li", null, h("div", { class: "images" }, ...one.images.map((image) => h("img", { src: image, alt: "", loading: "lazy" }))),
      h("div", { class: "muted" }, one.counts), h("div", { class: "acts" }, name, one.removable ? remove : ""), more);
  }

  button(text, act, onclick) {
    return h("button", { type: "button", class: "link", data: { act }, onclick }, text);
  }

  // a field for a name
  ask(place, l, value, label, done) {
    const input = h("input", { type: "text", value, maxlength: 100, list: "hx-people-names", "aria-label": l.name_short, placeholder: l.name_short });
    const form = h("form", { class: "row" }, input, h("button", { class: "btn primary", type: "submit" }, label), this.cancel(place, l));
    form.onsubmit = (event) => {
      event.preventDefault();
      if (input.value.trim()) done(input.value.trim());
    };
    place.replaceChildren(form);
    input.focus();
  }

  chooseOther(place, l, one, others) {
    const select = h("select", { "aria-label": l.merge }, ...others.map((other) => h("option", { value: other.id }, other.name)));
    const sure = h("button", { class: "btn primary", type: "button" }, l.merge);
    sure.onclick = () => this.out.send("merge", { id: one.id, other: select.value });
    place.replaceChildren(h("p", null, fillText(l.confirm_merge, { name: one.name })), h("div", { class: "row" }, select, sure, this.cancel(place, l)));
    select.focus();
  }

  confirm(place, l, text, label, done) {
    const sure = h("button", { class: "btn danger", type: "button", onclick: done }, label);
    place.replaceChildren(h("p", null, text), h("div", { class: "row" }, sure, this.cancel(place, l)));
    sure.focus();
  }

  cancel(place, l) {
    return h("button", { class: "btn", type: "button", onclick: () => place.replaceChildren() }, l.cancel);
  }
}

export default function (component) {
  return mount(component, People);
}
