// Pictures with few colours: a screenshot's are mostly shades of its letters' edges, which cost two thirds
// of its bytes and are seen by nobody.

import { deflateSync, inflateSync } from "node:zlib";

/** A byte names a colour. */
const MOST_COLOURS = 256;
/** Shades that are nearer to each other than this, in all, are one. */
const NEAR = 24;

/** The same picture as a PNG with a palette; `png` is one as Chromium makes it: 8 bits, not interlaced. */
export const reduced = (png) => {
  const { width, height, pixels } = decoded(png);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
  // The commonest first: what covers most of the picture stays exactly as it is.
  const common = [...counts.keys()].sort((one, other) => counts.get(other) - counts.get(one));
  const palette = [];
  for (let near = NEAR; palette.length === 0; near *= 2) {
    for (const colour of common) {
      if (palette.every((kept) => distance(kept, colour) >= near)) palette.push(colour);
      if (palette.length > MOST_COLOURS) break;
    }
    if (palette.length > MOST_COLOURS) palette.length = 0;
  }
  const places = new Map(common.map((colour) => [colour, nearest(palette, colour)]));
  const rows = Buffer.alloc((width + 1) * height);
  pixels.forEach((pixel, index) => { rows[index + Math.floor(index / width) + 1] = places.get(pixel); });
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3, 0, 0, 0], 8);
  const colours = Buffer.from(palette.flatMap((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255]));
  const data = deflateSync(rows, { level: 9, memLevel: 9 });
  return Buffer.concat([SIGNATURE, chunk("IHDR", header), chunk("PLTE", colours), chunk("IDAT", data), chunk("IEND", Buffer.alloc(0))]);
};

const distance = (one, other) =>
  Math.abs((one >> 16) - (other >> 16)) + Math.abs(((one >> 8) & 255) - ((other >> 8) & 255)) + Math.abs((one & 255) - (other & 255));

const nearest = (palette, colour) => {
  let best = 0;
  palette.forEach((kept, index) => { if (distance(kept, colour) < distance(palette[best], colour)) best = index; });
  return best;
};

const SIGNATURE = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");

const TABLE = Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit += 1) byte = byte & 1 ? 0xedb88320 ^ (byte >>> 1) : byte >>> 1;
  return byte >>> 0;
});

const chunk = (name, data) => {
  const body = Buffer.concat([Buffer.from(name, "latin1"), data]);
  let sum = 0xffffffff;
  for (const byte of body) sum = TABLE[(sum ^ byte) & 255] ^ (sum >>> 8);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE((sum ^ 0xffffffff) >>> 0);
  return Buffer.concat([length, body, check]);
};

/** Its pixels as numbers, `0xrrggbb`. */
const decoded = (png) => {
  const parts = [];
  let width, height, kind;
  for (let at = 8; at < png.length;) {
    const [length, name] = [png.readUInt32BE(at), png.toString("latin1", at + 4, at + 8)];
    const data = png.subarray(at + 8, at + 8 + length);
    if (name === "IHDR") [width, height, kind] = [data.readUInt32BE(0), data.readUInt32BE(4), data[9]];
    if (name === "IDAT") parts.push(data);
    at += length + 12;
  }
  const step = { 2: 3, 6: 4 }[kind];
  if (!step) throw new Error(`a PNG of the kind ${kind}, not of colours`);
  const [raw, stride] = [inflateSync(Buffer.concat(parts)), width * step];
  let before = Buffer.alloc(stride);
  const pixels = new Uint32Array(width * height);
  for (let y = 0; y < height; y += 1) {
    const start = y * (stride + 1);
    const [filter, row] = [raw[start], raw.subarray(start + 1, start + 1 + stride)];
    for (let x = 0; x < stride; x += 1) {
      const [left, up, corner] = [x < step ? 0 : row[x - step], before[x], x < step ? 0 : before[x - step]];
      row[x] += [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter];
    }
    for (let x = 0; x < width; x += 1) {
      const at = x * step;
      pixels[y * width + x] = (row[at] << 16) | (row[at + 1] << 8) | row[at + 2];
    }
    before = row;
  }
  return { width, height, pixels };
};

const paeth = (left, up, corner) => {
  const guess = left + up - corner;
  const [one, two, three] = [left, up, corner].map((value) => Math.abs(guess - value));
  if (one <= two && one <= three) return left;
  return two <= three ? up : corner;
};
