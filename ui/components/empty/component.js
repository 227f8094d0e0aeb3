// What a page without content says, example queries, and a link to where it goes on.

class Empty extends Redrawn {
  draw(data) {
    this.host.replaceChildren(h("div", { class: "empty" },
      h("h2", { class: "title" }, data.title),
      h("p", { class: "text muted" }, data.text),
      data.examples.length ? h("div", { class: "examples" },
        h("div", { class: "caps" }, data.labels.examples),
        h("div", { class: "pills" }, ...data.examples.map((example) =>
          h("a", { class: "pill", href: example.href, onclick: follow }, example.text)))) : "",
      ...(data.groups || []).map((group) => h("div", { class: "examples" },
        h("div", { class: "caps" }, group.label),
        h("div", { class: "pills" }, ...group.links.map((one) => h("a", { class: "pill", href: one.href, onclick: follow }, one.text))))),
      data.link ? h("a", { class: "btn primary", href: data.link.href, onclick: follow }, data.link.text) : ""));
  }
}

export default function (component) {
  return mount(component, Empty);
}
