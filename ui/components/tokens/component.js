// The tokens of other programs: the list, a form that makes one, and its secret, which is shown this once.

class Tokens extends Redrawn {
  draw(data) {
    const l = data.labels;
    const focused = focusedIn(this.host);
    this.host.replaceChildren(h("section", { class: "panel", "aria-labelledby": "hx-tokens" },
      h("h2", { id: "hx-tokens", class: "caps" }, l.heading),
      h("p", { class: "muted" }, l.text),
      data.made ? this.made(data.made, l) : "",
      data.tokens.length ? this.table(data.tokens, l) : "",
      this.form(data, l)));
    focusAgain(this.host, focused);
    if (data.made && data.made.id !== this.shown) this.host.querySelector(".copy").focus();
    this.shown = data.made ? data.made.id : null;
  }

  made(made, l) {
    const secret = h("input", { type: "text", class: "secret", readonly: true, value: made.secret, "aria-label": l.secret, spellcheck: "false", onfocus: (event) => event.currentTarget.select() });
    const copy = h("button", { type: "button", class: "btn primary copy", data: { act: "copy" } }, l.copy);
    copy.onclick = async () => {
      secret.select();
      try {
        await navigator.clipboard.writeText(made.secret);
      } catch {
        document.execCommand("copy"); // without https, where there is no clipboard
      }
      copy.textContent = l.copied;
    };
    const done = h("button", { type: "button", class: "btn", data: { act: "done" } }, l.done);
    done.onclick = () => this.out.send("done", null, true);
    return h("div", { class: "new", role: "status" },
      h("strong", null, made.title), h("span", { class: "muted" }, l.once), h("div", { class: "row" }, secret, copy, done));
  }

  table(tokens, l) {
    const when = new Intl.DateTimeFormat(document.documentElement.lang || undefined, { dateStyle: "medium" });
    const day = (text) => (text ? when.format(new Date(text)) : null);
    return h("table", null,
      h("thead", null, h("tr", null, ...["name", "scopes", "made", "used", "expires", "act"].map((name) => h("th", { scope: "col" }, l[name] || h("span", { class: "hx-vh" }, l.revoke))))),
      h("tbody", null, tokens.map((token) => h("tr", { data: { token: token.id } },
        h("th", { scope: "row" }, token.name),
        this.cell(l.scopes, token.scopes),
        this.cell(l.made, day(token.created_at)),
        this.cell(l.used, day(token.last_used_at) || l.never_used),
        this.cell(l.expires, token.expired ? h("span", { class: "expired" }, l.expired) : day(token.expires_at) || l.never_expires),
        h("td", { class: "act" }, this.revoke(token, l))))));
  }

  cell(label, value) {
    return h("td", null, h("span", { class: "label" }, label), value);
  }

  revoke(token, l) {
    const button = h("button", { type: "button", class: "btn", "aria-label": fillText(l.revoke_name, { name: token.name }), data: { act: `revoke ${token.id}` } }, l.revoke);
    button.onclick = () => {
      const sure = h("button", { type: "button", class: "btn danger" }, l.revoke_sure);
      sure.onclick = () => this.out.send("revoke", token.id);
      const keep = h("button", { type: "button", class: "btn" }, l.keep);
      keep.onclick = () => { sure.replaceWith(button); keep.remove(); button.focus(); };
      button.replaceWith(sure);
      sure.after(keep);
      keep.focus();
    };
    return button;
  }

  form(data, l) {
    const name = h("input", { type: "text", name: "name", maxlength: data.max_name, required: true, placeholder: l.name_hint, autocomplete: "off", data: { act: "name" } });
    const scopes = data.scopes.map(([value, text]) => [value, h("input", { type: "checkbox", checked: value === "read" }), text]);
    const expiry = h("select", { name: "expiry", data: { act: "expiry" } }, data.expiries.map(([value, text]) => h("option", { value, selected: value === data.expiry }, text)));
    const submit = h("button", { type: "submit", class: "btn", data: { act: "make" } }, l.make);
    const form = h("form", { "aria-label": l.make },
      h("label", null, h("span", null, l.name), name),
      h("fieldset", null, h("legend", null, l.scopes), scopes.map(([, box, text]) => h("label", { class: "scope" }, box, text))),
      h("label", null, h("span", null, l.valid_for), expiry),
      submit);
    form.onsubmit = (event) => {
      event.preventDefault();
      const wanted = scopes.filter(([, box]) => box.checked).map(([value]) => value);
      if (!wanted.length) { scopes[0][1].focus(); return; }
      this.out.send("make", { name: name.value.trim(), scopes: wanted, expiry: expiry.value });
    };
    return form;
  }
}

export default function (component) {
  return mount(component, Tokens);
}
