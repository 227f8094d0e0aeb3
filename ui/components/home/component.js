// Where to begin: three steps, examples to search for, the latest videos.

class Home extends Drawn {
  draw(data) {
    const go = (element, name, value) => { element.onclick = () => this.out.send(name, value, true); return element; };
    this.host.replaceChildren(
      h("header", null, h("h1", null, data.title), h("p", { class: "muted" }, data.intro)),
      h("ol", { class: "steps" }, data.steps.map((step) => h("li", { class: step.now ? "step now" : "step" },
        h("span", { class: "number mono" }, step.number),
        h("div", { class: "words" }, h("h2", null, step.title), h("p", { class: "muted" }, step.text)),
        go(h("button", { class: step.now ? "btn primary" : "btn", type: "button", disabled: step.disabled, data: { step: step.name } }, step.action), "go", step.name)))),
      data.note ? h("p", { class: "note muted" }, data.note.text, " ", go(h("button", { class: "link", type: "button" }, data.note.action), "go", "settings")) : "",
      data.examples.length ? h("section", null, h("div", { class: "caps" }, data.labels.examples),
        h("div", { class: "examples" }, data.examples.map((text) => go(h("button", { class: "pill example", type: "button" }, text), "ask", text)))) : "",
      data.recent.length ? h("section", null, h("div", { class: "caps" }, data.labels.recent),
        h("div", { class: "recent" }, data.recent.map((video) => go(h("button", { class: "video", type: "button", disabled: !video.openable },
          h("span", { class: "picture" }, video.thumb ? h("img", { src: video.thumb, alt: "" }) : ""),
          h("span", { class: "name" }, video.title), h("span", { class: "muted meta" }, video.meta)), "open", video.id)))) : "");
  }
}

export default function (component) {
  return mount(component, Home);
}
