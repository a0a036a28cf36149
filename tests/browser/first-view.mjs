// How long the dashboard's first view takes over a large store, from asking for the page to the first
// paint of what it shows, in a browser that has logged in and keeps nothing. Beside it stands how long the
// page's thread had a processor until then, which says more where a machine does other things, too.
//
//   STANDPOINT_LARGE_STORE=/tmp/large.db cargo test --release -p standpoint-web --test large -- --ignored
//   cargo build --release && STORE=/tmp/large.db BUILT=target/release tests/browser/run first-view

import { resolve } from "node:path";

import { Daemon, findPlugins, launch } from "./harness.mjs";

const ROUNDS = 10;
const BOUND_MS = 200;

await findPlugins();
const daemon = await Daemon.start(resolve(process.env.STORE));
const browser = await launch();
const context = await browser.newContext({ viewport: { width: 1100, height: 900 } });
const first = await context.newPage();
await first.goto(daemon.login);
await first.waitForSelector("#ranking");
const { documents } = await first.evaluate(async () => (await fetch("/api/v1/extent")).json());
await first.close();

const measure = async (path) => {
  const page = await context.newPage();
  page.setDefaultTimeout(120_000);
  const client = await context.newCDPSession(page);
  await client.send("Performance.setTimeDomain", { timeDomain: "threadTicks" });
  await client.send("Performance.enable");
  await page.goto(daemon.address + path);
  const times = await page.evaluate(() => new Promise((done) => {
    const [asked] = performance.getEntriesByType("navigation");
    new PerformanceObserver((list) => {
      const paint = list.getEntriesByName("first-contentful-paint")[0];
      if (paint) done({ painted: paint.startTime, answered: asked.responseEnd });
    }).observe({ type: "paint", buffered: true });
  }));
  const { metrics } = await client.send("Performance.getMetrics");
  const busy = 1000 * metrics.find(({ name }) => name === "TaskDuration").value;
  await page.close();
  return { ...times, busy };
};

const median = (numbers) => numbers.sort((one, other) => one - other)[Math.floor(numbers.length / 2)];
let slow = false;
for (const path of ["/", "/evidence", "/documents", "/shifts", "/documents/d77"]) {
  const times = [];
  for (let round = 0; round < ROUNDS; round += 1) times.push(await measure(path));
  const [painted, answered, busy] = ["painted", "answered", "busy"].map((what) => median(times.map((time) => time[what])));
  console.log(`${painted.toFixed(0)} ms to the first view of ${path}, ${answered.toFixed(0)} ms to its answer, ${busy.toFixed(0)} ms of its thread`);
  slow ||= painted > BOUND_MS;
}
console.log(`${documents} documents, the median of ${ROUNDS}`);
await browser.close();
await daemon.stop();
process.exitCode = slow ? 1 : 0;
