// Digests of files, which are given piece by piece.

// What both have in common: blocks of 64 bytes, and an end that is filled up to a whole one. A subclass has `block`.
class BlockDigest {
  constructor() {
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
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    for (let at = 0; at < whole; at += 64) this.block(view, at);
    this.rest = data.slice(whole);
  }

  // The last blocks, in which the caller puts the length.
  tail() {
    const tail = new Uint8Array(this.rest.length < 56 ? 64 : 128);
    tail.set(this.rest);
    tail[this.rest.length] = 0x80;
    return new DataView(tail.buffer);
  }
}

// SHA-256 (FIPS 180-4). crypto.subtle has no digest of a beginning, and is missing where a page is not from https or
// localhost.
class Sha256 extends BlockDigest {
  constructor() {
    super();
    if (!Sha256.K) {
      const primes = [];
      for (let n = 2; primes.length < 64; n += 1) if (primes.every((p) => n % p)) primes.push(n);
      const fraction = (x) => ((x - Math.floor(x)) * 2 ** 32) | 0;
      Sha256.K = Int32Array.from(primes, (p) => fraction(Math.cbrt(p)));
      Sha256.H = Int32Array.from(primes.slice(0, 8), (p) => fraction(Math.sqrt(p)));
    }
    this.state = Int32Array.from(Sha256.H);
    this.words = new Int32Array(64);
  }

  block(view, at) {
    const { words: w, state: s } = this;
    const { K } = Sha256;
    for (let i = 0; i < 16; i += 1) w[i] = view.getInt32(at + 4 * i);
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
    const view = this.tail();
    view.setUint32(view.byteLength - 8, Math.floor(this.length / 2 ** 29));
    view.setUint32(view.byteLength - 4, (this.length << 3) >>> 0);
    for (let at = 0; at < view.byteLength; at += 64) copy.block(view, at);
    return [...copy.state].map((n) => (n >>> 0).toString(16).padStart(8, "0")).join("");
  }
}

// MD5 (RFC 1321), which an object storage checks a part by; crypto.subtle has none.
class Md5 extends BlockDigest {
  constructor() {
    super();
    if (!Md5.K) {
      Md5.K = Int32Array.from({ length: 64 }, (_, i) => Math.floor(2 ** 32 * Math.abs(Math.sin(i + 1))) | 0);
      Md5.SHIFTS = Int32Array.from({ length: 64 }, (_, i) => [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21][4 * (i >> 4) + (i & 3)]);
      Md5.ORDER = Int32Array.from({ length: 64 }, (_, i) => [i, 5 * i + 1, 3 * i + 5, 7 * i][i >> 4] & 15);
    }
    this.words = new Int32Array(16);
    this.state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  }

  block(view, at) {
    const { K, ORDER, SHIFTS } = Md5;
    const { state: s, words: w } = this;
    for (let i = 0; i < 16; i += 1) w[i] = view.getInt32(at + 4 * i, true);
    let a = s[0], b = s[1], c = s[2], d = s[3];
    for (let i = 0; i < 64; i += 1) {
      const f = i < 16 ? (b & c) | (~b & d) : i < 32 ? (d & b) | (~d & c) : i < 48 ? b ^ c ^ d : c ^ (b | ~d);
      const sum = (a + f + K[i] + w[ORDER[i]]) | 0;
      a = d; d = c; c = b;
      b = (b + ((sum << SHIFTS[i]) | (sum >>> (32 - SHIFTS[i])))) | 0;
    }
    s[0] += a; s[1] += b; s[2] += c; s[3] += d;
  }

  // The 16 bytes of the digest; nothing can follow.
  digest() {
    const view = this.tail();
    view.setUint32(view.byteLength - 8, (this.length << 3) >>> 0, true);
    view.setUint32(view.byteLength - 4, Math.floor(this.length / 2 ** 29), true);
    for (let at = 0; at < view.byteLength; at += 64) this.block(view, at);
    return new Uint8Array(this.state.buffer);
  }
}
