// The page that asks to sign in: a button for each provider, and what was wrong with the last attempt.

const WANTED = "heimdex-wanted"; // ui/server/index.js opens it after the sign-in
const SIGNING_OUT = "heimdex-signing-out"; // set by the bar: which document the sign-out was asked for in
const SIGNED_OUT = "heimdex-signed-out"; // other tabs of this browser reload when it changes

class SignIn extends Redrawn {
  constructor(host, out) {
    super(host, out);
    try {
      const asked = sessionStorage.getItem(SIGNING_OUT);
      // In that document this page may be drawn before the cookie has gone: a tab that reloads then stays signed in.
      if (asked && asked !== String(performance.timeOrigin)) {
        sessionStorage.removeItem(SIGNING_OUT);
        localStorage.setItem(SIGNED_OUT, String(Date.now()));
      }
    } catch {
      // no storage: other tabs notice when they are loaded again
    }
  }

  draw(data) {
    document.documentElement.lang = data.language;
    const { problem } = data;
    this.host.replaceChildren(h("main", { class: "sign-in", "aria-labelledby": "hx-sign-in-title" },
      h("div", { class: "brand" }, logo(), "Heimdex"),
      h("h1", { id: "hx-sign-in-title" }, data.title),
      problem ? h("div", { class: "problem", role: "alert" },
        h("strong", null, problem.title), problem.who ? h("span", { class: "who" }, problem.who) : "", h("span", null, problem.hint)) : "",
      data.text ? h("p", null, data.text) : "",
      data.providers.map(([name, text]) => this.button(text, () => {
        try { sessionStorage.setItem(WANTED, location.pathname + (problem ? "" : location.search)); } catch { /* the first page then */ }
        this.out.send("sign_in", name, true);
      })),
      data.leave ? this.button(data.leave, () => this.out.send("leave", null, true)) : "",
      h("div", { class: "languages", role: "group", "aria-label": data.labels.language }, data.languages.map((one) => {
        const choice = h("button", { type: "button", lang: one.code, class: "language", "aria-pressed": String(one.code === data.language) }, one.name);
        choice.onclick = () => this.out.send("language", one.code, true);
        return choice;
      }))));
  }

  button(text, act) {
    const made = h("button", { type: "button", class: "btn primary" }, text);
    made.onclick = act;
    return made;
  }
}

function logo() {
  return h("svg", { viewBox: "0 0 16 16", width: 20, height: 20, "aria-hidden": "true", class: "logo" },
    h("rect", { x: 1, y: 1.5, width: 14, height: 13, rx: 2.5, fill: "none", stroke: "currentColor", "stroke-width": 1.5 }),
    h("rect", { x: 1, y: 1.5, width: 7, height: 13, rx: 2, fill: "currentColor" }));
}

export default function (component) {
  return mount(component, SignIn);
}
