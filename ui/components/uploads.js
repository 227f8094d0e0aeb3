// The uploads of this browser tab. They live on `window`, so they go on when another page of the app is shown; what
// arrived of a file is kept by the server, so they also go on after a reload, when the same file is chosen again.

const VIDEO_NAME = /\.(mp4|m4v|mov|avi|mkv|webm|mts|m2ts|ts|mpg|mpeg|flv|wmv|mxf|ogv|3gp)$/i;
const SUBTITLE_NAME = /\.(srt|vtt|ass|ssa|smi|sami|ttml|dfxp|itt|sub)$/i;
const READ_BYTES = 1 << 20;
const LONGEST_PAUSE_MS = 15000;
const RATE_OVER_MS = 10000;

const stem = (name) => name.replace(/\.[^.]+$/, "").normalize("NFC").toLowerCase();
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// SHA-256 (FIPS 180-4). crypto.subtle has no digest of a beginning, and is missing where a page is not from https or
// localhost.
class Sha256 {
  constructor() {
    if (!Sha256.K) {
      const primes = [];
      for (let n = 2; primes.length < 64; n += 1) if (primes.every((p) => n % p)) primes.push(n);
      const fraction = (x) => ((x - Math.floor(x)) * 2 ** 32) | 0;
      Sha256.K = Int32Array.from(primes, (p) => fraction(Math.cbrt(p)));
      Sha256.H = Int32Array.from(primes.slice(0, 8), (p) => fraction(Math.sqrt(p)));
    }
    this.state = Int32Array.from(Sha256.H);
    this.words = new Int32Array(64);
    this.rest = new Uint8Array(0);
    this.length = 0;
  }

  update(bytes) {
    this.length += bytes.length;
    let data = bytes;
    if (this.rest.length) {
      data = new Uint8Array(this.rest.length + bytes.length);
      data.set(this.rest);
      data.set(bytes, this.rest.length);
    }
    const whole = data.length - (data.length % 64);
    for (let at = 0; at < whole; at += 64) this.block(data, at);
    this.rest = data.slice(whole);
  }

  block(data, at) {
    const { words: w, state: s } = this;
    const { K } = Sha256;
    for (let i = 0; i < 16; i += 1) w[i] = (data[at + 4 * i] << 24) | (data[at + 4 * i + 1] << 16) | (data[at + 4 * i + 2] << 8) | data[at + 4 * i + 3];
    for (let i = 16; i < 64; i += 1) {
      const x = w[i - 15], y = w[i - 2];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
    }
    let a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], k = s[7];
    for (let i = 0; i < 64; i += 1) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const one = (k + s1 + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const two = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      k = g; g = f; f = e; e = (d + one) | 0; d = c; c = b; b = a; a = (one + two) | 0;
    }
    s[0] += a; s[1] += b; s[2] += c; s[3] += d; s[4] += e; s[5] += f; s[6] += g; s[7] += k;
  }

  // The digest of what was given so far, in hexadecimal digits; more can follow.
  hex() {
    const copy = new Sha256();
    copy.state.set(this.state);
    const tail = new Uint8Array(this.rest.length < 56 ? 64 : 128);
    tail.set(this.rest);
    tail[this.rest.length] = 0x80;
    const view = new DataView(tail.buffer);
    view.setUint32(tail.length - 8, Math.floor(this.length / 2 ** 29));
    view.setUint32(tail.length - 4, (this.length << 3) >>> 0);
    for (let at = 0; at < tail.length; at += 64) copy.block(tail, at);
    return [...copy.state].map((n) => (n >>> 0).toString(16).padStart(8, "0")).join("");
  }
}

const detailsKey = (file) => `heimdex-upload/${file.size}/${file.name}`;

