// How the reel is rendered: choices, what would be cut out of its sound, the button to render it, and its timelines.

class ReelForm extends Redrawn {
  constructor(host, out) {
    super(host, out);
    this.choices = h("div", { class: "choices" });
    this.pauses = h("div", { class: "pauses" });
    this.end = h("div", { class: "end" });
    host.append(this.choices, this.pauses, this.end);
  }

  update(data) {
    super.update(data);
    this.save(data.download);
  }

  draw(data) {
    const focused = focusedIn(this.host);
    this.choices.replaceChildren(...data.groups.map((group) => this.group(group)));
    this.pauses.replaceChildren(data.pauses ? this.list(data.pauses) : "");
    const button = (action) => {
      const b = h("button", { class: action.primary ? "btn primary" : "btn", type: "button", disabled: action.disabled, data: { act: action.name } }, action.label);
      b.onclick = () => this.out.send(action.name, {}, true);
      return b;
    };
    this.end.replaceChildren(
      data.error ? h("div", { class: "card", role: "alert" }, h("div", { class: "problem" }, data.error.message), h("div", { class: "muted" }, data.error.hint)) : "",
      h("div", { class: "muted notice" }, data.notice), h("div", { class: "row" }, data.actions.map(button)), this.timelines(data.timelines));
    focusAgain(this.host, focused);
  }

  // One of several, as radio buttons that look like pills; or any of several, as boxes.
  group(group) {
    const options = group.options.map((option) => {
      const input = h("input", { type: group.any ? "checkbox" : "radio", name: group.name, value: option.value, checked: option.on, disabled: option.disabled,
        data: { act: `${group.name} ${option.value}` } });
      input.onchange = () => this.out.send("choose", { name: group.any ? option.value : group.name, value: group.any ? input.checked : option.value },
        (earlier) => earlier.name === (group.any ? option.value : group.name));
      return h("label", { class: "pill" }, input, option.label);
    });
    return h("fieldset", null, h("legend", { class: "caps" }, group.label), h("div", { class: "row" }, options));
  }

  list(pauses) {
    const list = h("details", null, h("summary", null, pauses.label), pauses.items.length ? h("div", { class: "muted" }, pauses.hint) : "",
      h("ul", null, pauses.items.map((item) => {
        const box = h("input", { type: "checkbox", checked: !item.kept, data: { act: `pause ${item.id}` } });
        box.onchange = () => this.out.send("pause", { id: item.id, keep: !box.checked }, (earlier) => earlier.id === item.id);
        return h("li", null, h("label", null, box, h("span", { class: "mono" }, item.time), " ", item.text));
      })));
    list.open = Boolean(this.isOpen);
    list.ontoggle = () => { this.isOpen = list.open; };
    return list;
  }

  timelines(timelines) {
    const buttons = timelines.formats.map((format) => {
      const b = h("button", { class: "pill", type: "button", disabled: timelines.disabled, "aria-label": format.title, title: format.title, data: { act: `timeline ${format.name}` } }, format.label);
      b.onclick = () => this.out.send("timeline", { format: format.name }, true);
      return b;
    });
    return h("section", { class: "timelines", "aria-label": timelines.label }, h("div", { class: "caps" }, timelines.label), h("div", { class: "row" }, buttons));
  }

  // Saves the timeline that was asked for, once.
  save(download) {
    if (!download || download.key === this.saved) return;
    const isOld = this.saved === undefined && !this.out.sent;
    this.saved = download.key;
    if (isOld) return;
    const url = URL.createObjectURL(new Blob([download.text], { type: "application/octet-stream" }));
    const link = h("a", { href: url, download: download.name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  }
}

export default function (component) {
  return mount(component, ReelForm);
}
