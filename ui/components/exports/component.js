// The render button, the progress or the error of the current export, and earlier exports.

class Exports extends Redrawn {
  constructor(host, out) {
    super(host, out);
    this.current = h("div", { class: "current" });
    this.history = h("section", { class: "history" });
    host.append(this.current, this.history);
  }

  draw(data) {
    this.data = data;
    const button = (action) => {
      const b = h("button", { class: action.primary ? "btn primary" : "btn", type: "button", disabled: action.disabled, data: { act: action.name } }, action.label);
      b.onclick = () => this.out.send(action.name, action.value === undefined ? null : action.value);
      return b;
    };
    this.current.replaceChildren(
      data.progress ? h("div", { class: "card" }, h("div", null, h("span", { class: "strong" }, data.progress.title), h("span", { class: "muted" }, data.progress.text)),
        h("div", { class: "rail", role: "progressbar", "aria-valuenow": Math.round(data.progress.fraction * 100), "aria-valuemin": 0, "aria-valuemax": 100 },
          h("span", { class: "fill", style: { width: `${clamp(data.progress.fraction, 0, 1) * 100}%` } }))) : "",
      data.error ? h("div", { class: "card failed", role: "alert" }, h("div", { class: "problem" }, data.error.message), h("div", { class: "muted" }, data.error.hint)) : "",
      data.notice ? h("div", { class: "muted notice" }, data.notice) : "",
      h("div", { class: "row" }, data.actions.map(button)));
    this.history.replaceChildren(
      data.history.length ? h("div", { class: "caps" }, data.labels.history) : "",
      ...data.history.map((item) => h("div", { class: item.shown ? "item shown" : "item", data: { export: item.id, state: item.state } },
        h("div", { class: "info" }, h("div", { class: "name" }, item.title), h("div", { class: "muted" }, item.meta),
          item.note ? h("div", { class: "muted" }, item.note) : ""),
        item.skip ? button({ name: "skip", label: item.skip, value: item.id }) : "",
        item.watch ? button({ name: "watch", label: item.watch, value: item.id }) : "",
        item.keep ? button(item.keep) : "",
        item.url ? h("a", { class: "btn", href: item.url, download: item.filename }, item.download) : "")));
  }
}

export default function (component) {
  return mount(component, Exports);
}
