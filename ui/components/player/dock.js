// On a narrow screen the panel is below the results. What is played from there is shown at the bottom of the screen, until
// it is closed or the panel itself comes into view.

class Dock {
  constructor(stage, video) {
    this.stage = stage;
    this.video = video;
    this.close = h("button", { class: "tool close", type: "button" }, icon("close"));
    this.close.onclick = () => { this.video.pause(); this.wanted = false; this.place(); };
    stage.append(this.close);
    this.slot = h("div", { class: "slot" }, stage);  // keeps the place of the stage in the panel
    this.narrow = matchMedia("(max-width: 900px)");
    this.onNarrow = () => this.place();
    this.narrow.addEventListener("change", this.onNarrow);
    this.seen = new IntersectionObserver(([entry]) => {
      this.inView = entry.isIntersecting;
      this.place();
    }, { threshold: 0.6 });
    this.seen.observe(this.slot);
    // above the tray, whose height depends on what is in it
    this.resized = new ResizeObserver(() => this.place());
  }

  label(text) {
    this.close.setAttribute("aria-label", text);
    this.close.title = text;
  }

  show() {
    this.wanted = true;
    this.place();
  }

  place() {
    const tray = document.querySelector(".st-key-hx-tray");
    if (tray && tray !== this.tray) { this.tray = tray; this.resized.observe(tray); }
    this.stage.style.setProperty("--hx-dock-bottom", tray ? `${tray.offsetHeight}px` : "0px");
    this.stage.classList.toggle("docked", Boolean(this.wanted && this.narrow.matches && !this.inView));
  }

  destroy() {
    this.seen.disconnect();
    this.resized.disconnect();
    this.narrow.removeEventListener("change", this.onNarrow);
  }
}
