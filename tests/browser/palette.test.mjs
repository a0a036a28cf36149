// What a picture keeps when its colours become few.

import assert from "node:assert/strict";
import { test } from "node:test";

import { launch } from "./harness.mjs";
import { reduced } from "./palette.mjs";

test("a picture with few colours is smaller and looks the same", async () => {
  const browser = await launch();
  const page = await browser.newPage({ viewport: { width: 321, height: 200 } });
  const shades = Array.from({ length: 300 }, (_, index) => `<i style="background: rgb(${index % 256}, ${255 - (index % 256)}, 90)"></i>`);
  await page.setContent(`<style>body { margin: 0; background: #fff; color: #1b1d21 } i { display: inline-block; width: 2px; height: 9px }
    b { display: block; width: 100%; height: 40px; background: #1c5cab }</style><b></b><p>Who stands where</p>${shades.join("")}`);
  const png = await page.screenshot();
  const small = reduced(png);
  assert.ok(small.length < png.length, `${small.length} of ${png.length} bytes`);
  // The browser itself compares them, pixel by pixel.
  const apart = await page.evaluate(async (pictures) => {
    const [one, other] = await Promise.all(pictures.map(async (picture) => {
      const image = new Image();
      image.src = `data:image/png;base64,${picture}`;
      await image.decode();
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [image.width, image.height];
      const context = canvas.getContext("2d");
      context.drawImage(image, 0, 0);
      return context.getImageData(0, 0, image.width, image.height);
    }));
    const most = one.data.reduce((most, value, index) => Math.max(most, Math.abs(value - other.data[index])), 0);
    return { size: [other.width, other.height], most, blue: [...other.data.slice(0, 3)] };
  }, [png, small].map((picture) => picture.toString("base64")));
  assert.deepEqual([apart.size, apart.blue], [[321, 200], [0x1c, 0x5c, 0xab]]);
  assert.ok(apart.most <= 24, `a colour is off by ${apart.most}`);
  await browser.close();
});