// Title and description as typed, for the case that the upload is continued after a reload: then they are typed no more.
function keepDetails(job) {
  try {
    const key = detailsKey(job.file);
    if (job.title || job.description) localStorage.setItem(key, JSON.stringify({ title: job.title, description: job.description, language: job.language }));
    else Object.assign(job, JSON.parse(localStorage.getItem(key) || "{}"));
  } catch { /* the browser keeps nothing */ }
}

function forgetDetails(job) {
  try { localStorage.removeItem(detailsKey(job.file)); } catch { /* the browser keeps nothing */ }
}

// Of several videos, the one whose name a subtitle file has, or begins with ("Trip.ko.srt" of "Trip.mp4"); the longest.
function videoOf(file, jobs) {
  const own = stem(file.name);
  const fits = (job) => { const name = stem(job.file.name); return own === name || (own.startsWith(name) && /[ ._()[\]-]/.test(own[name.length])); };
  return jobs.filter(fits).sort((a, b) => b.file.name.length - a.file.name.length)[0];
}

class Uploads {
  constructor() {
    this.jobs = [];
    this.views = new Set();
    this.doneFiles = 0;
    this.doneBytes = 0;
    this.settings = null;
    this.running = null;
    this.onLeave = (event) => { if (this.isActive) event.preventDefault(); };
    window.addEventListener("beforeunload", this.onLeave);
  }

  // --- views: objects with paintUploads() and askForToken() ---

  attach(view, settings) {
    this.views.add(view);
    this.settings = settings;
    if (this.onToken && settings.token !== this.staleToken) { this.onToken(); this.onToken = null; }
    this.paint();
  }

  detach(view) {
    this.views.delete(view);
    this.paint();
  }

  get hasList() {
    return [...this.views].some((view) => view.showsList);
  }

  paint() {
    for (const view of this.views) view.paintUploads();
  }

  // --- the list ---

  get unfinished() {
    return this.jobs.filter((job) => !["done", "known", "failed"].includes(job.state));
  }

  get isActive() {
    return this.unfinished.length > 0;
  }

  get progress() {
    const jobs = this.unfinished;
    const total = this.doneBytes + jobs.reduce((sum, job) => sum + job.file.size, 0);
    const sent = this.doneBytes + jobs.reduce((sum, job) => sum + job.sent, 0);
    return { files: jobs.length, doneFiles: this.doneFiles, sent, total, share: total ? sent / total : 0, leftS: this.leftS(total - sent) };
  }

  // Seconds left at the rate of the last seconds; null as long as there is no telling.
  leftS(bytes) {
    const samples = this.samples || [];
    if (samples.length < 2) return null;
    const first = samples[0], last = samples[samples.length - 1];
    if (last.at - first.at < 3000 || last.bytes <= first.bytes) return null;
    return (bytes * (last.at - first.at)) / (last.bytes - first.bytes) / 1000;
  }

  // A file that is in the list already is not added again; its row is pointed out instead.
  add(files, details) {
    const subtitles = files.filter((file) => SUBTITLE_NAME.test(file.name));
    const videos = files.filter((file) => !SUBTITLE_NAME.test(file.name));
    const added = [];
    for (const file of videos) {
      const same = this.unfinished.find((job) => job.file.name === file.name && job.file.size === file.size && job.file.lastModified === file.lastModified);
      if (same) { same.isRepeated = true; continue; }
      this.jobs = this.jobs.filter((job) => !(job.state === "failed" && job.file.name === file.name && job.file.size === file.size));
      const job = { file, language: "", title: "", description: "", ...details, state: "waiting", sent: 0, subtitles: [] };
      keepDetails(job);
      if (file.size > this.settings.max_bytes) this.fail(job, { message: fillText(this.settings.labels.too_large, { name: file.name }), hint: this.settings.labels.limit });
      added.push(job);
    }
    this.jobs.push(...added);
    for (const file of subtitles) {
      // Subtitles chosen together with one video belong to it, whatever their names. The server takes one of them.
      const job = videoOf(file, this.jobs.filter((other) => other.state === "waiting")) || (added.length === 1 ? added[0] : null);
      if (job) job.subtitles.push(file);
      else this.jobs.push({ file, state: "failed", sent: 0, subtitles: [], error: { message: fillText(this.settings.labels.unmatched, { name: file.name }), hint: this.settings.labels.unmatched_hint } });
    }
    this.paint();
    this.next();
  }

