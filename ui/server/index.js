// Runs before Streamlit's own script, on every page: its configuration, the theme that was chosen in the settings, what
// enters the history of the browser, and the notice while the server does not answer.
(() => {
  const TEXTS = {/*texts*/};
  const MARKER = "hx"; // ui/address.py
  const THEME = "heimdex-theme"; // ui/components/theme
  const LOST_AFTER_MS = 1200; // a short interruption is not worth a notice
  const NEVER_AFTER_MS = 15_000;

  // The front end asks for its server below the path of the page first, which is a 404, and opens a dialog in English
  // that names a command of developers. It also lets other sites send it messages.
  window.__streamlit = {
    BACKEND_BASE_URL: location.origin,
    HOST_CONFIG: {
      allowedOrigins: [location.origin],
      useExternalAuthToken: false,
      enableCustomParentMessages: false,
      blockErrorDialogs: true,
    },
  };

  // --- signing in and out ---------------------------------------------------------------------------

  const WANTED = "heimdex-wanted"; // ui/components/signin: what was to be opened before the sign-in
  const SIGNED_OUT = "heimdex-signed-out"; // ui/components/topbar and signin
  try {
    const wanted = sessionStorage.getItem(WANTED);
    if (wanted && location.pathname === "/" && !location.search) {
      sessionStorage.removeItem(WANTED);
      history.replaceState(null, "", wanted); // refuses other sites
    }
  } catch {
    // no storage: the first page
  }
  // Another tab has signed out; a page from the history still shows what was there before.
  addEventListener("storage", (event) => { if (event.key === SIGNED_OUT) location.reload(); });
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  // --- theme ----------------------------------------------------------------------------------------

  try {
    const chosen = localStorage.getItem(THEME);
    const key = `stActiveTheme-${location.pathname}-v2`; // Streamlit's own, one for each page
    if (chosen === "Light" || chosen === "Dark") localStorage.setItem(key, JSON.stringify(chosen));
    else localStorage.removeItem(key);
  } catch {
    // no storage: the theme of the system
  }

  // --- history --------------------------------------------------------------------------------------

  const page = (path) => path.split("/").pop() || "home";
  const write = { pushState: history.pushState.bind(history), replaceState: history.replaceState.bind(history) };

  function change(method, state, title, url) {
    const target = new URL(url ?? location.href, location.href);
    const marker = target.searchParams.get(MARKER);
    if (!marker) return write[method](state, title, url);
    const [how, shown] = marker.split(":");
    if (page(target.pathname) !== shown) return undefined; // of a page that has been left, or is not shown yet
    target.searchParams.delete(MARKER);
    const replaces = method === "replaceState" || how === "replace" || target.href === location.href;
    return write[replaces ? "replaceState" : "pushState"](state, title, target.href);
  }
  for (const method of Object.keys(write)) history[method] = (...all) => change(method, ...all);

  // --- the connection -------------------------------------------------------------------------------

  let state = "INITIAL";
  let lost = false;
  let incomplete = false; // a part of Streamlit's own scripts could not be loaded, which it shows as an error for good
  let timer = setTimeout(show, NEVER_AFTER_MS);

  function show() {
    const texts = TEXTS[document.documentElement.lang] || TEXTS.en;
    const notice = document.createElement("div");
    notice.id = "hx-connection";
    notice.setAttribute("role", "status");
    for (const [tag, text] of [["strong", texts.lost], ["span", texts.hint]]) {
      const part = document.createElement(tag);
      part.textContent = text;
      notice.append(part);
    }
    hide();
    document.body.append(notice);
    if (state === "DISCONNECTED_FOREVER") reloadWhenBack();
  }

  function hide() {
    document.getElementById("hx-connection")?.remove();
  }

  async function reloadWhenBack() {
    for (;;) {
      try {
        if ((await fetch("/health/live", { cache: "no-store" })).ok) return location.reload();
      } catch {
        // not yet
      }
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }

  addEventListener("vite:preloadError", () => { incomplete = true; });

  function look() {
    const now = document.querySelector("[data-test-connection-state]")?.getAttribute("data-test-connection-state");
    if (!now || now === state) return;
    state = now;
    if (now === "CONNECTED") {
      clearTimeout(timer);
      timer = null;
      hide();
      if (lost && incomplete) {
        location.reload();
      } else if (lost) {
        // A new server does not know this page: it runs anew from its URL, as after Back.
        dispatchEvent(new PopStateEvent("popstate"));
        dispatchEvent(new Event("hx-reconnected"));
      }
      lost = false;
    } else if (timer === null) {
      lost = true;
      timer = setTimeout(show, LOST_AFTER_MS);
    }
  }

  new MutationObserver(look).observe(document, {
    subtree: true, attributes: true, attributeFilter: ["data-test-connection-state"],
  });
})();
