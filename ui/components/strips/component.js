// Rows of scenes as pictures that lead to their pages. Keys: n and p go to the next and the previous scene, a adds the
// scene of the page to the tray.

class Strips extends Redrawn {
  constructor(host, out) {
    super(host, out);
    this.onKey = (event) => this.press(event);
    document.addEventListener("keydown", this.onKey);
    this.hidden = new Set();  // sections whose boxes are not shown
  }

  // shows the boxes of a section, or not
  toggle(section) {
    const button = h("button", { class: "pill", type: "button", "aria-pressed": String(!this.hidden.has(section.name)), data: { act: `boxes ${section.name}` } }, section.toggle);
    button.onclick = () => {
      if (!this.hidden.delete(section.name)) this.hidden.add(section.name);
      button.setAttribute("aria-pressed", String(!this.hidden.has(section.name)));
      button.closest("section").classList.toggle("plain", this.hidden.has(section.name));
    };
    return button;
  }

  draw(data) {
    this.data = data;
    const focused = focusedIn(this.host);
    this.host.replaceChildren(...data.sections.map((section) => h("section", { class: this.hidden.has(section.name) ? `${section.name} plain` : section.name },
      h("div", { class: "spread" }, h("h2", { class: "caps" }, section.heading), section.more ? h("a", { class: "more", href: section.more.href, onclick: follow }, section.more.text) : "", section.toggle ? this.toggle(section) : ""),
      section.items.length
        ? h("ul", null, ...section.items.map((item) => h("li", null, this.item(item))))
        : h("p", { class: "muted" }, section.empty))));
    focusAgain(this.host, focused);
  }

  item(item) {
    if (item.boxes) return this.read(item);
    return h("a", { class: item.current ? "item current" : "item", href: item.href, onclick: follow, "aria-label": item.label, "aria-current": item.current ? "true" : null, data: { act: item.href } },
      h("div", { class: "picture" }, item.image ? h("img", { src: item.image, alt: "", loading: "lazy" }) : "", h("span", { class: "badge" }, item.time)),
      h("div", { class: "title" }, item.title), item.text ? h("div", { class: "said muted" }, item.text) : "");
  }

  // a picture with text in it, a frame around each line, and the lines
  read(item) {
    const percent = (share) => `${100 * share}%`;
    return h("figure", { class: "read", "aria-label": item.label },
      h("div", { class: "picture" }, item.image ? h("img", { src: item.image, alt: "", loading: "lazy" }) : "",
        ...item.boxes.map(([x, y, width, height, text]) => {
          const box = h("span", { class: "box", title: text, "aria-hidden": "true" });
          Object.assign(box.style, { left: percent(x), top: percent(y), width: percent(width), height: percent(height) });
          return box;
        }),
        h("span", { class: "badge" }, item.time)),
      h("figcaption", null, ...item.boxes.map((box) => h("div", null, box[4]))));
  }

  press(event) {
    if (isTyping(event) || event.defaultPrevented || !this.data) return;
    const key = keyOf(event);
    const href = { n: this.data.next, p: this.data.previous }[key];
    if (key === "a") {
      event.preventDefault();
      this.out.send("pick", { id: this.data.id, picked: !this.data.picked }, true);
    } else if (href) {
      event.preventDefault();
      go(href);
    }
  }

  destroy() {
    document.removeEventListener("keydown", this.onKey);
  }
}

export default function (component) {
  return mount(component, Strips);
}