  fail(job, error) {
    job.state = "failed";
    job.error = error;
  }

  remove(job) {
    forgetDetails(job);
    this.jobs = this.jobs.filter((other) => other !== job);
    if (!this.isActive) { this.doneFiles = 0; this.doneBytes = 0; }
    this.paint();
  }

  retry(job) {
    job.error = null;
    job.state = "waiting";
    this.paint();
    this.next();
  }

  cancel(job) {
    job.isCancelled = true;
    if (job.request) job.request.abort();
    if (job.upload) this.ask("discard", job, { "X-Upload": job.upload }).catch(() => {});
    this.remove(job);
  }

  // --- sending, one file after the other ---

  next() {
    if (this.running) return;
    const job = this.jobs.find((other) => other.state === "waiting");
    if (!job) return;
    this.running = job;
    this.samples = [];
    this.run(job).finally(() => { this.running = null; this.paint(); this.next(); });
  }

  async run(job) {
    let attempts = 0;
    while (!job.isCancelled) {
      try {
        const video = await this.send(job);
        if (video === null) return; // another window uploads it
        this.finish(job, video);
        return;
      } catch (problem) {
        if (job.isCancelled) return;
        if (problem.code === "LINK_EXPIRED") { await this.renewToken(); continue; }
        if (problem.code === "UPLOAD_CONFLICT") { this.leaveToOther(job); return; }
        if (!problem.isLost) { this.fail(job, problem); return; }
        attempts += 1;
        job.state = "lost";
        this.paint();
        await pause(Math.min(1000 * 2 ** (attempts - 1), LONGEST_PAUSE_MS));
      }
    }
  }

  // What the server has of the file is left out. Returns the video; null if another request sends the file.
  async send(job) {
    job.state = job.isElsewhere ? "elsewhere" : "sending";
    this.paint();
    let opened = await this.announce(job, null);
    if (opened.compare) opened = await this.announce(job, await this.digests(job, opened.compare));
    if (opened.busy) { this.leaveToOther(job, opened.offset); return null; }
    if (opened.video) return opened.video;
    job.isElsewhere = false;
    job.upload = opened.upload;
    job.sent = opened.offset;
    job.resumedAt = opened.offset;
    job.state = "sending";
    this.paint();
    const headers = { "X-Upload": opened.upload, "X-Offset": opened.offset };
    if (job.language) headers["X-Language"] = job.language;
    if (job.title) headers["X-Title"] = encodeURIComponent(job.title);
    if (job.description) headers["X-Description"] = encodeURIComponent(job.description);
    const tokens = [];
    for (const file of job.subtitles) tokens.push((await this.ask("subtitles", job, {}, file, file)).subtitles);
    if (tokens.length) headers["X-Subtitles"] = tokens.join(",");
    const answer = await this.ask("video", job, headers, job.file.slice(opened.offset), job.file, true);
    return answer.video;
  }

  announce(job, digests) {
    const headers = { "X-File-Size": job.file.size };
    if (digests) headers["X-Sha256"] = digests;
    return this.ask("open", job, headers);
  }

  async digests(job, lengths) {
    // With new subtitles the whole file is needed: they index it again.
    const wanted = lengths.filter((length) => !(length === job.file.size && job.subtitles.length));
    job.state = "comparing";
    this.paint();
    const digest = new Sha256();
    const found = [];
    let at = 0;
    for (const length of wanted) {
      while (at < length) {
        if (job.isCancelled) throw { code: "CANCELLED" };
        const end = Math.min(at + READ_BYTES, length);
        let bytes;
        try {
          bytes = new Uint8Array(await job.file.slice(at, end).arrayBuffer());
        } catch {
          throw this.unreadable(job);
        }
        digest.update(bytes);
        at = end;
      }
      found.push(`${length}:${digest.hex()}`);
    }
    return found.length ? found.join(",") : `0:${new Sha256().hex()}`;
  }

