// The right end of the header: the models in use and the languages.

class Topbar extends Redrawn {
  draw(data) {
    const profile = h("button", { class: "profile", type: "button" }, data.profile);
    profile.onclick = () => this.out.send("models", null, true);
    this.host.replaceChildren(h("div", { class: "bar" },
      data.profile ? profile : "",
      h("span", { class: "languages", role: "group", "aria-label": data.label },
        data.languages.map((language) => {
          const button = h("button", {
            type: "button", lang: language.code, "aria-pressed": String(language.on), class: "language",
          }, language.name);
          button.onclick = () => this.out.send("language", language.code, true);
          return button;
        }))));
  }
}

export default function (component) {
  return mount(component, Topbar);
}
