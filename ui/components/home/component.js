// Three steps, example searches and recent videos.

class Home extends Redrawn {
  draw(data) {
    const sends = (element, name, value) => { element.onclick = () => this.out.send(name, value, true); return element; };
    this.host.replaceChildren(
      h("header", null, h("h1", null, data.title), h("p", { class: "muted" }, data.intro)),
      h("ol", { class: "steps" }, data.steps.map((step) => h("li", { class: step.current ? "step current" : "step" },
        h("span", { class: "number mono" }, step.number),
        h("div", { class: "words" }, h("h2", null, step.title), h("p", { class: "muted" }, step.text)),
        sends(h("button", { class: step.current ? "btn primary" : "btn", type: "button", disabled: step.disabled, data: { step: step.name } }, step.action), "open_step", step.name)))),
      data.note ? h("p", { class: "note muted" }, data.note.text, " ", sends(h("button", { class: "link", type: "button" }, data.note.action), "open_step", "settings")) : "",
      data.examples.length ? h("section", null, h("div", { class: "caps" }, data.labels.examples),
        h("div", { class: "examples" }, data.examples.map((text) => sends(h("button", { class: "pill example", type: "button" }, text), "search", text)))) : "",
      data.recent.length ? h("section", null, h("div", { class: "caps" }, data.labels.recent),
        h("div", { class: "recent" }, data.recent.map((video) => sends(h("button", { class: "video", type: "button", disabled: !video.openable },
          h("span", { class: "thumbnail" }, video.thumbnail ? h("img", { src: video.thumbnail, alt: "" }) : ""),
          h("span", { class: "name" }, video.title), h("span", { class: "muted meta" }, video.meta)), "open_video", video.id)))) : "");
  }
}

export default function (component) {
  return mount(component, Home);
}
