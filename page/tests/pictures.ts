/**
 * Takes the pictures of the inspector for README.md and docs/: `deno task pictures`.
 *
 * @module
 */

import { Redis } from "ioredis";
import { startRedis } from "../../tools/redis_server.ts";
import { Chromium, Inspect } from "./browser.ts";

const FOLDER = new URL("../../docs/pictures/", import.meta.url).pathname;
const SIZE = { width: 1180, height: 640 };

const VALUES: Readonly<Record<string, unknown>> = {
  "queue": ["scan 43", "scan 44", "calibrate"],
  "sample": {
    name: "LaB6 standard",
    color: "red",
    temperature: 293.15,
    positions: [1.5, 2, 3.25],
    owner: { name: "Łucja", orcid: "0000-0002-1825-0097" },
    mounted: true,
    note: null,
  },
  "scan:41": { id: 41, motor: "theta", frames: 1200, state: "done" },
  "scan:42": { id: 42, motor: "theta", frames: 311, state: "running" },
  "scan_id": 42,
  "user:ann": { name: "Ann", role: "scientist" },
  "user:bo": { name: "Bo", role: "engineer" },
};

await using server = await startRedis();
const redis = new Redis(server.url);
const name = (key: string): string => `lab:${key}`;
for (const [key, value] of Object.entries(VALUES)) await redis.set(name(key), JSON.stringify(value));
await redis.expire(name("scan:41"), 5400);

await using inspect = await Inspect.start({ REDIS_URL: server.url, JSON_DICT_PREFIX: "lab:" });
await using chromium = await Chromium.start();
await Deno.mkdir(FOLDER, { recursive: true });

/** Somebody else changes a value. */
async function replace(key: string, from: string, to: string): Promise<void> {
  await redis.set(name(key), (await redis.get(name(key)))!.replace(from, to), "KEEPTTL");
}

for (const [file, dark] of [["inspector.png", false], ["inspector_conflict.png", true]] as const) {
  const page = await chromium.open(inspect.url, { ...SIZE, dark });
  await page.locator(".key-name", { hasText: "sample" }).click();
  await page.locator(".name", { hasText: "color" }).waitFor();
  await replace("scan:42", `"frames":${dark ? 312 : 311}`, `"frames":${dark ? 313 : 312}`);
  await page.locator(".entry", { hasText: "frames" }).first().waitFor();
  if (dark) {
    await page.locator(".value", { hasText: '"blue"' }).dblclick();
    await page.locator(".editor textarea").fill('"green"');
    await replace("sample", '"blue"', '"violet"');
    await page.locator(".conflict .theirs", { hasText: "violet" }).waitFor();
  } else {
    await redis.set(name("scan_id"), "43");
    await page.locator(".entry", { hasText: "scan_id" }).waitFor();
    await replace("sample", '"red"', '"blue"');
    await page.locator(".part .flash").first().waitFor();
    await page.locator(".entry", { hasText: "color" }).waitFor();
    await page.waitForTimeout(300);
  }
  await page.screenshot({ path: FOLDER + file });
  await page.context().close();
}
redis.disconnect();
for await (const { name } of Deno.readDir(FOLDER)) {
  console.log(`docs/pictures/${name}: ${(await Deno.stat(FOLDER + name)).size} bytes`);
}
