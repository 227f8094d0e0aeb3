// The language and the theme. The theme belongs to the browser and is kept there: ui/server/index.js gives it to
// Streamlit when a page is loaded.

const THEME = "heimdex-theme";

class Appearance extends Redrawn {
  draw(data) {
    this.host.replaceChildren(h("div", { class: "choices" },
      this.group("language", data.labels.language, data.languages, data.language, (code) => this.out.send("language", code, true)),
      this.group("theme", data.labels.theme, data.themes, chosenTheme(), setTheme)));
  }

  group(name, legend, choices, chosen, choose) {
    return h("fieldset", null, h("legend", null, legend), h("div", { class: "options" }, choices.map(([value, text, lang]) => {
      const input = h("input", { type: "radio", name, value });
      input.checked = value === chosen;
      input.onchange = () => choose(value);
      return h("label", { class: "option", lang }, input, h("span", null, text));
    })));
  }
}

function chosenTheme() {
  try {
    return localStorage.getItem(THEME) || "System";
  } catch {
    return "System";
  }
}

function setTheme(theme) {
  if (theme === "System") localStorage.removeItem(THEME);
  else localStorage.setItem(THEME, theme);
  location.reload();
}

export default function (component) {
  return mount(component, Appearance);
}
