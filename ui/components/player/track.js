// The track below the picture: the scene within the video, and the position, which the pointer moves.

class Track {
  // `jump` is called with the share of the whole, 0 to 1, to go to.
  constructor(jump) {
    this.jump = jump;
    this.scene = h("span", { class: "scene" });
    this.head = h("span", { class: "head" });
    this.el = h("div", { class: "track", role: "slider", tabindex: "0", "aria-valuemin": "0" },
      h("span", { class: "rail" }), this.scene, this.head);
    this.el.onpointerdown = (event) => this.scrub(event);
  }

  // All in seconds: the marked part, where the player is, and the whole.
  paint(from, to, now, whole) {
    const percent = (seconds) => `${clamp(seconds / whole, 0, 1) * 100}%`;
    this.scene.style.left = percent(from);
    this.scene.style.width = percent(to - from);
    this.head.style.left = percent(now);
    const text = `${clock(now)} / ${clock(whole)}`;  // for screen readers once a second is enough
    if (text === this.text) return;
    this.text = text;
    this.el.setAttribute("aria-valuemax", String(Math.floor(whole)));
    this.el.setAttribute("aria-valuenow", String(Math.floor(now)));
    this.el.setAttribute("aria-valuetext", text);
  }

  scrub(event) {
    const move = (e) => {
      const box = this.el.getBoundingClientRect();
      this.jump(clamp((e.clientX - box.left) / box.width, 0, 1));
    };
    const stop = () => {
      document.removeEventListener("pointermove", move);
      document.removeEventListener("pointerup", stop);
    };
    event.preventDefault();
    move(event);
    document.addEventListener("pointermove", move);
    document.addEventListener("pointerup", stop);
  }
}
