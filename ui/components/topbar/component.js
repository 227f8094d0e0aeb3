// The bar above every page: navigation (a menu on narrow screens), models in use, languages, and a notice of what has
// just been finished.

class Topbar extends Redrawn {
  constructor(host, out) {
    super(host, out);
    this.isOpen = false;
    this.closeOutside = (event) => { if (this.isOpen && !event.composedPath().includes(host)) this.toggle(false); };
    document.addEventListener("pointerdown", this.closeOutside);
    // Streamlit makes it a stop of its own before everything in it
    document.querySelector("[data-testid=stMain]")?.setAttribute("tabindex", "-1");
  }

  destroy() {
    document.removeEventListener("pointerdown", this.closeOutside);
  }

  draw(data) {
    const focused = this.host.getRootNode().activeElement?.dataset.focus;
    this.labels = data.labels;
    document.documentElement.lang = data.language;
    this.menu = h("button", { class: "menu", type: "button", "aria-controls": "hx-pages", data: { focus: "menu" } },
      icon("menu"), h("span", { class: "hx-vh" }, `${data.labels.menu}: `), h("span", null, data.title));
    this.menu.onclick = () => this.toggle(!this.isOpen);
    this.pages = h("div", { id: "hx-pages", class: "pages" },
      h("nav", { "aria-label": data.labels.pages }, h("ul", null, data.links.map((link) => h("li", null, this.link(link))))),
      h("div", { class: "end" },
        this.profile(data.profile),
        h("div", { class: "languages", role: "group", "aria-label": data.labels.language }, data.languages.map((one) => this.language(one))),
        data.user ? this.user(data.user) : ""));
    this.pages.onkeydown = (event) => { if (event.key === "Escape") this.toggle(false); };
    this.host.replaceChildren(
      h("a", { class: "skip", href: "#", onclick: skipToContent }, data.labels.skip),
      h("header", { class: "bar" }, h("a", { class: "brand", href: "/", onclick: follow, data: { focus: "brand" } }, logo(), "Heimdex"), this.menu, this.pages),
      this.notice(data.notice));
    this.toggle(false, { keepFocus: true });
    if (focused) this.host.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
  }

  link(link) {
    const a = h("a", { href: link.href, "aria-current": link.shown ? "page" : link.current ? "true" : null, data: { page: link.name, focus: link.name } }, link.text);
    a.onclick = (event) => {
      this.toggle(false, { keepFocus: true });
      if (link.shown && isPlainClick(event)) event.preventDefault();
      else follow(event);
    };
    // what the page shows may have changed since this was drawn
    if (link.shown) a.onfocus = a.onpointerenter = () => { a.href = location.pathname + location.search; };
    return a;
  }

  // The models in use: a link for those who may change them.
  profile({ text, href }) {
    if (!text) return "";
    return href ? h("a", { class: "profile", href, onclick: follow, data: { focus: "profile" } }, text) : h("span", { class: "profile" }, text);
  }

  language(one) {
    const button = h("button", { type: "button", lang: one.code, "aria-pressed": String(one.on), class: "language", "aria-label": one.name, data: { focus: one.code } }, one.short);
    button.onclick = () => this.out.send("language", one.code, true);
    return button;
  }

  user(user) {
    const out = h("button", { class: "sign-out", type: "button", data: { focus: "sign-out" } }, this.labels.sign_out);
    out.onclick = () => {
      // the next page tells other tabs, when the cookie is gone (ui/components/signin)
      try { sessionStorage.setItem("heimdex-signing-out", String(performance.timeOrigin)); } catch { /* they notice when they are loaded again */ }
      this.out.send("sign_out", null, true);
    };
    return h("div", { class: "user" }, h("span", { class: "user-name", title: user.text }, h("span", { class: "hx-vh" }, user.text), h("span", { "aria-hidden": "true" }, user.name)), out);
  }

  notice(notice) {
    const region = h("div", { class: "region", role: "status" });
    if (!notice) return region;
    const close = h("button", { class: "close", type: "button", "aria-label": this.labels.dismiss }, icon("close"));
    close.onclick = () => this.out.send("dismiss", null, true);
    const watch = h("a", { class: "watch", href: notice.href }, notice.action);
    watch.onclick = (event) => { this.out.send("dismiss", null, true); follow(event); };
    region.append(h("div", { class: `notice ${notice.kind}` }, h("span", null, notice.text), watch, close));
    return region;
  }

  toggle(open, { keepFocus } = {}) {
    const wasOpen = this.isOpen;
    this.isOpen = open;
    this.menu.setAttribute("aria-expanded", String(open));
    this.pages.classList.toggle("open", open);
    if (open) this.pages.querySelector("a").focus();
    else if (wasOpen && !keepFocus) this.menu.focus();
  }
}

function logo() {
  return h("svg", { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true", class: "logo" },
    h("rect", { x: 1, y: 1.5, width: 14, height: 13, rx: 2.5, fill: "none", stroke: "currentColor", "stroke-width": 1.5 }),
    h("rect", { x: 1, y: 1.5, width: 7, height: 13, rx: 2, fill: "currentColor" }));
}

// Moves the focus behind the bar: what comes next gets it with the next Tab.
function skipToContent(event) {
  event.preventDefault();
  const start = h("span", { tabindex: -1 });
  start.onblur = () => start.remove();
  document.querySelector(".st-key-hx-topbar")?.after(start);
  start.focus();
}

export default function (component) {
  return mount(component, Topbar);
}
