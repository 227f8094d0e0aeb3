// The parts of the home page: title and search box; three steps, example searches and recent videos.

class Home extends Redrawn {
  draw(data) {
    const { labels, search, steps = [], examples = [], recent = [], note } = data;
    const sends = (element, name, value) => { element.onclick = () => this.out.send(name, value, true); return element; };
    const link = (props, ...children) => (props.href ? h("a", { ...props, onclick: follow }, ...children) : h("div", props, ...children));
    this.host.classList.toggle("head", Boolean(data.title));
    this.host.replaceChildren(
      data.title ? h("header", null, h("h1", null, data.title), h("p", { class: "muted" }, data.intro)) : "",
      search ? this.searchBox(search) : "",
      steps.length ? h("ol", { class: "steps" }, steps.map((step) => h("li", { class: step.current ? "step current" : "step" },
        h("span", { class: "number mono" }, step.number),
        h("div", { class: "words" }, h("h2", null, step.title), h("p", { class: "muted" }, step.text)),
        sends(h("button", { class: step.current ? "btn primary" : "btn", type: "button", disabled: step.disabled, data: { step: step.name } }, step.action), "open_step", step.name)))) : "",
      note ? h("p", { class: "note muted" }, note.text, " ", sends(h("button", { class: "link", type: "button" }, note.action), "open_step", "settings")) : "",
      examples.length ? h("section", null, h("h2", { class: "caps" }, labels.examples),
        h("div", { class: "examples" }, examples.map((one) => link({ class: "pill example", href: one.href }, one.text)))) : "",
      recent.length ? h("section", null, h("h2", { class: "caps" }, labels.recent),
        h("div", { class: "recent" }, recent.map((video) => link({ class: "video", href: video.href, data: { video: video.id } },
          h("span", { class: "thumbnail" }, video.thumbnail ? h("img", { src: video.thumbnail, alt: "" }) : ""),
          h("span", { class: "name" }, video.title), h("span", { class: "muted meta" }, video.meta))))) : "");
  }

  // What is being typed stays when the data change.
  searchBox(search) {
    const before = this.host.querySelector("input");
    const input = h("input", { type: "search", class: "query", placeholder: search.placeholder, "aria-label": search.label, maxlength: search.max, value: before ? before.value : null });
    const form = h("form", { role: "search" }, input, h("button", { class: "btn primary", type: "submit" }, search.label));
    form.onsubmit = (event) => {
      event.preventDefault();
      const text = input.value.trim();
      if (text) go(`${search.href}?q=${encodeURIComponent(text)}`);
    };
    return form;
  }
}

export default function (component) {
  return mount(component, Home);
}
