// While the pointer moves over a thumbnail, the scene is shown frame by frame. All its frames are in one image, a sprite:
// one request for a scene, and none before the pointer has stayed on it for a moment.

const SCRUB_DELAY_MS = 80;

class Scrub {
  // `broken` is called when the sprite cannot be loaded.
  constructor(card, thumbnail, time, broken) {
    this.thumbnail = thumbnail;
    this.time = time;
    this.broken = broken;
    this.frame = h("div", { class: "scrub", hidden: true });
    this.line = h("div", { class: "scrub-line", hidden: true });
    thumbnail.insertBefore(this.frame, time);
    thumbnail.append(this.line);
    card.onpointermove = (event) => this.move(event);
    card.onpointerleave = () => this.stop();
  }

  // The values of the card: its sprite, and the start and the end of its scene in seconds.
  set(values) {
    if (values.sprite && this.values && this.values.sprite.url !== values.sprite.url) { this.stop(); this.image = null; }
    this.values = values;
  }

  // What stands in the thumbnail while nothing is shown.
  label(text) {
    this.text = text;
    this.time.textContent = text;
  }

  move(event) {
    const box = this.thumbnail.getBoundingClientRect();
    const inside = event.clientY >= box.top && event.clientY < box.bottom;
    if (event.pointerType === "touch" || !inside || !this.values.sprite) { this.stop(); return; }
    this.share = clamp((event.clientX - box.left) / box.width, 0, 0.9999);
    if (this.shown) this.paint();
    else if (!this.timer && !this.loading) this.timer = setTimeout(() => this.load(), SCRUB_DELAY_MS);
  }

  load() {
    this.timer = null;
    if (this.image) { this.show(); return; }
    const image = new Image();
    this.loading = image;
    image.onload = () => {
      if (this.loading !== image) return;
      this.loading = null;
      this.image = image;
      this.show();
    };
    image.onerror = () => {
      if (this.loading !== image) return;
      this.loading = null;
      this.stop();
      this.broken();
    };
    image.alt = "";
    image.src = this.values.sprite.url;
    this.line.hidden = false;
    this.line.classList.add("waiting");
  }

  show() {
    this.shown = true;
    this.line.classList.remove("waiting");
    this.image.style.width = `${this.values.sprite.count * 100}%`;
    if (this.frame.firstChild !== this.image) this.frame.replaceChildren(this.image);
    this.frame.hidden = false;
    this.line.hidden = false;
    this.paint();
  }

  paint() {
    const { sprite, start, end } = this.values;
    const at = Math.floor(this.share * sprite.count);
    this.image.style.transform = `translateX(${(-100 * at) / sprite.count}%)`;
    this.frame.dataset.frame = at;
    this.line.style.setProperty("--at", `${this.share * 100}%`);
    this.time.textContent = precise(start + (end - start) * this.share);
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = null;
    if (this.loading) {
      // nobody waits for it any more
      const image = this.loading;
      this.loading = null;
      image.src = "";
    }
    this.shown = false;
    this.frame.hidden = true;
    this.line.hidden = true;
    this.line.classList.remove("waiting");
    if (this.text !== undefined) this.time.textContent = this.text;
  }
}
