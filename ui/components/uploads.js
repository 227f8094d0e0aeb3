// The uploads of this browser tab. They live on `window`, so they go on when another page of the app is shown; what
// arrived of a file is kept by the server, so they also go on after a reload, when the same file is chosen again.

const VIDEO_NAME = /\.(mp4|m4v|mov|avi|mkv|webm|mts|m2ts|ts|mpg|mpeg|flv|wmv|mxf|ogv|3gp)$/i;
const SUBTITLE_NAME = /\.(srt|vtt|ass|ssa|smi|sami|ttml|dfxp|itt|sub)$/i;
const READ_BYTES = 1 << 20;
const LONGEST_PAUSE_MS = 15000;
const RATE_OVER_MS = 10000;
const BLOCKED_AFTER = 3; // requests to an object storage that fail, while the app itself can be reached

const stem = (name) => name.replace(/\.[^.]+$/, "").normalize("NFC").toLowerCase();
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

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
    job.sent = opened.offset || 0;
    job.resumedAt = job.sent;
    job.state = "sending";
    this.paint();
    if (opened.parts) await this.sendParts(job, opened);
    const headers = { "X-Upload": opened.upload, "X-Offset": opened.offset || 0 };
    if (job.language) headers["X-Language"] = job.language;
    if (job.title) headers["X-Title"] = encodeURIComponent(job.title);
    if (job.description) headers["X-Description"] = encodeURIComponent(job.description);
    const tokens = [];
    for (const file of job.subtitles) tokens.push((await this.ask("subtitles", job, {}, file, file)).subtitles);
    if (tokens.length) headers["X-Subtitles"] = tokens.join(",");
    if (opened.parts) { job.state = "checking"; this.paint(); }
    const answer = await this.ask("video", job, headers, opened.parts ? null : job.file.slice(opened.offset), job.file, !opened.parts);
    return answer.video;
  }

  // Into the object storage of the library, past the app. Parts that are there with the same bytes are left out.
  async sendParts(job, { parts, part_bytes: size }) {
    job.md5 = job.md5 || new Map();
    for (let at = 0; at < job.file.size; at += size) {
      if (job.isCancelled) throw { code: "CANCELLED" };
      const number = at / size + 1;
      const body = job.file.slice(at, at + size);
      this.show(job, parts[number] ? "comparing" : "sending");
      if (!job.md5.has(number)) job.md5.set(number, await this.md5(job, body));
      const md5 = job.md5.get(number);
      const hex = [...md5].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      if (parts[number] === hex) job.resumedAt = at + body.size;
      else {
        this.show(job, "sending");
        await this.putPart(job, number, at, body, btoa(String.fromCharCode(...md5)));
      }
      this.note(job, at + body.size);
    }
  }

  show(job, state) {
    if (job.state === state) return;
    job.state = state;
    this.paint();
  }

  async md5(job, body) {
    const digest = new Md5();
    for (let at = 0; at < body.size; at += READ_BYTES) {
      let bytes;
      try {
        bytes = new Uint8Array(await body.slice(at, at + READ_BYTES).arrayBuffer());
      } catch {
        throw this.unreadable(job);
      }
      digest.update(bytes);
    }
    return digest.digest();
  }

  async putPart(job, number, at, body, md5) {
    const { labels } = this.settings;
    const link = await this.ask("part", job, { "X-Upload": job.upload, "X-Number": number, "X-Md5": md5 });
    await new Promise((resolve, reject) => {
      const request = (job.request = new XMLHttpRequest());
      request.open("PUT", link.url);
      for (const [name, value] of Object.entries(link.headers)) request.setRequestHeader(name, value);
      request.upload.onprogress = (event) => this.note(job, at + event.loaded);
      const failed = async () => {
        try { await body.slice(0, 1).arrayBuffer(); } catch { reject(this.unreadable(job)); return; }
        job.refused = (job.refused || 0) + 1;
        const isBlocked = job.refused >= BLOCKED_AFTER;
        if (isBlocked) job.refused = 0;
        reject(isBlocked ? { category: "storage", message: labels.blocked, hint: labels.blocked_hint } : { isLost: true });
      };
      request.onerror = failed;
      request.onabort = () => reject({ code: "ABORTED" });
      request.onload = () => {
        if (request.status >= 300) { failed(); return; }
        job.refused = 0;
        resolve();
      };
      request.send(body);
    });
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