  unreadable(job) {
    const { labels } = this.settings;
    return { message: fillText(labels.unreadable, { name: job.file.name }), hint: labels.unreadable_hint };
  }

  finish(job, video) {
    job.state = video.known ? "known" : "done";
    job.video = video;
    forgetDetails(job);
    this.doneFiles += 1;
    this.doneBytes += job.file.size;
    job.sent = job.file.size;
    for (const view of this.views) if (view.showVideo) view.showVideo(job);
    this.paint();
    // The list of videos has its row now; without one on the page there is nothing to wait for.
    if (!video.known && !this.hasList) this.remove(job);
  }

  leaveToOther(job, offset) {
    job.state = "elsewhere";
    job.isElsewhere = true;
    if (offset !== undefined) job.sent = offset;
    this.paint();
    setTimeout(() => { if (job.state === "elsewhere" && !job.isCancelled) { job.state = "waiting"; this.next(); } }, 3000);
  }

  renewToken() {
    this.staleToken = this.settings.token;
    const renewed = new Promise((resolve) => { this.onToken = resolve; });
    for (const view of this.views) view.askForToken();
    return renewed;
  }

  // --- one request ---

  ask(part, job, headers, body, file, isMain) {
    const { labels } = this.settings;
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      if (part !== "discard") job.request = request;
      request.open("POST", this.settings.url);
      request.responseType = "json";
      request.setRequestHeader("X-Upload-Token", this.settings.token);
      request.setRequestHeader("X-Part", part);
      request.setRequestHeader("X-File-Name", encodeURIComponent((file || job.file).name.normalize("NFC")));
      request.setRequestHeader("Content-Type", "application/octet-stream");
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, String(value));
      if (isMain) {
        const offset = job.file.size - body.size;
        request.upload.onprogress = (event) => this.note(job, offset + event.loaded);
        request.upload.onload = () => { job.sent = job.file.size; job.state = "checking"; this.paint(); };
      }
      const lost = () => reject({ isLost: true, message: labels.lost, hint: labels.lost_hint });
      request.onerror = async () => {
        // The same event tells that the file was changed or removed, and that the server is not reached.
        try { await job.file.slice(0, 1).arrayBuffer(); } catch { reject(this.unreadable(job)); return; }
        lost();
      };
      request.onabort = () => reject({ code: "ABORTED" });
      request.onload = () => {
        const answer = request.response;
        if (request.status < 300 && answer) resolve(answer);
        else if (answer && answer.error) reject(answer.error);
        else lost();
      };
      request.send(body || null);
    });
  }

  note(job, sent) {
    job.sent = sent;
    const now = performance.now();
    const samples = (this.samples = this.samples || []);
    samples.push({ at: now, bytes: sent });
    while (samples.length > 2 && now - samples[0].at > RATE_OVER_MS) samples.shift();
    for (const view of this.views) view.paintShares();
  }
}

function uploads() {
  if (!window.heimdexUploads) window.heimdexUploads = new Uploads();
  return window.heimdexUploads;
}

// As heimdex_core.formatting.size.
function sizeText(bytes) {
  let value = bytes;
  for (const unit of ["B", "KB", "MB", "GB"]) {
    if (value < 1000) return `${value.toFixed(["B", "KB"].includes(unit) || value >= 100 ? 0 : 1)} ${unit}`;
    value /= 1000;
  }
  return `${value.toFixed(1)} TB`;
}

function percentText(share) {
  return `${Math.floor(share * 100)}%`;
}
